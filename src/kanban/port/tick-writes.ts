/** The writes of a tick. */
import type { PoolLimits } from '../pools.ts'
import type { RunEnd, Settlement } from '../running.ts'
import type { TickStep } from '../tick.ts'
import type { RunningRow, TaskRow } from './rows.ts'

/** A claim that this dispatcher has made. */
export interface Claimed {
  readonly row: TaskRow
  readonly runId: number
  readonly slot: string
  readonly claimLock: string
}

/** Machine, and life of the container, that claims. */
export interface ClaimPlace {
  readonly host: string
  readonly instance: string
}

/** A worker's process. */
export interface Worker {
  readonly pid: number
  readonly startTime: number
}

export type EndedRow = Pick<RunningRow, 'id' | 'run_id' | 'claim_lock'>

/** Each changes its task only if that is still what the tick has read. There is one of a type for a task. */
export type TickWrite =
  /** A worker runs, and its process as far as known. */
  | {
      readonly type: 'note'
      readonly id: string
      readonly runId: number
      readonly worker?: Worker
      readonly workspace: string
    }
  | { readonly type: 'extend'; readonly row: EndedRow }
  /** Ends a run and moves its task. */
  | { readonly type: 'end'; readonly row: EndedRow; readonly end: RunEnd; readonly settlement: Settlement }
  /** Promotes a task, or assigns the fallback assignee if it is still unassigned. */
  | Extract<TickStep, { readonly type: 'promote' | 'assign' }>
  /** Claims a ready task; from here on it is running, whatever happens to this process. */
  | { readonly type: 'claim'; readonly id: string; readonly assignee: string }

export const writeId = (write: TickWrite): string => ('row' in write ? write.row.id : write.id)

/** Limits of claims. They are counted against the board as it is when the claims are made. */
export interface ClaimLimits {
  readonly place: ClaimPlace
  /** Claims of this call; the first that can be had are made. */
  readonly most: number
  /** Running tasks of a profile, and of the whole board; null: no cap. */
  readonly perProfile: number | null
  readonly board: number | null
  readonly pools: PoolLimits
  /** How long to wait for the writes of other dispatchers, ms. */
  readonly waitMs: number
}

export type Written =
  | { readonly state: 'done'; readonly claimed?: Claimed }
  /** Another process was quicker. */
  | { readonly state: 'lost' }
  /** A claim that would pass a cap, because another dispatcher has claimed in the meantime. */
  | { readonly state: 'full' }
  /** A claim behind the most that were wanted. */
  | { readonly state: 'untried' }

/** The results of claims that were offered in this order. */
export function claimResults(
  offered: readonly string[],
  claimed: ReadonlyMap<string, Claimed>,
  full: ReadonlySet<string>,
  most: number,
): readonly Written[] {
  // With fewer than were wanted, all have been tried.
  const tried =
    claimed.size + full.size < most
      ? offered.length
      : 1 + offered.findLastIndex((id) => claimed.has(id) || full.has(id))
  return offered.map((id, at) => {
    const made = claimed.get(id)
    if (made !== undefined) return { state: 'done', claimed: made }
    if (full.has(id)) return { state: 'full' }
    return at < tried ? { state: 'lost' } : { state: 'untried' }
  })
}
