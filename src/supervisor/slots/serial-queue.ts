/** Acts that follow one another: what an act causes comes after it, never inside it. */
export class Turns {
  readonly #bug: (error: unknown) => void
  readonly #waiting: (() => void)[] = []
  #busy = false

  /** @param bug receives exceptions of an act; the other acts still run */
  constructor(bug: (error: unknown) => void) {
    this.#bug = bug
  }

  take(act: () => void): void {
    this.#waiting.push(act)
    if (this.#busy) return
    this.#busy = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        next()
      } catch (error) {
        this.#bug(error)
      }
    }
    this.#busy = false
  }
}
