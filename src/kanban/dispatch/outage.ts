const FIRST_MS = 1000
const LONGEST_MS = 15_000

/** A database that is away: when to try again, and what is news. Times are those of a monotonic clock, ms. */
export class Outage {
  #sinceMs: number | undefined
  #delayMs = FIRST_MS
  #nextMs = 0

  /** @returns true: it is news */
  failed(nowMs: number): boolean {
    const isNews = this.#sinceMs === undefined
    if (this.#sinceMs === undefined) this.#delayMs = FIRST_MS
    else this.#delayMs = Math.min(LONGEST_MS, this.#delayMs * 2)
    this.#sinceMs ??= nowMs
    this.#nextMs = nowMs + this.#delayMs
    return isNews
  }

  waits(nowMs: number): boolean {
    return this.#sinceMs !== undefined && nowMs < this.#nextMs
  }

  /** There is a sign that it answers: it is tried at once. */
  hasSign(): void {
    this.#nextMs = 0
  }

  /** @returns how long it was away; undefined: it was not */
  answered(nowMs: number): number | undefined {
    const sinceMs = this.#sinceMs
    this.#sinceMs = undefined
    return sinceMs === undefined ? undefined : nowMs - sinceMs
  }
}
