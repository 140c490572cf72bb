/** The times of a node's lease, all of them parts of its length. Pure. */

/** How long a statement to the database can take before it is given up, as postgres/connection.ts has it. */
export const QUERY_MS = 3300
/** A worker that is stopped gets TERM, and KILL after this. */
const STOP_MS = 5000
const LEAST_MARGIN_MS = 1000

/**
 * After the end of a lease, other nodes wait so long before they take its runs. A node also waits so long after it has
 * taken its own lease: after an outage of the database every lease has lapsed, and the others come back as soon.
 */
export const RECLAIM_AFTER_MS = 5000

export interface LeaseTimes {
  readonly leaseMs: number
  readonly renewMs: number
  /** TERM, then so long, then KILL. */
  readonly stopMs: number
  /** Time between the end of the last worker and that of the lease. */
  readonly marginMs: number
  /** So long after the last renewal was sent, the workers are stopped. */
  readonly endWorkersAfterMs: number
}

export function leaseTimes(leaseMs: number): LeaseTimes {
  const stopMs = Math.min(STOP_MS, Math.floor(leaseMs / 6))
  const marginMs = Math.max(LEAST_MARGIN_MS, Math.floor(leaseMs / 10))
  return {
    leaseMs,
    renewMs: Math.floor(leaseMs / 4),
    stopMs,
    marginMs,
    endWorkersAfterMs: leaseMs - stopMs - marginMs,
  }
}

/** @returns why no lease of this length can be kept; undefined: it can */
export function leaseProblem({ leaseMs, stopMs, marginMs }: LeaseTimes): string | undefined {
  const neededMs = stopMs + marginMs + QUERY_MS
  if (neededMs < leaseMs) return undefined
  const s = (ms: number): string => `${ms / 1000} s`
  return (
    `kanban.node_lease is ${s(leaseMs)}, and must be longer than ${s(neededMs)}: ${s(QUERY_MS)} for an answer of the ` +
    `database, ${s(stopMs)} to stop a worker, and ${s(marginMs)} to spare`
  )
}
