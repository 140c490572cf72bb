import type { Cancel, Clock } from './clock.ts'

const WINDOW_MS = 60_000
/** Kinds counted per minute; inventing more of them must not cost memory or log lines. */
const MAX_KINDS = 100

interface Counted<T> {
  readonly latest: T
  readonly more: number
}

/** Writes the first of a kind in a minute, and at the minute's end the latest with how many more there were. */
export class ThrottledWriter<T> {
  readonly #clock: Clock
  readonly #write: (entry: T, more: number) => void
  readonly #kinds = new Map<string, Counted<T>>()
  #cancel: Cancel | undefined

  /** @param write `more`: how many of its kind were not written; 0 for the first */
  constructor(clock: Clock, write: (entry: T, more: number) => void) {
    this.#clock = clock
    this.#write = write
  }

  add(kind: string, entry: T): void {
    const key = this.#kinds.has(kind) || this.#kinds.size < MAX_KINDS ? kind : ''
    const known = this.#kinds.get(key)
    if (known === undefined) this.#write(entry, 0)
    this.#kinds.set(key, { latest: entry, more: known === undefined ? 0 : known.more + 1 })
    this.#cancel ??= this.#clock.at(this.#clock.nowMs() + WINDOW_MS, () => this.flush())
  }

  /** Writes what was counted. */
  flush(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const counted = [...this.#kinds.values()]
    this.#kinds.clear()
    for (const { latest, more } of counted) if (more > 0) this.#write(latest, more)
  }
}
