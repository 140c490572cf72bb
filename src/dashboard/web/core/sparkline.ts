/** Paths of charts without axes. */

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

/**
 * A day of steps over the whole width. Steps without a value are a gap in the line; one between two gaps is a dot.
 * @param floor as of {@link sparkline}
 */
export function dayPlot(
  values: readonly (number | null)[],
  { width, height }: Pick<Box, 'width' | 'height'>,
  floor: number,
): Sparkline {
  const top = Math.max(floor, ...values.map((value) => value ?? 0))
  const step = width / Math.max(1, values.length - 1)
  const x = (index: number): number => round(index * step)
  const y = (value: number): number => round(height - 1 - (value / top) * (height - 2))
  const lines: string[] = []
  const areas: string[] = []
  for (let first = 0; first < values.length; first++) {
    if (values[first] === null) continue
    let end = first
    while (end < values.length && values[end] !== null) end++
    const points = values.slice(first, end).map((value, i) => `${x(first + i)},${y(value ?? 0)}`)
    // A line to itself is drawn as a dot, with round ends.
    lines.push(`M${points.join('L')}${points.length === 1 ? `L${points[0]}` : ''}`)
    areas.push(`M${points.join('L')}L${x(end - 1)},${height}L${x(first)},${height}Z`)
    first = end
  }
  return { line: lines.join(''), area: areas.join('') }
}

const round = (value: number): number => Math.round(value * 10) / 10
