/** A configured span of time for people: `3 s`, `0.5 s`, `10 minutes`, `1 hour`. */
export function spanText(ms: number): string {
  for (const [unitMs, unit] of [
    [3_600_000, 'hour'],
    [60_000, 'minute'],
  ] as const)
    if (ms >= unitMs && ms % unitMs === 0) return ms === unitMs ? `1 ${unit}` : `${ms / unitMs} ${unit}s`
  return `${ms / 1_000} s`
}
