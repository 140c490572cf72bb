// Numbers that a seed decides, so that a storm can be repeated.
export interface Random {
  /** From `from` to `to`, both whole and included. */
  whole(from: number, to: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
  /** In another order. */
  shuffled<T>(from: readonly T[]): readonly T[]
}

/** mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  const pick = <T>(from: readonly T[]): T => {
    if (from.length === 0) throw new RangeError('there is nothing to pick from')
    return from[whole(0, from.length - 1)] as T
  }
  return {
    whole,
    pick,
    chance: (probability) => next() < probability,
    shuffled: <T>(from: readonly T[]) => {
      const order = [...from]
      for (let i = order.length - 1; i > 0; i--) {
        const j = whole(0, i)
        ;[order[i], order[j]] = [order[j] as T, order[i] as T]
      }
      return order
    },
  }
}
