/** So many tries a minute from one address, whatever comes of them. Pure: time is given. */
import { isIPv6 } from 'node:net'

const TRIES = 10
const WINDOW_MS = 60_000
/** Addresses remembered; an attacker with more of them must not cost memory. */
const MAX_ADDRESSES = 10_000

export class TryLimit {
  /** Instants of the last tries, oldest first; the map in order of the latest try. */
  readonly #tries = new Map<string, readonly number[]>()

  /**
   * Counts a try.
   * @returns 0: it may be made; else ms until the next one may
   */
  take(address: string, nowMs: number): number {
    const key = networkOf(address)
    const recent = (this.#tries.get(key) ?? []).filter((atMs) => nowMs - atMs < WINDOW_MS)
    if (recent.length >= TRIES) return (recent[0] ?? nowMs) + WINDOW_MS - nowMs
    this.#tries.delete(key)
    this.#tries.set(key, [...recent, nowMs])
    if (this.#tries.size > MAX_ADDRESSES) {
      const [oldest] = this.#tries.keys()
      if (oldest !== undefined) this.#tries.delete(oldest)
    }
    return 0
  }
}

/** One customer of an IPv6 network has 2^64 addresses: they count as one (RFC 6177). */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('::')
  const front = head.split(':').filter((part) => part !== '')
  const back = address.includes('::') ? tail.split(':').filter((part) => part !== '') : []
  const zeros = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0')
  return [...front, ...zeros, ...back].slice(0, 4).join(':')
}
