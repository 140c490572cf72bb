import { type ForwardTotal, forwardTotals } from '../../forward/store/report.ts'
import { HermesError } from '../../system/errors.ts'
import { counter, type Metric } from '../contract/metrics-text.ts'

/** Counters of the forwarder; none where there has never been one, or its file cannot be read. */
export function forwardMetrics(home: string): readonly Metric[] {
  const totals = totalsIfAny(home)
  if (totals.length === 0) return []
  const each = (value: (total: ForwardTotal) => number) =>
    totals.map((total) => ({ labels: { target: total.target }, value: value(total) }))
  return [
    counter(
      'hermes_forward_lines_total',
      'Lines of logs that a target has taken or refused.',
      totals.flatMap(({ target, sent, refused }) => [
        { labels: { target, outcome: 'sent' }, value: sent },
        { labels: { target, outcome: 'refused' }, value: refused },
      ]),
    ),
    counter(
      'hermes_forward_gaps_total',
      'How often lines were rotated away before they were sent.',
      each(({ gaps }) => gaps),
    ),
    counter(
      'hermes_forward_lost_bytes_total',
      'Bytes of such lines, as far as they are known.',
      each(({ lostBytes }) => lostBytes),
    ),
  ]
}

function totalsIfAny(home: string): readonly ForwardTotal[] {
  try {
    return forwardTotals(home)
  } catch (error) {
    // It costs its own numbers only.
    if (error instanceof HermesError) return []
    throw error
  }
}
