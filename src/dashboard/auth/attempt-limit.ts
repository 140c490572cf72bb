/** Limits the number of attempts in a window of time, by address. Pure: the time is a parameter. */
import { networkOf } from '../../system/net/address.ts'

/** Addresses remembered; an attacker with more of them must not cost memory. */
const MAX_ADDRESSES = 10_000

export interface AttemptRule {
  readonly tries: number
  readonly windowMs: number
}

export const TEN_A_MINUTE: AttemptRule = { tries: 10, windowMs: 60_000 }

export interface Attempt {
  /** 0: it may be made; else ms until the next one may. */
  readonly waitMs: number
}

export class AttemptLimit {
  readonly #rule: AttemptRule
  /** Instants of the tries that were made, oldest first; addresses in the order of the latest try. */
  readonly #recent = new Map<string, readonly number[]>()

  constructor(rule: AttemptRule) {
    this.#rule = rule
  }

  /** Counts a try, if one may be made. */
  take(address: string, nowMs: number): Attempt {
    const attempt = this.ask(address, nowMs)
    if (attempt.waitMs === 0) this.#keep(networkOf(address), [...this.#recentOf(address, nowMs), nowMs])
    return attempt
  }

  /** Tells whether a try may be made, and counts nothing. */
  ask(address: string, nowMs: number): Attempt {
    const { tries, windowMs } = this.#rule
    const atMs = this.#recentOf(address, nowMs)
    return { waitMs: atMs.length < tries ? 0 : (atMs[0] ?? nowMs) + windowMs - nowMs }
  }

  /** Forgets the latest try of an address: it was one that does not count. */
  giveBack(address: string): void {
    const network = networkOf(address)
    const atMs = this.#recent.get(network)
    if (atMs !== undefined) this.#recent.set(network, atMs.slice(0, -1))
  }

  #recentOf(address: string, nowMs: number): readonly number[] {
    const atMs = this.#recent.get(networkOf(address)) ?? []
    return atMs.filter((earlierMs) => nowMs - earlierMs < this.#rule.windowMs)
  }

  #keep(network: string, atMs: readonly number[]): void {
    this.#recent.delete(network)
    this.#recent.set(network, atMs)
    if (this.#recent.size <= MAX_ADDRESSES) return
    const [oldest] = this.#recent.keys()
    if (oldest !== undefined) this.#recent.delete(oldest)
  }
}
