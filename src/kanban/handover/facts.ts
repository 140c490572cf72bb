/** Facts of the board that the next worker of a task has to know. */
import type { Comment, Run, Status } from '../task.ts'

/** Some of the entries, the newest ones. */
export interface Part<T> {
  /** Oldest first. */
  readonly entries: readonly T[]
  /** Older entries that were not read. */
  readonly omitted: number
}

export interface ParentResult {
  readonly id: string
  readonly title: string
  readonly status: Status
  readonly result: string | null
  readonly resultJson: string | null
  readonly completedAtMs: number | null
}

/** A reviewer's request. */
export interface ChangeRequest {
  readonly by: string
  readonly text: string
  readonly atMs: number
}

export interface HandoverFacts {
  readonly parents: Part<ParentResult>
  /** Runs that have ended. */
  readonly attempts: Part<Run>
  readonly comments: Part<Comment>
  readonly requests: Part<ChangeRequest>
}

/**
 * How much is read of each part: so many entries at most, and an entry only if the newer ones have fewer bytes than
 * that. The newest one is always read.
 */
export interface HandoverLimits {
  readonly entries: number
  readonly bytes: number
}

/** Everything, on a board that is not made to be large. */
export const HANDOVER_LIMITS: HandoverLimits = { entries: 200, bytes: 4_000_000 }
