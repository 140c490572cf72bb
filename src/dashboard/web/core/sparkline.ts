/** Paths of a small chart without axes. */

export interface Box {
  readonly width: number
  readonly height: number
  /** Samples that the full width holds: fewer are drawn at its right end, so that the chart fills up and then moves. */
  readonly capacity: number
}

export interface Sparkline {
  readonly line: string
  readonly area: string
}

/**
 * @param floor the top of the chart is never below this value, so that noise near zero looks like what it is
 * @returns SVG path data; both empty when there are fewer than two samples
 */
export function sparkline(samples: readonly number[], { width, height, capacity }: Box, floor: number): Sparkline {
  if (samples.length < 2) return { line: '', area: '' }
  const top = Math.max(floor, ...samples)
  const step = width / (capacity - 1)
  const left = width - (samples.length - 1) * step
  // A line of 1.5 px needs its own half inside the box.
  const y = (value: number): number => height - 1 - (value / top) * (height - 2)
  const points = samples.map((value, index) => `${round(left + index * step)},${round(y(value))}`)
  const line = `M${points.join('L')}`
  return { line, area: `${line}L${width},${height}L${round(left)},${height}Z` }
}

const round = (value: number): number => Math.round(value * 10) / 10
