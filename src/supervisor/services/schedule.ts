import { Cron } from 'croner'
import type { Cancel, Clock } from '../../system/clock.ts'

/** Clocks are set, machines sleep and containers are paused: check the wall clock at least this often. */
const LONGEST_SLEEP_MS = 1_000

export interface ScheduleOptions {
  /** Cron fields, checked before. */
  readonly pattern: string
  /** A name of the time zone database; absent: the machine's. */
  readonly timezone?: string
  readonly clock: Clock
  readonly due: () => void
}

/** Tells whether schedules can be read in a time zone: POSIX's `CET-1CEST` is not supported. */
export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false // a RangeError is the answer
  }
}

/** Fires at the scheduled times, by the wall clock in the container's time zone. Missed times are not made up for. */
export class Schedule {
  readonly #options: ScheduleOptions
  readonly #cron: Cron
  #nextAtMs: number
  #cancel: Cancel = () => undefined

  constructor(options: ScheduleOptions) {
    this.#options = options
    this.#cron = new Cron(options.pattern, {
      paused: true,
      ...(options.timezone !== undefined && { timezone: options.timezone }),
    })
    this.#nextAtMs = this.#after(options.clock.wallMs())
    this.#sleep()
  }

  /** Unix ms. */
  get nextAtMs(): number {
    return this.#nextAtMs
  }

  close(): void {
    this.#cancel()
  }

  #after(wallMs: number): number {
    return this.#cron.nextRun(new Date(wallMs))?.getTime() ?? Number.POSITIVE_INFINITY
  }

  #sleep(): void {
    const { clock, due } = this.#options
    const leftMs = Math.min(LONGEST_SLEEP_MS, Math.max(0, this.#nextAtMs - clock.wallMs()))
    this.#cancel = clock.at(clock.nowMs() + leftMs, () => {
      const isDue = clock.wallMs() >= this.#nextAtMs
      if (isDue) this.#nextAtMs = this.#after(clock.wallMs())
      this.#sleep()
      if (isDue) due()
    })
  }
}
