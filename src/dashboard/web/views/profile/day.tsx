import type { History } from '../../../contract/history.ts'
import { bytes, cores } from '../../core/format.ts'
import { dayPlot } from '../../core/sparkline.ts'
import { useApp } from '../../stores/app-context.ts'
import { usePolled } from '../../stores/async.ts'

/** The dashboard writes one point a minute. */
const POLL_MS = 60_000
const BOX = { width: 240, height: 34 }

interface PlotProps {
  readonly title: string
  /** undefined: not known yet. */
  readonly values: readonly (number | null)[] | undefined
  /** The plot's top is never below it. */
  readonly floor: number
  readonly most: (values: readonly number[]) => string
}

/** Plots of the last 24 hours. Their height is the same before and after they are known. */
export function Day({ profile }: { readonly profile: string }) {
  const { client, facts } = useApp()
  const known = facts.history?.profile === profile ? facts.history.day : undefined
  const load = () => client.get<History>(`/api/profiles/${profile}/history?step=10`)
  const day = usePolled(profile, load, POLL_MS, known).value.value
  return (
    <section class="day" aria-label="Last 24 hours">
      <Plot title="CPU" values={day?.cpu} floor={0.05} most={(all) => `at most ${cores(highest(all))}`} />
      <Plot
        title="Memory"
        values={day?.memory_bytes}
        floor={16_000_000}
        most={(all) => `at most ${bytes(highest(all))}`}
      />
      <Plot title="Restarts" values={day?.restarts} floor={4} most={(all) => `${sum(all)} in all`} />
      <Plot title="Waiting tasks" values={day?.queued} floor={4} most={(all) => `at most ${highest(all)}`} />
    </section>
  )
}

function Plot({ title, values = [], floor, most }: PlotProps) {
  const known = values.filter((value) => value !== null)
  const text = known.length === 0 ? 'no data' : most(known)
  const { line, area } = dayPlot(values, BOX, floor)
  return (
    <figure>
      <figcaption>
        <span>{title}, 24 h</span> <span class="number">{text}</span>
      </figcaption>
      <svg class="chart" viewBox={`0 0 ${BOX.width} ${BOX.height}`} preserveAspectRatio="none" aria-hidden="true">
        <path class="area" d={area} />
        <path class="line" d={line} />
      </svg>
    </figure>
  )
}

const highest = (values: readonly number[]): number => Math.max(...values)
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
