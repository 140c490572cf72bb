/** Metrics of the boards. */
import { readDispatchState } from '../../kanban/dispatch/dispatch-state.ts'
import type { BoardPlace, Counts } from '../../kanban/port/board.ts'
import { type Boards, isAway, withBoard } from '../../kanban/port/boards.ts'
import { STATUSES } from '../../kanban/task.ts'
import type { SlotStatus } from '../../protocol/control.ts'
import { HermesError } from '../../system/errors.ts'
import { databaseProblem } from '../../system/files/sqlite.ts'
import { counter, gauge, histogram, type Metric } from '../contract/metrics-text.ts'
import { OUTCOMES, RunTotals } from './run-totals.ts'

interface BoardMetricsFacts {
  readonly home: string
  readonly boards: Boards
  readonly warn: (text: string) => void
}

interface Counted {
  readonly place: BoardPlace
  readonly counts: Counts
  readonly runs: RunTotals
}

/** Keeps the counters of the boards from one scrape to the next. */
export class BoardMetrics {
  readonly #facts: BoardMetricsFacts
  readonly #runs = new Map<string, RunTotals>()

  constructor(facts: BoardMetricsFacts) {
    this.#facts = facts
  }

  async read(slots: readonly SlotStatus[]): Promise<readonly Metric[]> {
    const { boards, home } = this.#facts
    const places = await boards.list().catch(noneIfAway)
    const counted = (await Promise.all(places.map((place) => this.#countsOf(place)))).filter((one) => one !== undefined)
    const dispatcher = slots.find(({ slot }) => slot === 'dispatcher')
    return [
      gauge(
        'hermes_kanban_tasks',
        'Tasks on the board, by status.',
        counted.flatMap(({ place: { slug: board }, counts }) =>
          STATUSES.map((status) => ({ labels: { board, status }, value: counts[status] ?? 0 })),
        ),
      ),
      ...runMetrics(counted),
      gauge('hermes_dispatcher_up', 'Whether the dispatcher runs.', [{ value: Number(dispatcher?.state === 'up') }]),
      gauge(
        'hermes_dispatcher_last_tick_timestamp_seconds',
        'When the board was last looked at.',
        places.flatMap(({ slug }) => {
          const state = readDispatchState(home, slug)
          return state === undefined ? [] : [{ labels: { board: slug }, value: state.atMs / 1000 }]
        }),
      ),
    ]
  }

  /** One damaged or busy board costs its own numbers only. */
  async #countsOf(place: BoardPlace): Promise<Counted | undefined> {
    const { boards, warn } = this.#facts
    const runs = this.#runs.get(place.slug) ?? new RunTotals()
    this.#runs.set(place.slug, runs)
    try {
      if (!(await boards.has(place))) return undefined
      return await withBoard(boards, place, { mode: 'read', busyTimeoutMs: 0, warn }, async (board) => {
        await runs.read(board)
        return { place, runs, counts: await board.statusCounts() }
      })
    } catch (error) {
      if (error instanceof HermesError || databaseProblem(error) !== undefined) return undefined
      throw error
    }
  }
}

const runMetrics = (counted: readonly Counted[]): readonly Metric[] => [
  counter(
    'hermes_kanban_runs_total',
    'Runs of tasks that have ended, by outcome, since the first scrape.',
    counted.flatMap(({ place: { slug: board }, runs }) =>
      OUTCOMES.map((outcome) => ({ labels: { board, outcome }, value: runs.ended(outcome) })),
    ),
  ),
  histogram(
    'hermes_kanban_run_duration_seconds',
    'Time from the claim of a task to the end of its run, since the first scrape.',
    counted.flatMap(({ place: { slug: board }, runs: { durations } }) => [
      ...durations.buckets.map(({ le, runs }) => ({ suffix: '_bucket', labels: { board, le }, value: runs }) as const),
      { suffix: '_sum', labels: { board }, value: durations.sumMs / 1000 } as const,
      { suffix: '_count', labels: { board }, value: durations.runs } as const,
    ]),
  ),
]

function noneIfAway(error: unknown): readonly BoardPlace[] {
  if (isAway(error)) return []
  throw error
}
