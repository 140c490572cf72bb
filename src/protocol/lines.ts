/**
 * Result of one piece of input: whole lines, and whether a line exceeded the limit (then the rest cannot be trusted).
 */
export interface Split {
  readonly lines: readonly string[]
  readonly tooLong: boolean
}

const FIRST_CAPACITY = 1024
/** A buffer that grew past this for one long line is given back after it. */
const KEPT_CAPACITY = 64 * 1024

/**
 * Cuts a byte stream into newline-delimited UTF-8 lines of limited length. After a line has exceeded `maxBytes` the
 * splitter stays in that state: disconnect the peer.
 */
export class LineSplitter {
  readonly #maxBytes: number
  readonly #decoder = new TextDecoder()
  // One buffer that doubles, not a list of pieces: a peer that sends single bytes would cost 200 bytes for each.
  #held = new Uint8Array(0)
  #heldBytes = 0
  #tooLong = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of the unfinished line. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  push(chunk: Uint8Array): Split {
    const lines: string[] = []
    let from = 0
    while (!this.#tooLong) {
      const newline = chunk.indexOf(10, from)
      const end = newline === -1 ? chunk.length : newline
      if (this.#heldBytes + (end - from) > this.#maxBytes) {
        this.#tooLong = true
        this.#release()
        break
      }
      if (newline === -1) {
        // The caller may reuse its buffer, so what is kept is a copy.
        this.#hold(chunk.subarray(from))
        break
      }
      lines.push(this.#take(chunk.subarray(from, end)))
      from = newline + 1
    }
    return { lines, tooLong: this.#tooLong }
  }

  #hold(bytes: Uint8Array): void {
    const needed = this.#heldBytes + bytes.length
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(this.#maxBytes, this.#held.length * 2), FIRST_CAPACITY))
      grown.set(this.#held.subarray(0, this.#heldBytes))
      this.#held = grown
    }
    this.#held.set(bytes, this.#heldBytes)
    this.#heldBytes = needed
  }

  #take(tail: Uint8Array): string {
    if (this.#heldBytes === 0) return this.#decoder.decode(tail)
    this.#hold(tail)
    const text = this.#decoder.decode(this.#held.subarray(0, this.#heldBytes))
    this.#heldBytes = 0
    if (this.#held.length > KEPT_CAPACITY) this.#release()
    return text
  }

  #release(): void {
    this.#held = new Uint8Array(0)
    this.#heldBytes = 0
  }
}
