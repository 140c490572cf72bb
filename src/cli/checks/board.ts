import { boardRules } from '../../kanban/dispatch/settings.ts'
import { type Boards, withBoard } from '../../kanban/port/boards.ts'
import type { Node } from '../../kanban/port/nodes.ts'
import { checkAttachments } from '../../kanban/store/attachments.ts'
import { findBoards } from '../../kanban/store/boards.ts'
import { HermesError } from '../../system/errors.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { elapsedText } from '../../system/text/span.ts'
import type { Context } from '../context/context.ts'
import { type Check, type Finding, fail, ok, warn } from './finding.ts'

const NAME = 'board'

/** At most this many damaged attachments of a board are named; the rest are counted. */
const MAX_NAMED = 10

/** Tells whether the boards can be reached, if they are in a database; else whether the files of tasks are there. */
export const board: Check = async (context: Context) => {
  const boards = await findBoards({ ...context, runDir: context.paths.runDir })
  try {
    if (boards.kept === 'files') return await attachmentFindings(boards)
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

/** None where no task has an attachment. */
async function attachmentFindings(boards: Boards): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  let there = 0
  for (const place of await boards.list()) {
    try {
      const options = { mode: 'read', evenSealed: true, warn: () => undefined } as const
      const { count, damaged } = await withBoard(boards, place, options, checkAttachments)
      there += count - damaged.length
      const next = `hermes kanban attachments ID --board ${place.slug} lists them; attach the file again, or detach it`
      const of = `board "${place.slug}"`
      for (const { taskId, path, state } of damaged.slice(0, MAX_NAMED))
        findings.push(warn(NAME, `${of}: an attachment of ${taskId} is ${state}: ${oneLine(path)}`, next))
      if (damaged.length > MAX_NAMED)
        findings.push(warn(NAME, `${of}: ${damaged.length - MAX_NAMED} more attachments are missing or changed`, next))
    } catch (error) {
      if (!(error instanceof HermesError)) throw error
      findings.push(fail(NAME, error.message, error.next ?? `hermes kanban list --board ${place.slug}`))
    }
  }
  if (findings.length > 0 || there === 0) return findings
  return [
    ok(
      NAME,
      there === 1 ? 'the file of the only attachment is there' : `the files of all ${there} attachments are there`,
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
