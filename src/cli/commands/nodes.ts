/** The nodes that share a board in a database. */
import type { Node } from '../../kanban/port/nodes.ts'
import { findBoards } from '../../kanban/store/boards.ts'
import type { Command } from '../context/command.ts'
import type { Context } from '../context/context.ts'
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
