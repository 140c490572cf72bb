import type { Cancel, Clock } from '../../system/clock.ts'

/** A reader that takes so much in such a time is reading, and worth waiting for. */
const READING_BYTES = 65_536
const READING_MS = 100
/**
 * Anything that a reader takes beyond that is saved for a pause of this length. Log drivers pause: on a busy machine,
 * or while its disk syncs, one was seen to take nothing for 300 ms between megabytes.
 */
const MAX_PAUSE_MS = 1000
/** More than any pipe holds for an unprivileged user: so much may have been written and not read by anything. */
const UNPROVEN_BYTES = 1_048_576

const readingMs = (bytes: number): number => (bytes / READING_BYTES) * READING_MS

/**
 * Judges whether a reader reads on while lines wait for it. Every 64 KiB that it takes give it 100 ms, saved up to a
 * second; without any it has 100 ms. When they are over it has stopped, until it takes 64 KiB in 100 ms, or everything.
 */
export class ReaderWatch {
  readonly #clock: Clock
  readonly #lookAgain: () => void
  readonly #stopped: () => void
  #hasStopped = false
  /** Time that it has saved, while nothing waits. */
  #savedMs = 0
  #unproven = UNPROVEN_BYTES
  /** While lines wait and it has not stopped: when it will have. */
  #untilMs: number | undefined
  #cancel: Cancel | undefined
  /** Since it has stopped: taken since {@link #sinceMs}. */
  #taken = 0
  #sinceMs = 0

  /**
   * @param lookAgain writes what there is room for: time may have passed without that
   * @param stopped called when the reader has stopped
   */
  constructor(clock: Clock, lookAgain: () => void, stopped: () => void) {
    this.#clock = clock
    this.#lookAgain = lookAgain
    this.#stopped = stopped
  }

  /** It did not read while lines waited, and has not read fast enough since. */
  get hasStopped(): boolean {
    return this.#hasStopped
  }

  /** Bytes were written while nothing waited. The first of them, as many as a pipe holds, may still be unread. */
  passed(bytes: number): void {
    const unread = Math.min(bytes, this.#unproven)
    this.#unproven -= unread
    this.#savedMs = Math.min(MAX_PAUSE_MS, this.#savedMs + readingMs(bytes - unread))
  }

  /** Lines begin to wait, or have been waiting. */
  begin(): void {
    if (this.#hasStopped || this.#untilMs !== undefined) return
    this.#untilMs = this.#clock.nowMs() + Math.max(READING_MS, this.#savedMs)
    this.#alarm(this.#untilMs)
  }

  /** The reader has made room for so many bytes that waited. */
  took(bytes: number): void {
    if (bytes === 0) return
    const nowMs = this.#clock.nowMs()
    if (this.#untilMs !== undefined)
      this.#untilMs = Math.min(nowMs + MAX_PAUSE_MS, Math.max(nowMs, this.#untilMs) + readingMs(bytes))
    if (!this.#hasStopped) return
    this.#taken += bytes
    if (this.#taken < READING_BYTES) return
    this.#hasStopped = nowMs - this.#sinceMs > READING_MS
    this.#taken = 0
    this.#sinceMs = nowMs
    if (!this.#hasStopped) this.begin()
  }

  /** Nothing waits any more. */
  end(): void {
    if (this.#untilMs !== undefined) this.#savedMs = Math.max(0, this.#untilMs - this.#clock.nowMs())
    this.#untilMs = undefined
    this.#hasStopped = false
    this.#cancel?.()
    this.#cancel = undefined
  }

  #alarm(atMs: number): void {
    this.#cancel = this.#clock.at(atMs, () => {
      this.#cancel = undefined
      const untilMs = this.#untilMs
      if (untilMs === undefined) return
      if (untilMs > this.#clock.nowMs()) this.#alarm(untilMs)
      else this.#judgeNextTurn()
    })
  }

  /** The alarm may be as late as the reader was early: the event loop hears of it in the same turn, but after us. */
  #judgeNextTurn(): void {
    this.#lookAgain()
    this.#cancel = this.#clock.at(this.#clock.nowMs(), () => {
      this.#cancel = undefined
      const untilMs = this.#untilMs
      if (untilMs === undefined) return
      const nowMs = this.#clock.nowMs()
      if (untilMs > nowMs) {
        this.#alarm(untilMs)
        return
      }
      this.#untilMs = undefined
      this.#hasStopped = true
      this.#savedMs = 0
      this.#taken = 0
      this.#sinceMs = nowMs
      this.#stopped()
    })
  }
}
