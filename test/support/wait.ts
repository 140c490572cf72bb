import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'

const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 50

export interface WaitOptions {
  /** How long to look before giving up, ms. */
  readonly deadlineMs?: number
  /** More facts for the message when the deadline passes. It may take time, so it is called only then. */
  readonly more?: () => Promise<string>
}

type Falsy = undefined | false | null | 0 | ''

/**
 * Looks again and again until `probe` gives something truthy, and returns that.
 * A probe that throws counts as "not yet": what it threw is shown if the deadline passes.
 * @param what a sentence part that completes "waited … for"
 * @throws Error naming `what` and what was seen last
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Falsy | Promise<T | Falsy>,
  { deadlineMs = 15_000, more }: WaitOptions = {},
): Promise<T> {
  const startedAtMs = performance.now()
  let pauseMs = FIRST_PAUSE_MS
  while (true) {
    let seen: unknown
    try {
      const value = await probe()
      if (value) return value
      seen = value
    } catch (error) {
      seen = error
    }
    if (performance.now() - startedAtMs >= deadlineMs) {
      const rest = more === undefined ? '' : `\n${await more()}`
      throw new Error(`waited ${deadlineMs} ms for ${what}; last seen: ${describe(seen)}${rest}`, { cause: seen })
    }
    await delay(pauseMs)
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
  }
}

/** The promise's value, or an error that prints `seen()` when it does not come in time. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  { deadlineMs = 15_000, seen = () => 'nothing' }: WaitOptions & { readonly seen?: () => unknown } = {},
): Promise<T> {
  const timer = new AbortController()
  const late = delay(deadlineMs, undefined, { signal: timer.signal }).then(
    () => {
      throw new Error(`waited ${deadlineMs} ms for ${what}; last seen: ${describe(seen())}`)
    },
    // Aborted because the promise won the race; this one is not awaited any more.
    () => promise,
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    timer.abort()
  }
}

const describe = (value: unknown): string => {
  if (value instanceof Error) return value.message
  return typeof value === 'string' && value !== '' ? value : inspect(value, { depth: 6 })
}
