/** The nodes that share a board in a database. */
import { Peers } from '../../control/peers.ts'
import type { Node } from '../../kanban/port/nodes.ts'
import { cancelMove, moveProfile } from '../../kanban/profiles/profile-move.ts'
import { findBoards } from '../../kanban/store/boards.ts'
import { refuseDefault } from '../../profile/directory/remove.ts'
import { parseProfileName } from '../../profile/names.ts'
import { NODE_SECRET } from '../../system/dashboard-secrets.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { ownSecrets } from '../../system/files/secret-file.ts'
import { allowsClearText } from '../../system/programs/node-access.ts'
import { type Command, type Input, textOption } from '../context/command.ts'
import { type Context, warnOn } from '../context/context.ts'
import { withProgress } from '../context/progress.ts'
import type { Outcome } from '../terminal/output.ts'
import { durationText, table } from '../view/slots-view.ts'

export const NODE_COMMANDS: readonly Command[] = [
  {
    path: 'nodes',
    summary: 'List the nodes that share the board, with their state, version and profiles',
    details:
      'A node is a container with its volume. A node whose lease has lapsed runs no worker, and its tasks go to\n' +
      'others; its gateways may still run. If the board is in the volume there is one container and no node.',
    run: list,
  },
  {
    path: 'profile move',
    writes: true,
    summary: 'Move a profile to another node that shares the board',
    arguments: [{ name: 'NAME', help: 'name of the profile', kind: 'required', completes: 'profiles' }],
    options: [
      { long: '--to', value: 'NODE', help: 'name of the node, as hermes nodes shows it' },
      { long: '--cancel', help: 'end a move that was interrupted: the profile stays on this node' },
    ],
    details:
      'The gateway and the workers of the profile stop. The dashboard of NODE fetches the directory from the dashboard\n' +
      'of this node, compares it with checksums, and takes the profile over; its gateway starts there if it ran here.\n' +
      'If the move fails, the profile is here as before. After an interruption, run the same command again.\n' +
      'Needs the node token: HERMES_NODE_TOKEN, or HERMES_NODE_TOKEN_FILE, which only root need be able to read.\n' +
      'Logs stay on this node.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: move,
  },
]

async function list(context: Context): Promise<Outcome> {
  const boards = await findBoards({ ...context, runDir: context.paths.runDir })
  try {
    if (boards.kept === 'files')
      return { text: 'There is one container: its board is in the volume, and no other node shares it.\n', json: [] }
    const nodes = await boards.nodes()
    if (nodes.length === 0)
      return { text: `No node has used ${boards.where(boards.place('default'))} yet.\n`, json: [] }
    const rows = nodes.map((node) => [
      node.name,
      stateOf(node),
      node.version,
      String(node.profiles.length),
      node.apiUrl ?? '-',
      node.profiles.join(' '),
    ])
    const header = ['NODE', 'STATE', 'VERSION', 'PROFILES', 'URL', '']
    return { text: table([header, ...rows]) + nodes.flatMap(rivalLine).join(''), json: nodes.map(nodeJson) }
  } finally {
    await boards.close()
  }
}

async function move(context: Context, input: Input): Promise<Outcome> {
  const given = (input.args[0] ?? '').trim().toLowerCase()
  refuseDefault(given, 'moved')
  const name = parseProfileName(given)
  const to = textOption(input, 'to')?.trim().toLowerCase()
  const cancels = input.options.cancel === true
  if ((to === undefined) !== cancels)
    throw new HermesError('USAGE', 'where is the profile to go?', { next: `hermes profile move ${name} --to NODE` })
  const boards = await findBoards({ ...context, runDir: context.paths.runDir })
  try {
    const facts = { ...context, boards, peers: peersOf(context), actor: 'user', warn: warnOn(context) }
    if (to === undefined) {
      await cancelMove(facts, name)
      return { text: `${name} stays on this node\n`, json: { name, moved: false } }
    }
    const { started, problem, tasks } = await withProgress(context, 'copied', (progress) =>
      moveProfile({ ...facts, progress }, name, to),
    )
    const gateway = started ? ', gateway started there' : ''
    const returned =
      tasks.length === 0 ? '' : `; its workers were stopped, and ${tasks.join(', ')} went back to the board`
    if (problem !== undefined) warnOn(context)(`its gateway did not start there: ${problem}`)
    return {
      text: `moved ${name} to ${to}${gateway}${returned}\n`,
      json: { name, moved: true, node: to, started, tasks, ...(problem !== undefined && { problem }) },
    }
  } finally {
    await boards.close()
  }
}

/** `docker exec -e HERMES_NODE_TOKEN=…` wins over a file of the container, which only root may read. */
function peersOf({ env, clock }: Context): Peers {
  const token = env[NODE_SECRET] || tokenOfFile(env)
  if (token !== undefined) return new Peers({ token, clearText: allowsClearText(env), clock })
  throw new HermesError('REFUSED', `profile move needs the node token, and ${NODE_SECRET} is not set`, {
    next: GIVE_TOKEN,
  })
}

const GIVE_TOKEN = `docker exec -e ${NODE_SECRET}="$(cat node-token)" CONTAINER hermes profile move NAME --to NODE`

/** Of a file that only root may read, a command that root has called has the text in its environment already. */
function tokenOfFile(env: Context['env']): string | undefined {
  try {
    return ownSecrets(env, [NODE_SECRET])[NODE_SECRET]
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    throw new HermesError(error.code, error.message, {
      next: `call it as root, as docker exec does by itself, or give it the token: ${GIVE_TOKEN}`,
      cause: error,
    })
  }
}

/** `here`, `up`, `lapsed for 4 min`. */
function stateOf({ own, state, silentMs }: Node): string {
  const lapsed = `lapsed for ${durationText(silentMs)}`
  if (own) return state === 'live' ? 'here' : `here, ${lapsed}`
  return state === 'live' ? 'up' : lapsed
}

const rivalLine = ({ name, rival }: Node): readonly string[] =>
  rival === null
    ? []
    : [
        `warning: the container ${rival.host} has the id or the name of node ${name} too, and dispatches nothing ` +
          `(${new Date(rival.atMs).toISOString()}); its dispatcher's log says what to do\n`,
      ]

const nodeJson = (node: Node) => ({
  name: node.name,
  id: node.id,
  here: node.own,
  state: node.state === 'live' ? 'up' : 'lapsed',
  heard_at: new Date(node.heardAtMs).toISOString(),
  silent_s: Math.floor(node.silentMs / 1000),
  lease_s: node.lease.ms / 1000,
  epoch: node.lease.epoch,
  version: node.version,
  labels: node.labels,
  url: node.apiUrl,
  profiles: node.profiles,
  rival: node.rival?.host ?? null,
})
