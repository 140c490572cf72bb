/**
 * Lines of one slot on their way to its viewers: collected for a moment, cut where there are more than a viewer can
 * read. Pure.
 */
import type { LogLine } from '../contract/logs.ts'

/** Lines per batch, ten batches a second: more than a page can keep up with. */
export const MAX_BATCH_LINES = 1000
export const MAX_BATCH_CHARS = 64 * 1024
/** Maximum length of one line; `hermes logs` shows the rest. */
export const MAX_LINE_CHARS = 16 * 1024

export class LogBatch {
  #lines: LogLine[] = []
  #chars = 0
  #missed = 0

  get isEmpty(): boolean {
    return this.#lines.length === 0 && this.#missed === 0
  }

  /** The batch is full: further lines are only counted. */
  get isFull(): boolean {
    return this.#lines.length >= MAX_BATCH_LINES || this.#chars >= MAX_BATCH_CHARS
  }

  /** @param missed lines that were lost before these */
  add(lines: readonly string[], at: string, missed: number): void {
    this.#missed += missed
    for (const line of lines) {
      if (this.isFull) {
        this.#missed++
        continue
      }
      const text = line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)} …` : line
      this.#lines.push({ at, text })
      this.#chars += text.length
    }
  }

  take(): { readonly lines: readonly LogLine[]; readonly missed: number } {
    const taken = { lines: this.#lines, missed: this.#missed }
    this.#lines = []
    this.#chars = 0
    this.#missed = 0
    return taken
  }
}
