/** The meaning of an answer for a message. Pure. */

/** Result of one attempt. `text` is for people, and has no secret in it. */
export type Attempt =
  | { readonly is: 'delivered'; readonly text: string }
  /** `afterMs`: when the target wants the next one, if it says so. */
  | { readonly is: 'failed'; readonly text: string; readonly afterMs?: number }
  /** Trying again cannot help. */
  | { readonly is: 'refused'; readonly text: string }

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 3_600_000
/** A message that could not be delivered for so long is given up. */
export const GIVE_UP_MS = 86_400_000

/**
 * Time until the next attempt.
 * @param attempts made so far, 1 or more
 * @returns ms, 1 s to 1 h, doubling with each attempt
 */
export const pauseAfter = (attempts: number, afterMs = 0): number =>
  Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS * 2 ** (attempts - 1), afterMs))

/** @param retryAfter the header, if there is one */
export function attemptOf(status: number, retryAfter: string | null, wallMs: number): Attempt {
  if (status >= 200 && status < 300) return { is: 'delivered', text: `answered ${status}` }
  const text = `answered ${status}`
  if (status !== 429 && status < 500) return { is: 'refused', text }
  const afterMs = afterOf(retryAfter, wallMs)
  return { is: 'failed', text, ...(afterMs !== undefined && { afterMs }) }
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function afterOf(text: string | null, wallMs: number): number | undefined {
  if (text === null) return undefined
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - wallMs
  return ms >= 0 ? ms : undefined
}
