/** The value in the middle of the sorted samples (the mean of the two middle ones). */
export const median = (samples: readonly number[]): number =>
  (quantile(samples, 0.5) + quantile(samples, 0.5, 'floor')) / 2

/** @param q 0 to 1; the nearest sample at or above that share of all */
export function quantile(samples: readonly number[], q: number, round: 'ceil' | 'floor' = 'ceil'): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const value = sorted[Math[round]((sorted.length - 1) * q)]
  if (value === undefined) throw new RangeError('no samples')
  return value
}
