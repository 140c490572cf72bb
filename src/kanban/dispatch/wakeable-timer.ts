import type { Cancel, Clock } from '../../system/clock.ts'

/** Timer of the dispatcher: it sleeps until a time, or until it is woken. */
export class WakeableTimer {
  readonly #clock: Clock
  #pending = false
  #ended = false
  #wakeSleeper: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Something has changed, so that a look is worth while. The request stays pending until {@link take}. */
  wake(): void {
    this.#pending = true
    this.#wakeSleeper?.()
  }

  /** Wakes the sleeper; later calls do not sleep any more. */
  end(): void {
    this.#ended = true
    this.#wakeSleeper?.()
  }

  get ended(): boolean {
    return this.#ended
  }

  get pending(): boolean {
    return this.#pending
  }

  /** @returns whether it was woken since the last call */
  take(): boolean {
    const pending = this.#pending
    this.#pending = false
    return pending
  }

  /** @param early `wake` ends it before its time */
  sleepUntil(atMs: number, early: boolean): Promise<void> {
    return new Promise((resolve) => {
      const wakeUp = (): void => {
        if (!early && !this.#ended && this.#clock.nowMs() < atMs) return
        cancel()
        this.#wakeSleeper = undefined
        resolve()
      }
      const cancel: Cancel = this.#clock.at(atMs, wakeUp)
      this.#wakeSleeper = wakeUp
      if (this.#ended || (early && this.#pending)) wakeUp()
    })
  }
}
