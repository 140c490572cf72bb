import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'

const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 50
/** A machine that is busier still is not waited for: a test has to end. */
const LONGEST_STRETCH = 6

export interface WaitOptions {
  /** How long to look before giving up on an idle machine, ms; a busy one gets more ({@link stretchedMs}). */
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
    const waitedMs = performance.now() - startedAtMs
    if (waitedMs >= deadlineMs && waitedMs >= stretchedMs(deadlineMs)) {
      const rest = more === undefined ? '' : `\n${await more()}`
      throw new Error(`waited ${waitedMs.toFixed()} ms for ${what}; last seen: ${describe(seen)}${rest}`, {
        cause: seen,
      })
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
  const startedAtMs = performance.now()
  const late = (async () => {
    while (true) {
      const waitedMs = performance.now() - startedAtMs
      const leftMs = (waitedMs < deadlineMs ? deadlineMs : stretchedMs(deadlineMs)) - waitedMs
      if (leftMs <= 0) throw new Error(`waited ${waitedMs.toFixed()} ms for ${what}; last seen: ${describe(seen())}`)
      // Aborted because the promise won the race; this one is not awaited any more.
      if (await delay(leftMs, false, { signal: timer.signal }).catch(() => true)) return promise
    }
  })()
  try {
    return await Promise.race([promise, late])
  } finally {
    timer.abort()
  }
}

/**
 * How long something may take that takes `limitMs` at most while the machine has nothing else to do: as many times that
 * as there are programs for each processor, now or in the last minute.
 */
export const stretchedMs = (limitMs: number): number => {
  const [lastMinute = '', , , running = ''] = readFileSync('/proc/loadavg', 'latin1').split(' ')
  const programs = Math.max(Number(lastMinute), Number.parseInt(running, 10))
  // execa takes whole numbers only.
  return Math.ceil(limitMs * Math.min(LONGEST_STRETCH, Math.max(1, programs / availableParallelism())))
}

/**
 * The time that this process computes for in `work`, ms: on a busy machine all of it takes longer, but not this.
 */
export function cpuMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const describe = (value: unknown): string => {
  if (value instanceof Error) return value.message
  return typeof value === 'string' && value !== '' ? value : inspect(value, { depth: 6 })
}
