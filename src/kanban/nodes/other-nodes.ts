/** Facts for a tick about the nodes that share its board. */

import type { JobSpec } from '../../protocol/control.ts'
import type { Board } from '../port/board.ts'
import type { Node } from '../port/nodes.ts'
import type { RunningRow } from '../port/rows.ts'
import type { ObservedWorker } from '../running.ts'
import { Profiles } from './profiles.ts'
import { leaseTimes, RECLAIM_AFTER_MS } from './timing.ts'

/** The other node of a run. */
export type RunPlace = Omit<Extract<ObservedWorker, { state: 'elsewhere' }>, 'state'>

/** The profiles that a tick knows; with `register`, those on this disk are this node's from here on. */
export async function profilesOf(
  board: Board,
  home: string,
  register: boolean,
): Promise<{ readonly nodes: readonly Node[]; readonly profiles: Profiles }> {
  const nodes = await board.nodes()
  const profiles = new Profiles(home, nodes)
  if (!register || !profiles.isNews) return { nodes, profiles }
  await board.registerProfiles(profiles.onDisk)
  const again = await board.nodes()
  return { nodes: again, profiles: new Profiles(home, again) }
}

export interface RunPlaces {
  /** Tasks of other nodes' runs. */
  readonly foreign: ReadonlyMap<string, RunPlace>
  /** Tasks of runs of this node, also of its earlier lives. */
  readonly own: ReadonlySet<string>
}

/** @param wallMs by the database's clock */
export async function runPlaces(
  board: Board,
  rows: readonly RunningRow[],
  nodes: readonly Node[],
  wallMs: number,
): Promise<RunPlaces> {
  const foreign = new Map<string, RunPlace>()
  const own = new Set<string>()
  if (nodes.length === 0) return { foreign, own }
  const ownLease = nodes.find((node) => node.own)?.lease
  const isSettled = ownLease === undefined || wallMs - ownLease.takenAtMs > RECLAIM_AFTER_MS
  const nodeOf = await board.nodesOf([...new Set(rows.flatMap(({ instance }) => instance || []))])
  for (const { id, instance } of rows) {
    const nodeId = instance === null ? undefined : nodeOf[instance]
    // It was claimed where no node was known: judged as on a board of one node.
    if (nodeId === undefined) continue
    const node = nodes.find((one) => one.id === nodeId)
    if (node?.own) own.add(id)
    else if (node !== undefined) foreign.set(id, placeOf(node, wallMs, isSettled))
  }
  return { foreign, own }
}

/** @param isSettled this node has held its own lease long enough to judge those of others */
const placeOf = (node: Node, wallMs: number, isSettled: boolean): RunPlace => ({
  node: node.name,
  silentMs: node.silentMs,
  isOver: isSettled && node.state === 'silent' && wallMs - node.lease.untilMs > RECLAIM_AFTER_MS,
})

/** Warnings about this node among the others. */
export function nodeWarnings(nodes: readonly Node[], profiles: Profiles): readonly string[] {
  const own = nodes.find((node) => node.own)
  return [
    ...profiles.taken.map(
      ({ name, node }) =>
        `the profile "${name}" is on node ${node.name}, too, and only that one does its tasks; rename or delete one of them`,
    ),
    ...(own?.rival
      ? [`another container (host ${own.rival.host}) has the id or the name of this node, and was kept out`]
      : []),
  ]
}

/** Additions to a job that this node starts: workers under a lease have as long to stop as the lease allows. */
export function underLease(nodes: readonly Node[]): Pick<JobSpec, 'nodeEpoch' | 'stopTimeoutMs'> {
  const lease = nodes.find(({ own }) => own)?.lease
  return lease === undefined ? {} : { nodeEpoch: lease.epoch, stopTimeoutMs: leaseTimes(lease.ms).stopMs }
}
