/** Cancels an alarm; calling it twice, or after the alarm, does nothing. */
export type Cancel = () => void

/** Time is a port: *now* and *wake me at* come together, so that tests own both. Nothing else reads a clock or sets a timer. */
export interface Clock {
  /** CLOCK_MONOTONIC in milliseconds; the same in every process of one boot, never goes back, knows no wall time. */
  nowMs(): number
  /** Unix time in milliseconds, for stamps only. */
  wallMs(): number
  /** Calls `wake` once, at or after `atMs` of {@link nowMs}; an instant in the past means: on the next turn of the loop. */
  at(atMs: number, wake: () => void): Cancel
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

// A longer delay overflows setTimeout's 32 bits and would fire at once; far alarms are taken in steps.
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

export const systemClock = (): Clock => {
  const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000
  return {
    nowMs,
    wallMs: () => Date.now(),
    at(atMs, wake) {
      let timer: NodeJS.Timeout
      // libuv counts whole milliseconds of its own clock, so a timer can fire up to one too early.
      const ring = (): void => {
        if (nowMs() < atMs) arm()
        else wake()
      }
      const arm = (): void => {
        const leftMs = Math.ceil(atMs - nowMs())
        timer = setTimeout(ring, Math.min(LONGEST_TIMEOUT_MS, Math.max(0, leftMs)))
      }
      arm()
      return () => clearTimeout(timer)
    },
  }
}
