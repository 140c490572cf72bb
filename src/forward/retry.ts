/** The meaning of an answer for a batch. Pure. */
import { type Attempt, attemptOf } from '../notify/retry.ts'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000
/** The address, the token or the way to the server is wrong, not the lines: they wait until it is corrected. */
const OF_THE_TARGET: readonly number[] = [401, 403, 404, 405, 407, 408]

/** @param retryAfter the header, if there is one */
export function attemptAtBatch(status: number, retryAfter: string | null, wallMs: number): Attempt {
  const attempt = attemptOf(status, retryAfter, wallMs)
  const isOfTarget = status < 400 || OF_THE_TARGET.includes(status)
  return attempt.is === 'refused' && isOfTarget ? { is: 'failed', text: attempt.text } : attempt
}

/**
 * Time until the next attempt.
 * @param attempts made so far, 1 or more
 * @returns ms, 1 s to 1 min, doubling with each attempt
 */
export const pauseAfterAttempt = (attempts: number, afterMs = 0): number =>
  Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 16), afterMs))
