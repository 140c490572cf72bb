import type { Clock } from '../../system/clock.ts'

/** This many lines of a kind are written within {@link WINDOW_MS}; the rest is counted. */
export const FIRST_LINES = 20
export const WINDOW_MS = 60_000

/**
 * Lines about one kind of mistake in the volume, such as settings that cannot be read. A thousand profiles with the
 * same mistake are worth twenty lines and a count, or they would push everything else out of supervisor.log.
 */
export class LimitedLog {
  readonly #clock: Clock
  readonly #log: (text: string) => void
  readonly #kind: string
  #logged = 0
  #leftOut = 0

  /** @param kind what the lines are about, in the plural: `settings of profiles` */
  constructor(kind: string, clock: Clock, log: (text: string) => void) {
    this.#kind = kind
    this.#clock = clock
    this.#log = log
  }

  readonly log = (text: string): void => {
    if (this.#logged === 0) this.#clock.at(this.#clock.nowMs() + WINDOW_MS, () => this.#end())
    this.#logged++
    if (this.#logged <= FIRST_LINES) this.#log(text)
    else this.#leftOut++
  }

  /** Reports the number of omitted lines so far, for example at the end of a boot. */
  count(): void {
    if (this.#leftOut > 0)
      this.#log(`and ${this.#leftOut} more lines about ${this.#kind}; "hermes doctor" shows what is wrong now`)
    this.#leftOut = 0
  }

  #end(): void {
    this.count()
    this.#logged = 0
  }
}
