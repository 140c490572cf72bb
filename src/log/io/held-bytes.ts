const NOTHING = Buffer.alloc(0)

/**
 * Bytes that wait, in order. One buffer, twice the usual size or more, so that they are moved to its front once per
 * usual size.
 */
export class HeldBytes {
  readonly #usual: number
  #buffer = NOTHING
  #start = 0
  #end = 0

  /** @param usualBytes how much waits at most, nearly always */
  constructor(usualBytes: number) {
    this.#usual = usualBytes
  }

  get length(): number {
    return this.#end - this.#start
  }

  /** The held bytes; valid until the next call. */
  get bytes(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end)
  }

  /** Copies them behind what waits. */
  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#buffer.length) this.#makeRoom(bytes.length)
    this.#buffer.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** The first `length` bytes wait no more. */
  drop(length: number): void {
    this.#start += length
    if (this.#start < this.#end) return
    this.#start = this.#end = 0
    if (this.#buffer.length > 2 * this.#usual) this.#buffer = NOTHING
  }

  clear(): void {
    this.#start = this.#end = 0
    this.#buffer = NOTHING
  }

  #makeRoom(bytes: number): void {
    const waiting = this.length
    const from = this.#buffer
    let size = Math.max(2 * this.#usual, from.length)
    while (waiting + bytes > size) size *= 2
    if (size > from.length) this.#buffer = Buffer.allocUnsafeSlow(size)
    from.copy(this.#buffer, 0, this.#start, this.#end)
    this.#start = 0
    this.#end = waiting
  }
}
