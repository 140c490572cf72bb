/** What became of a piece of input: whole lines, and whether a line passed the limit (then nothing after it can be trusted). */
export interface Split {
  readonly lines: readonly string[]
  readonly tooLong: boolean
}

/**
 * Cuts a byte stream into newline-delimited UTF-8 lines and bounds what one line may hold.
 * Once a line has passed `maxBytes` the splitter stays in that state: the peer is to be cut off.
 */
export class LineSplitter {
  readonly #maxBytes: number
  #pieces: Uint8Array[] = []
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
        this.#pieces = []
        break
      }
      if (newline === -1) {
        // The caller may reuse its buffer, so what is kept is a copy.
        if (end > from) this.#pieces.push(chunk.slice(from))
        this.#heldBytes += end - from
        break
      }
      lines.push(this.#take(chunk.subarray(from, end)))
      from = newline + 1
    }
    return { lines, tooLong: this.#tooLong }
  }

  #take(tail: Uint8Array): string {
    const decoder = new TextDecoder()
    const text =
      this.#pieces.map((piece) => decoder.decode(piece, { stream: true })).join('') + decoder.decode(tail)
    this.#pieces = []
    this.#heldBytes = 0
    return text
  }
}
