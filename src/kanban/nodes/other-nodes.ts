/** Facts for a tick about the nodes that share its board. */

import type { JobSpec } from '../../protocol/control.ts'
import { NO_POOLS, type PoolLimits, type Pools } from '../pools.ts'
import type { Board } from '../port/board.ts'
import type { Node } from '../port/nodes.ts'
import type { RunningRow } from '../port/rows.ts'
import type { ObservedWorker } from '../running.ts'
import { Profiles } from './profiles.ts'
import { leaseTimes, RECLAIM_AFTER_MS } from './timing.ts'

/** The other node of a run. */
export type RunPlace = Omit<Extract<ObservedWorker, { state: 'elsewhere' }>, 'state'>

/**
 * The profiles that a tick knows.
 * @param register those on this disk are this node's from here on
 * @param hasPools the other nodes have to know their pools, too
 */
export async function profilesOf(
  board: Board,
  home: string,
  register: boolean,
  hasPools: boolean,
): Promise<{ readonly nodes: readonly Node[]; readonly profiles: Profiles }> {
  const nodes = await board.nodes()
  const profiles = new Profiles(home, nodes)
  if (!register || !profiles.isNews(hasPools)) return { nodes, profiles }
  await board.registerProfiles(profiles.onDisk, ...(hasPools ? [Object.fromEntries(profiles.pools())] : []))
  const again = await board.nodes()
  return { nodes: again, profiles: new Profiles(home, again) }
}

/** Caps of pools for a write. Without a pool, no config.yaml is read for them. */
export function poolLimits(profiles: Profiles, pools: Pools): PoolLimits {
  if (pools.size === 0) return NO_POOLS
  const of = [...profiles.pools()].filter(([, pool]) => pools.has(pool))
  return { caps: Object.fromEntries(pools), of: Object.fromEntries(of) }
}

/** A line for each profile in a pool without a capacity. Without pools, only profiles that the tick has looked at. */
export const poolWarnings = (profiles: Profiles, pools: Pools): readonly string[] =>
  profiles.readPools
    .filter(([, pool]) => !pools.has(pool))
    .map(
      ([name, pool]) => `agent.pool of "${name}" is '${pool}', which kanban.pools does not have, so nothing limits it`,
    )

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
