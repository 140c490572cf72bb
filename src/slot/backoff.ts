import type { SlotPolicy } from './slot.ts'

// Factors beyond 2^(k-1) exceed any `max`; a larger one becomes Infinity, and 0 × Infinity is NaN.
const MAX_DOUBLINGS = 30

/**
 * Delay before the next start of a slot whose process died.
 * @param death the k of the k-th death in a row, 1 or more
 * @param wasUp the process had been ready
 * @param random 0 ≤ random < 1; spreads slots that died together
 * @returns milliseconds: 0 after the first death of a process that had been up, else doubling from `first`, at most
 * `max`
 * @see docs/slots.md
 */
export function backoffMs(delay: SlotPolicy['restartDelay'], death: number, wasUp: boolean, random: number): number {
  if (death === 1 && wasUp) return 0
  const fullMs = Math.min(delay.maxMs, delay.firstMs * 2 ** Math.min(death - 1, MAX_DOUBLINGS))
  return fullMs * (0.9 + 0.1 * random)
}
