import { isInFlight, type Slot } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'

/** Longest time for which other work waits for starts. */
const LONGEST_WAIT_MS = 250

/**
 * The starts that are requested and not reported yet. While there are several, as at boot, work that no start needs
 * waits a moment, because it takes the same processors and the same disk.
 */
export class StartsInFlight {
  readonly #clock: Clock
  readonly #slots = new Set<string>()
  readonly #waiting = new Set<() => void>()
  /** Set while anything waits, or has waited as long as it may. */
  #wait: { readonly untilMs: number; readonly cancel: Cancel } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Called at each change of a slot. */
  note(key: string, slot: Slot): void {
    if (isInFlight(slot)) this.#slots.add(key)
    else this.forget(key)
  }

  /** The slot is gone. */
  forget(key: string): void {
    if (!this.#slots.delete(key) || this.#areSeveral) return
    this.#wait?.cancel()
    this.#wait = undefined
    this.#resume()
  }

  /**
   * @param resume called once when the work need not wait any more
   * @returns whether it must wait now
   */
  mustWait(resume: () => void): boolean {
    if (!this.#areSeveral) return false
    const nowMs = this.#clock.nowMs()
    if (this.#wait === undefined) {
      const untilMs = nowMs + LONGEST_WAIT_MS
      this.#wait = { untilMs, cancel: this.#clock.at(untilMs, () => this.#resume()) }
    }
    if (nowMs >= this.#wait.untilMs) return false
    this.#waiting.add(resume)
    return true
  }

  get #areSeveral(): boolean {
    return this.#slots.size > 1
  }

  #resume(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resume of waiting) resume()
  }
}
