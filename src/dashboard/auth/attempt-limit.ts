/** Limits the number of attempts per minute and address, whatever their result. Pure: the time is a parameter. */
import { networkOf } from '../../system/net/address.ts'

const TRIES = 10
const WINDOW_MS = 60_000
/** Addresses remembered; an attacker with more of them must not cost memory. */
const MAX_ADDRESSES = 10_000

export interface Attempt {
  /** 0: it may be made; else ms until the next one may. */
  readonly waitMs: number
}

export class AttemptLimit {
  /** Instants of the tries that were made, oldest first; addresses in the order of the latest try. */
  readonly #recent = new Map<string, readonly number[]>()

  /** Counts a try. */
  take(address: string, nowMs: number): Attempt {
    const key = networkOf(address)
    const atMs = (this.#recent.get(key) ?? []).filter((earlierMs) => nowMs - earlierMs < WINDOW_MS)
    const refused = atMs.length >= TRIES
    this.#recent.delete(key)
    this.#recent.set(key, refused ? atMs : [...atMs, nowMs])
    if (this.#recent.size > MAX_ADDRESSES) {
      const [oldest] = this.#recent.keys()
      if (oldest !== undefined) this.#recent.delete(oldest)
    }
    return { waitMs: refused ? (atMs[0] ?? nowMs) + WINDOW_MS - nowMs : 0 }
  }
}
