/** Runs tasks one after another. A task that is added while another runs starts after it, never inside it. */
export class SerialQueue {
  readonly #onError: (error: unknown) => void
  readonly #waiting: (() => void)[] = []
  #busy = false

  /** @param onError receives exceptions of a task; the other tasks still run */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  run(task: () => void): void {
    this.#waiting.push(task)
    if (this.#busy) return
    this.#busy = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        next()
      } catch (error) {
        this.#onError(error)
      }
    }
    this.#busy = false
  }
}
