/** Delays between attempts. */

const FIRST_MS = 250
const LONGEST_MS = 10_000

/**
 * @param failures in a row, 1 or more
 * @param random 0 to 1: many pages must not come back at one instant
 * @returns milliseconds: about 0.25, 0.5, 1 … at most 10 s
 */
export const retryDelayMs = (failures: number, random: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1)) * (0.8 + 0.2 * random)
