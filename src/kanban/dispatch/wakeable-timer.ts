import type { Cancel, Clock } from '../../system/clock.ts'

/** Timer of the dispatcher: it wakes at its time, or earlier when it is nudged. */
export class Nudges {
  readonly #clock: Clock
  #nudged = false
  #ended = false
  #wake: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Something has happened that makes a look worth while. */
  nudge(): void {
    this.#nudged = true
    this.#wake?.()
  }

  /** Wakes the sleeper; later calls do not sleep any more. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  get ended(): boolean {
    return this.#ended
  }

  get waiting(): boolean {
    return this.#nudged
  }

  /** @returns there was one since the last time */
  take(): boolean {
    const nudged = this.#nudged
    this.#nudged = false
    return nudged
  }

  /** @param early a nudge ends it */
  sleepUntil(atMs: number, early: boolean): Promise<void> {
    return new Promise((resolve) => {
      const wakeUp = (): void => {
        if (!early && !this.#ended && this.#clock.nowMs() < atMs) return
        cancel()
        this.#wake = undefined
        resolve()
      }
      const cancel: Cancel = this.#clock.at(atMs, wakeUp)
      this.#wake = wakeUp
      if (this.#ended || (early && this.#nudged)) wakeUp()
    })
  }
}
