import { sparkline } from '../core/sparkline.ts'
import { HISTORY_SAMPLES } from '../core/usage-history.ts'

const BOX = { width: 96, height: 22, capacity: HISTORY_SAMPLES }

interface ChartProps {
  readonly samples: readonly number[]
  /** The chart's top is never below it. */
  readonly floor: number
}

/** The last two minutes. The number next to it shows the latest value, so the chart is hidden from screen readers. */
export function Chart({ samples, floor }: ChartProps) {
  const { line, area } = sparkline(samples, BOX, floor)
  return (
    <svg class="chart" viewBox={`0 0 ${BOX.width} ${BOX.height}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="area" d={area} />
      <path class="line" d={line} />
    </svg>
  )
}
