/** A configured span of time for people: `3 s`, `0.5 s`, `10 minutes`, `1 hour`. */
export function spanText(ms: number): string {
  for (const [unitMs, unit] of [
    [3_600_000, 'hour'],
    [60_000, 'minute'],
  ] as const)
    if (ms >= unitMs && ms % unitMs === 0) return ms === unitMs ? `1 ${unit}` : `${ms / unitMs} ${unit}s`
  return `${ms / 1_000} s`
}

/** Parts of a sentence: `a`, `a and b`, `a, b and c`. */
export const listText = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`

/** A measured time for people, in one unit: `59 s`, `4 min`, `30 h`. */
export function elapsedText(ms: number): string {
  const s = Math.round(ms / 1000)
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`
}
