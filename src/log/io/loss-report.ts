import type { Clock } from '../../system/clock.ts'

const PERIOD_MS = 60_000

interface Loss {
  lines: number
  error: string
  resumed: boolean
}

/**
 * Reports what could not be written to log files in one line a minute at most, for all slots together: a full disk hits
 * fifty logs at once, and fifty warnings a minute would be a second flood.
 */
export class LossReport {
  readonly #clock: Clock
  readonly #warn: (text: string) => void
  readonly #losses = new Map<string, Loss>()
  #quietUntilMs = Number.NEGATIVE_INFINITY
  #alarmed = false
  #total = 0

  constructor(clock: Clock, warn: (text: string) => void) {
    this.#clock = clock
    this.#warn = warn
  }

  /** Lines of all files that were given up until now. */
  get total(): number {
    return this.#total
  }

  /** @param lines lines that were given up since the last call for this file */
  lost(path: string, lines: number, error: string): void {
    this.#total += lines
    const loss = this.#losses.get(path)
    if (loss) {
      loss.lines += lines
      loss.error = error
      loss.resumed = false
    } else this.#losses.set(path, { lines, error, resumed: false })
    this.#plan()
  }

  /** The file takes lines again. */
  resumed(path: string): void {
    const loss = this.#losses.get(path)
    if (!loss) return
    loss.resumed = true
    this.#plan()
  }

  #plan(): void {
    if (this.#alarmed) return
    if (this.#clock.nowMs() >= this.#quietUntilMs) {
      this.#report()
      return
    }
    this.#alarmed = true
    this.#clock.at(this.#quietUntilMs, () => {
      this.#alarmed = false
      this.#report()
    })
  }

  #report(): void {
    this.#quietUntilMs = this.#clock.nowMs() + PERIOD_MS
    const losses = [...this.#losses]
    const named = losses.find(([, { resumed }]) => !resumed) ?? losses[0]
    if (!named) return
    const [path, { error }] = named
    let lines = 0
    let failing = 0
    for (const loss of this.#losses.values()) {
      lines += loss.lines
      if (!loss.resumed) failing++
    }
    const where = this.#losses.size === 1 ? path : `${path} and ${this.#losses.size - 1} other log files`
    this.#warn(
      failing === 0
        ? `${where}: written again; lines lost: ${lines} (${error})`
        : `cannot write ${where}: ${error}; lines lost so far: ${lines}. Processes keep running; free some space or repair the directory, and writing resumes`,
    )
    for (const [key, loss] of this.#losses) if (loss.resumed) this.#losses.delete(key)
  }
}
