import type { Cancel, Clock } from '../../system/clock.ts'

/** A reader that takes so much in such a time is reading, and worth waiting for. */
const READING_BYTES = 65_536
const READING_MS = 100
/**
 * After so many such times in a row with less it has stopped. Not one: on a busy machine, or while its disk syncs, a
 * log driver is seen to take nothing for half a second, and reads on.
 */
const SLOW_PERIODS = 10

/** Judges whether a reader for whom bytes wait reads on. */
export class ReaderWatch {
  readonly #clock: Clock
  readonly #stopped: () => void
  #hasStopped = false
  /** Taken since {@link #sinceMs}. */
  #taken = 0
  #sinceMs = 0
  #cancel: Cancel | undefined

  /** @param stopped called when a reader that is watched has stopped */
  constructor(clock: Clock, stopped: () => void) {
    this.#clock = clock
    this.#stopped = stopped
  }

  /** It did not read when it was watched, and has not read fast enough since. */
  get hasStopped(): boolean {
    return this.#hasStopped
  }

  /** The reader has taken so many bytes that waited. */
  took(bytes: number): void {
    this.#taken += bytes
    if (!this.#hasStopped || this.#taken < READING_BYTES) return
    const nowMs = this.#clock.nowMs()
    this.#hasStopped = nowMs - this.#sinceMs > READING_MS
    this.#taken = 0
    this.#sinceMs = nowMs
  }

  /** Watches until the reader has stopped, or {@link end}. */
  begin(): void {
    if (this.#cancel === undefined && !this.#hasStopped) this.#look(SLOW_PERIODS)
  }

  end(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #look(patience: number): void {
    this.#taken = 0
    this.#sinceMs = this.#clock.nowMs()
    this.#cancel = this.#clock.at(this.#sinceMs + READING_MS, () => {
      this.#cancel = undefined
      if (this.#taken >= READING_BYTES) this.#look(SLOW_PERIODS)
      else if (patience > 1) this.#look(patience - 1)
      else {
        this.#hasStopped = true
        this.#stopped()
      }
    })
  }
}
