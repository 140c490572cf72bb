import { existsSync } from 'node:fs'
import { openUsage, type UsageTotal, usageFile } from '../../meter/ledger/ledger.ts'
import { NANOS_PER_USD } from '../../meter/prices.ts'
import type { SlotStatus } from '../../protocol/control.ts'
import { HermesError } from '../../system/errors.ts'
import type { Handlers } from '../contract/handler.ts'
import { counter, gauge, type Metric, metricsText } from '../contract/metrics-text.ts'
import { BoardMetrics } from '../kanban/board-metrics.ts'
import { CpuTotals } from '../live/cpu-totals.ts'
import { type ApiFacts, askLinesLost } from './facts.ts'
import { forwardMetrics } from './forward-metrics.ts'
import { statusIfAny } from './status.ts'

const TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export function metricsHandlers(facts: ApiFacts): Pick<Handlers, 'metrics'> {
  const cpu = new CpuTotals()
  const boards = new BoardMetrics(facts)
  return {
    metrics: async () => {
      const [status, linesLost] = await Promise.all([statusIfAny(facts), linesLostIfAny(facts)])
      const slots = (status?.slots ?? []).filter(({ slot }) => !slot.startsWith('job-'))
      const metrics: readonly Metric[] = [
        gauge('hermes_build_info', 'Version of the dashboard.', [{ labels: { version: facts.version }, value: 1 }]),
        gauge('hermes_supervisor_up', 'Whether the supervisor answers.', [{ value: status === undefined ? 0 : 1 }]),
        ...(linesLost === undefined ? [] : [linesLostMetric(linesLost)]),
        ...slotMetrics(slots),
        ...(status === undefined ? [] : usageMetrics(facts, slots, cpu)),
        ...meterMetrics(facts.home),
        ...forwardMetrics(facts.home),
        ...(await boards.read(slots)),
      ]
      return { status: 200, text: metricsText(metrics), type: TYPE }
    },
  }
}

function slotMetrics(slots: readonly SlotStatus[]): readonly Metric[] {
  const each = (value: (slot: SlotStatus) => number) =>
    slots.map((slot) => ({ labels: labelsOf(slot), value: value(slot) }))
  return [
    gauge(
      'hermes_slot_up',
      'Whether the slot is up.',
      each(({ state }) => Number(state === 'up')),
    ),
    gauge(
      'hermes_slot_wanted',
      'Whether the slot is wanted up.',
      each(({ wanted }) => Number(wanted !== 'down')),
    ),
    gauge(
      'hermes_slot_parked',
      'Whether the slot waits for an operator.',
      each(({ state }) => Number(state === 'parked')),
    ),
    counter(
      'hermes_slot_restarts_total',
      'Starts after a death or an operator asked for one, in this life of the container.',
      each(({ restarts }) => restarts),
    ),
    gauge(
      'hermes_slot_last_death_timestamp_seconds',
      'When it last died.',
      slots.flatMap((slot) =>
        slot.lastDeath === undefined ? [] : [{ labels: labelsOf(slot), value: Date.parse(slot.lastDeath.at) / 1000 }],
      ),
    ),
  ]
}

const linesLostMetric = (lines: number): Metric =>
  counter('hermes_log_lines_lost_total', 'Lines that no log file could take since the supervisor started.', [
    { value: lines },
  ])

function usageMetrics({ readUsage }: ApiFacts, slots: readonly SlotStatus[], cpu: CpuTotals): readonly Metric[] {
  const look = readUsage(slots)
  const used = look.slots
  cpu.count(slots, look)
  const each = (value: (slot: string) => number) =>
    slots.filter(({ slot }) => used.has(slot)).map((slot) => ({ labels: labelsOf(slot), value: value(slot.slot) }))
  return [
    counter(
      'hermes_slot_cpu_seconds_total',
      'Processor time of its processes since the first scrape.',
      slots.map((slot) => ({ labels: labelsOf(slot), value: cpu.secondsOf(slot.slot) })),
    ),
    gauge(
      'hermes_slot_memory_bytes',
      'Resident memory of its processes.',
      each((slot) => used.get(slot)?.memoryBytes ?? 0),
    ),
    gauge(
      'hermes_slot_processes',
      'Its living processes.',
      each((slot) => used.get(slot)?.processes ?? 0),
    ),
  ]
}

/** Counters of the meter, since it counts; none where there has never been one, or its file cannot be read. */
function meterMetrics(home: string): readonly Metric[] {
  const totals = totalsOf(home)
  if (totals.length === 0) return []
  const each = (value: (total: UsageTotal) => number) =>
    totals.map((total) => ({ labels: { profile: total.profile, model: total.model }, value: value(total) }))
  const tokens = totals.flatMap(({ profile, model, inputTokens, outputTokens }) => [
    { labels: { profile, model, kind: 'input' }, value: inputTokens },
    { labels: { profile, model, kind: 'output' }, value: outputTokens },
  ])
  return [
    counter(
      'hermes_usage_requests_total',
      'Answered requests to endpoints of profiles.',
      each((total) => total.requests),
    ),
    counter(
      'hermes_usage_uncounted_requests_total',
      'Requests among them whose answer did not report its usage.',
      each((total) => total.uncounted),
    ),
    counter('hermes_usage_tokens_total', 'Tokens of questions and answers.', tokens),
    counter(
      'hermes_usage_usd_total',
      'Cost, for models with a price.',
      each(({ nanos }) => nanos / NANOS_PER_USD),
    ),
  ]
}

function totalsOf(home: string): readonly UsageTotal[] {
  if (!existsSync(usageFile(home))) return []
  try {
    const usage = openUsage(home)
    try {
      return usage.totals()
    } finally {
      usage.close()
    }
  } catch (error) {
    // As with a damaged board: it costs its own numbers only.
    if (error instanceof HermesError) return []
    throw error
  }
}

/** The supervisor may be away: then its number is missing, and the others are there. */
async function linesLostIfAny(facts: ApiFacts): Promise<number | undefined> {
  try {
    return await askLinesLost(facts)
  } catch (error) {
    if (error instanceof HermesError) return undefined
    throw error
  }
}

const labelsOf = ({ slot, profile }: SlotStatus): Readonly<Record<string, string>> => ({
  slot,
  ...(profile === undefined ? {} : { profile }),
})
