import type { Clock } from '../../system/clock.ts'
import { isTimezone, Schedule } from './schedule.ts'

export interface SchedulesOptions {
  readonly clock: Clock
  /** TZ of the container. */
  readonly timezone: string | undefined
  readonly warn: (text: string) => void
  /** It is time for this one. */
  readonly due: (name: string) => void
}

/** The schedules that are on, by the name of what runs. */
export class Schedules {
  readonly #options: SchedulesOptions
  readonly #on = new Map<string, Schedule>()

  constructor(options: SchedulesOptions) {
    this.#options = options
  }

  names(): readonly string[] {
    return [...this.#on.keys()]
  }

  /** Unix ms of the next run; undefined: its schedule is off. */
  nextAtMs(name: string): number | undefined {
    return this.#on.get(name)?.nextAtMs
  }

  start({ name, schedule: pattern }: { readonly name: string; readonly schedule: string | null }): void {
    if (pattern === null || this.#on.has(name)) return
    const { clock, timezone = '', warn, due } = this.#options
    const isKnown = isTimezone(timezone)
    if (timezone !== '' && !isKnown)
      warn(`TZ=${timezone} is not a name such as Europe/Berlin; ${name} goes by the machine's time zone`)
    this.#on.set(name, new Schedule({ pattern, clock, due: () => due(name), ...(isKnown && { timezone }) }))
  }

  stop(name: string): void {
    this.#on.get(name)?.close()
    this.#on.delete(name)
  }

  close(): void {
    for (const schedule of this.#on.values()) schedule.close()
  }
}
