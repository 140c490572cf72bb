import { boardRules } from '../../kanban/dispatch/settings.ts'
import { type Boards, withBoard } from '../../kanban/port/boards.ts'
import type { Node } from '../../kanban/port/nodes.ts'
import { findBoards } from '../../kanban/store/boards.ts'
import { HermesError } from '../../system/errors.ts'
import { elapsedText } from '../../system/text/span.ts'
import type { Context } from '../context/context.ts'
import { type Check, type Finding, fail, ok, warn } from './finding.ts'

const NAME = 'board'

/** Tells whether the boards can be reached, if they are in a database; files are part of the volume. */
export const board: Check = async (context: Context) => {
  const boards = await findBoards({ ...context, runDir: context.paths.runDir })
  if (boards.kept === 'files') return []
  try {
    const found = await boards.list()
    return [
      ok(NAME, `the database answers and has ${found.length === 1 ? 'a board' : `${found.length} boards`}`),
      ...nodeFindings(await boards.nodes()),
      ...(await ignoredFindings(boards, context.home)),
    ]
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return [fail(NAME, error.message, error.next ?? 'hermes kanban list')]
  } finally {
    await boards.close()
  }
}

/** Findings about this node; none outside a node, for instance on the machine of an operator. */
export function nodeFindings(nodes: readonly Node[]): readonly Finding[] {
  const own = nodes.find((node) => node.own)
  if (own === undefined) return []
  const { name, rival, state, silentMs } = own
  const lease =
    state === 'live'
      ? ok('node', `this is node ${name}, and ${nodes.length === 1 ? 'the only one' : `one of ${nodes.length}`}`)
      : fail(
          'node',
          `node ${name}, which is this one, has no lease and starts no workers; it was heard of ${elapsedText(silentMs)} ago`,
          'hermes logs dispatcher',
        )
  if (rival === null) return [lease]
  return [
    lease,
    fail(
      'node',
      `another container, on host ${rival.host}, has the id or the name of node ${name}; one of the two dispatches nothing`,
      'give it another name with HERMES_NODE, or remove node.id from the copy of the volume',
    ),
  ]
}

/** Keys of config.yaml that the settings of a board overrule. */
async function ignoredFindings(boards: Boards, home: string): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const place of await boards.list()) {
    const { ignored } = await withBoard(boards, place, { mode: 'read', warn: () => undefined }, (one) =>
      boardRules(one, home),
    )
    for (const line of ignored)
      findings.push(
        warn(NAME, `board "${place.slug}": ${line}`, 'make both the same, or remove the key from config.yaml'),
      )
  }
  return findings
}
