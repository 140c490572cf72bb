import { HeldBytes } from './held-bytes.ts'

interface Share {
  readonly source: object
  /** Where its bytes end, counted from the first byte that ever waited. */
  endsAt: number
}

/** Lines of several sources that wait in order, and how many bytes of each source do. */
export class WaitingLines {
  readonly #bytes: HeldBytes
  readonly #waiting = new Map<object, number>()
  /** One for each run of bytes from one source. */
  #shares: Share[] = []
  /** The shares before it are done. */
  #first = 0
  #startsAt = 0
  #endsAt = 0

  /** @param usualBytes how much waits at most, nearly always */
  constructor(usualBytes: number) {
    this.#bytes = new HeldBytes(usualBytes)
  }

  get length(): number {
    return this.#bytes.length
  }

  /** The lines that wait; valid until the next call. */
  get bytes(): Buffer {
    return this.#bytes.bytes
  }

  bytesOf(source: object): number {
    return this.#waiting.get(source) ?? 0
  }

  push(source: object, lines: Uint8Array): void {
    if (lines.length === 0) return
    this.#bytes.push(lines)
    this.#endsAt += lines.length
    this.#waiting.set(source, this.bytesOf(source) + lines.length)
    const last = this.#shares.at(-1)
    if (last?.source === source && this.#first < this.#shares.length) last.endsAt = this.#endsAt
    else this.#shares.push({ source, endsAt: this.#endsAt })
  }

  /** The first `length` bytes wait no more. */
  drop(length: number): void {
    this.#bytes.drop(length)
    const untilAt = this.#startsAt + length
    while (this.#startsAt < untilAt) {
      const { source, endsAt } = this.#shares[this.#first] as Share
      const doneAt = Math.min(untilAt, endsAt)
      const left = this.bytesOf(source) - (doneAt - this.#startsAt)
      if (left === 0) this.#waiting.delete(source)
      else this.#waiting.set(source, left)
      this.#startsAt = doneAt
      if (doneAt === endsAt) this.#first++
    }
    if (this.#first < this.#shares.length && this.#first < 1024) return
    this.#shares = this.#shares.slice(this.#first)
    this.#first = 0
  }

  clear(): void {
    this.#bytes.clear()
    this.#waiting.clear()
    this.#shares = []
    this.#first = 0
    this.#startsAt = this.#endsAt
  }
}
