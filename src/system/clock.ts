/** Cancels an alarm; calling it twice, or after the alarm, does nothing. */
export type Cancel = () => void

/**
 * Time is a port: *now* and *wake me at* come together, so that tests own both. Nothing else reads a clock or sets a
 * timer.
 */
export interface Clock {
  /**
   * Milliseconds that have passed while processes could run: CLOCK_MONOTONIC without the time for which everything was
   * frozen (`docker pause`, SIGSTOP, a machine asleep). init and its supervisor agree on it. It knows no wall time, and
   * never goes back.
   */
  nowMs(): number
  /** Unix time in milliseconds, for stamps only. */
  wallMs(): number
  /**
   * Calls `wake` once, at or after `atMs` of {@link nowMs}; an instant in the past means: on the next turn of the loop.
   */
  at(atMs: number, wake: () => void, options?: AlarmOptions): Cancel
}

export interface AlarmOptions {
  /**
   * For a check that repeats while nothing happens: the process is woken for it only, up to a millisecond sooner, and
   * more of a freeze counts as passed, up to the time between two checks, at most five seconds.
   */
  readonly coarse?: boolean
}

/** Duration for which all processes were frozen, as far as it was noticed before an instant of CLOCK_MONOTONIC. */
export interface Frozen {
  readonly ms: number
  readonly untilMs: number
}

/** The machine's own clock, which notices when everything was frozen. */
export interface MachineClock extends Clock {
  frozen(): Frozen
  /**
   * Adopts what another process has noticed in place of our own count: a stall of this process alone is not a freeze.
   */
  adopt(frozen: Frozen): void
  /** CLOCK_MONOTONIC itself, for events outside the container that continue during a freeze. */
  readonly real: Clock
}

/** Waits so long, or until `signal` is aborted, also before: nothing of the wait is left then. */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const cancel = clock.at(clock.nowMs() + ms, resolve)
  const end = (): void => resolve()
  signal?.addEventListener('abort', end)
  await promise
  signal?.removeEventListener('abort', end)
  cancel()
}

/** Waits for `promise`, but only so long. @returns whether it came in time; it rejects as `promise` does */
export async function inTime(clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const cancel = clock.at(clock.nowMs() + ms, () => late.resolve(false))
  try {
    return await Promise.race([promise.then(() => true), late.promise])
  } finally {
    cancel()
  }
}

/** The wall time of an instant, Unix ms. @param atMs on `clock` */
export const wallTimeOf = (clock: Clock, atMs: number): number => clock.wallMs() - (clock.nowMs() - atMs)

// A longer delay overflows setTimeout's 32 bits and would fire at once, so distant alarms are set in steps.
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/**
 * Bounds of the interval between two checks of the time while alarms are set: the shortest time for which one is set,
 * or a quarter of it for an alarm that is not coarse. A freeze counts as passed time up to one interval.
 */
const LOOK_AFTER_MS = { least: 500, most: 5000 } as const
/** A check of the time comes this much after the alarm that checks it anyway, which then needs no second wake-up. */
const AFTER_ALARM_MS = 50
/** A check that comes this late was not delayed by work: no process has run in the meantime. */
const FROZEN_MS = 1000

export function systemClock(): MachineClock {
  const realMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000
  let frozenMs = 0
  let noticedAtMs = 0
  let latestMs = 0
  let expectedMs = Number.POSITIVE_INFINITY
  /** The alarms that are set: how often each wants the time checked. */
  const intervals = new Set<{ readonly ms: number }>()
  let pulse: NodeJS.Timeout | undefined
  /** Interval at which the time is checked now. */
  let everyMs = 0

  /** All reads of the time come through here, so frozen time is always subtracted first. */
  const look = (): number => {
    const nowMs = realMs()
    const lateMs = nowMs - expectedMs
    if (lateMs >= FROZEN_MS) {
      frozenMs += lateMs
      noticedAtMs = nowMs
      expectAfter(shortest())
    }
    return nowMs
  }
  const running = (): number => {
    const nowMs = look()
    latestMs = Math.max(latestMs, nowMs - frozenMs)
    return latestMs
  }
  const shortest = (): number => Math.min(LOOK_AFTER_MS.most, ...[...intervals].map(({ ms }) => ms))
  const expectAfter = (ms: number): void => {
    // Node keeps the list of a cleared timer that is unreferenced, and wakes up for it at the old instant. The same
    // happens after `refresh`.
    clearTimeout(pulse?.ref())
    everyMs = ms
    pulse = setTimeout(beat, ms + AFTER_ALARM_MS).unref()
    expectedMs = realMs() + ms + AFTER_ALARM_MS
  }
  /** An alarm rings and checks the time, so the next check can wait. */
  const rung = (): void => {
    look()
    if (pulse !== undefined) expectAfter(everyMs)
  }
  const beat = (): void => {
    look()
    if (intervals.size > 0) expectAfter(shortest())
    else expectedMs = Number.POSITIVE_INFINITY
  }
  const alarms =
    (nowMs: () => number, noticesFreezes: boolean) =>
    (atMs: number, wake: () => void, { coarse = false }: AlarmOptions = {}): Cancel => {
      let timer: NodeJS.Timeout
      const forMs = Math.max(0, atMs - nowMs()) / (noticesFreezes && !coarse ? 4 : 1)
      const interval = { ms: Math.min(LOOK_AFTER_MS.most, Math.max(LOOK_AFTER_MS.least, forMs)) }
      // libuv counts whole milliseconds of its own clock, so a timer can fire up to 1 ms early; after frozen time,
      // much earlier.
      const ring = (): void => {
        if (nowMs() < atMs - (coarse ? 1 : 0)) arm()
        else {
          rung()
          intervals.delete(interval)
          wake()
        }
      }
      const arm = (): void => {
        const leftMs = Math.ceil(atMs - nowMs())
        timer = setTimeout(ring, Math.min(LONGEST_TIMEOUT_MS, Math.max(0, leftMs)))
      }
      intervals.add(interval)
      if (realMs() + interval.ms + AFTER_ALARM_MS < expectedMs) expectAfter(interval.ms)
      arm()
      return () => {
        intervals.delete(interval)
        clearTimeout(timer)
      }
    }
  const wallMs = (): number => Date.now()
  return {
    nowMs: running,
    wallMs,
    at: alarms(running, true),
    frozen() {
      const untilMs = look()
      return { ms: frozenMs, untilMs }
    },
    adopt({ ms, untilMs }) {
      look()
      // Sent before a freeze and received after it: the sender knew nothing of the freeze.
      if (untilMs >= noticedAtMs) frozenMs = ms
    },
    real: { nowMs: realMs, wallMs, at: alarms(realMs, false) },
  }
}
