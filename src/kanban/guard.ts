/** The respawn guard: what must not be tried again just yet. */

const FIRST_PAUSE_MS = 5 * 60_000
export const LONGEST_PAUSE_MS = 60 * 60_000
const RECENT_SUCCESS_MS = 60 * 60_000

export type GuardReason = 'quota_or_auth_error' | 'recent_success' | 'worker_ending'

export interface GuardFacts {
  readonly pausedUntilMs: number | null
  readonly succeededAtMs: number | null
  readonly changedAtMs: number
  /** A process of an earlier run still lives. */
  readonly workerEnding: boolean
}

/**
 * Pause after a quota or authentication error, during which the task is not tried.
 * @param pauses number of pauses in a row, including this one: 1 or more
 * @returns ms: 5 min, doubling, at most 1 h
 */
export const pauseMs = (pauses: number): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(pauses - 1, 8))

/** Why a task is not started again yet; null: go. */
export function guard(facts: GuardFacts, nowMs: number): { reason: GuardReason; untilMs?: number } | null {
  const { pausedUntilMs, succeededAtMs, changedAtMs, workerEnding } = facts
  if (workerEnding) return { reason: 'worker_ending' }
  // An end beyond the longest pause was written under another clock; do not wait for it.
  if (pausedUntilMs !== null && nowMs < pausedUntilMs && pausedUntilMs - nowMs <= LONGEST_PAUSE_MS)
    return { reason: 'quota_or_auth_error', untilMs: pausedUntilMs }
  if (
    succeededAtMs !== null &&
    changedAtMs < succeededAtMs &&
    nowMs >= succeededAtMs &&
    nowMs < succeededAtMs + RECENT_SUCCESS_MS
  )
    return { reason: 'recent_success', untilMs: succeededAtMs + RECENT_SUCCESS_MS }
  return null
}

// decides by words: a worker is any program, and its last line is all that it says of itself
const QUOTA_OR_AUTH =
  /\b(429|401|403)\b|rate.?limit|too many requests|quota|insufficient.{0,10}(credit|balance|funds)|billing|unauthori[sz]ed|authentication|invalid.{0,5}api.?key|api.?key.{0,20}(invalid|missing|expired)/i

/**
 * Tells whether a worker's last output looks like a quota or authentication error, which a second attempt does not
 * cure.
 */
export const looksLikeQuotaOrAuth = (text: string): boolean => QUOTA_OR_AUTH.test(text)
