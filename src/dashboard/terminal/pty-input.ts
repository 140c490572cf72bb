import { writeSync } from 'node:fs'
import type { Cancel, Clock } from '../../system/clock.ts'

/** Size of one attempt: as much as the line discipline takes at once (N_TTY_BUF_SIZE, n_tty.c). */
const ATTEMPT_BYTES = 4096
/** Pause between two attempts: short while the program reads, longer while it does not. */
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 50

/**
 * Passes typed text to a terminal that takes only some of it at a time.
 *
 * The master side of a terminal does not block, but libuv takes it for a blocking descriptor and repeats a write that
 * failed with EAGAIN until it succeeds (uv_tty_init: the master cannot be opened a second time, so it gets
 * UV_HANDLE_BLOCKING_WRITES). A program that is not reading would stop this whole process. Therefore each turn of the
 * loop makes one attempt, and a timer makes the next.
 */
export class PtyInput {
  readonly #fd: number
  readonly #clock: Clock
  readonly #onLow: () => void
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #pauseMs = FIRST_PAUSE_MS
  #cancel: Cancel | undefined
  #closed = false

  /** @param onLow called each time nothing is waiting any more */
  constructor(fd: number, clock: Clock, onLow: () => void) {
    this.#fd = fd
    this.#clock = clock
    this.#onLow = onLow
  }

  /** Bytes that the terminal has not taken yet. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  write(text: string): void {
    if (this.#closed || text === '') return
    const bytes = Buffer.from(text, 'utf8')
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#cancel === undefined) this.#attempt()
  }

  /** The descriptor is about to be closed, and may refer to something else afterwards. */
  close(): void {
    this.#closed = true
    this.#cancel?.()
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #attempt(): void {
    this.#cancel = undefined
    const bytes = this.#takeWaiting()
    const taken = this.#writeSome(bytes.subarray(0, ATTEMPT_BYTES))
    if (taken === undefined) {
      this.close()
      return
    }
    this.#waitingBytes -= taken
    if (taken < bytes.length) this.#waiting.unshift(bytes.subarray(taken))
    if (this.#waitingBytes === 0) {
      this.#pauseMs = FIRST_PAUSE_MS
      this.#onLow()
      return
    }
    this.#pauseMs = taken > 0 ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2)
    this.#cancel = this.#clock.at(this.#clock.nowMs() + this.#pauseMs, () => this.#attempt())
  }

  /** Keys come one by one: as many of them as one attempt may write. */
  #takeWaiting(): Buffer {
    let count = 0
    let bytes = 0
    for (const { length } of this.#waiting) {
      if (bytes >= ATTEMPT_BYTES) break
      count += 1
      bytes += length
    }
    const taken = this.#waiting.splice(0, count)
    // A long paste is one of them, and is not copied for each attempt.
    return taken.length === 1 && taken[0] !== undefined ? taken[0] : Buffer.concat(taken)
  }

  /** @returns undefined when the terminal has gone */
  #writeSome(bytes: Buffer): number | undefined {
    try {
      return writeSync(this.#fd, bytes)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') return 0
      // EIO: its last program has closed it. The reading side reports the end of the program.
      if (code === 'EIO' || code === 'EBADF') return undefined
      throw error
    }
  }
}
