import { inNextTurn } from '../../system/next-turn.ts'

/** Reads in one turn of the event loop: about 1 ms of work when each of them gives 64 KiB. */
const PER_TURN = 4

/**
 * Keeps slots that log at full speed from holding up everything else. When a turn of the event loop has seen enough
 * reads, the slots read after that queue here, and each turn lets the first few go on. So a turn is short however many
 * slots are loud, slots take turns, and a control request waits for two of them at most. Under overload a waiting
 * slot's pipe fills during the wait, which makes its next read a bigger and cheaper one.
 */
export class ReadTurns {
  #waiting: (() => void)[] = []
  #reads = 0
  readonly #schedule = inNextTurn(() => {
    this.#reads = 0
    for (const resume of this.#waiting.splice(0, PER_TURN)) resume()
    if (this.#waiting.length > 0) this.#schedule()
  })

  /**
   * Says that a chunk has been read and handled.
   * @param resume called in one of the next turns if this one is full
   * @returns false: stop reading until then
   */
  mayContinue(resume: () => void): boolean {
    if (this.#reads++ < PER_TURN && this.#waiting.length === 0) {
      this.#schedule()
      return true
    }
    this.later(resume)
    return false
  }

  /** Calls `resume` in one of the next turns. */
  later(resume: () => void): void {
    this.#schedule()
    this.#waiting.push(resume)
  }
}
