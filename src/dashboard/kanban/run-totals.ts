/** Counts the ends of runs on a board from its events: each is read once, however large the board is. */
import type { Board } from '../../kanban/port/board.ts'
import type { BoardEvent, Outcome } from '../../kanban/task.ts'

const BY_OUTCOME: Readonly<Record<Outcome, true>> = {
  completed: true,
  blocked: true,
  crashed: true,
  timed_out: true,
  stale: true,
  rate_limited: true,
  reclaimed: true,
  spawn_failed: true,
}
export const OUTCOMES = Object.keys(BY_OUTCOME) as readonly Outcome[]

/** Upper bounds of the buckets: from a command to a task of a day. */
const BOUNDS_S = [1, 5, 30, 60, 300, 900, 3600, 14_400, 86_400]
const BATCH = 1000
/** Events in one go; the rest is read the next time, so that no scrape takes seconds. */
const MOST = 20_000

interface Durations {
  /** `runs`: those that took no longer than `le` seconds. */
  readonly buckets: readonly { readonly le: string; readonly runs: number }[]
  readonly sumMs: number
  readonly runs: number
}

/** Begins with the first reading: a counter that began with the past would show a burst after each restart. */
export class RunTotals {
  readonly #ended = new Map<Outcome, number>()
  readonly #buckets = BOUNDS_S.map(() => 0)
  #sumMs = 0
  #timed = 0
  /** When the run of each task that runs began, Unix ms. */
  #begun = new Map<string, number>()
  /** The last event that was read. */
  #after: number | undefined
  #reading: Promise<void> | undefined

  ended(outcome: Outcome): number {
    return this.#ended.get(outcome) ?? 0
  }

  get durations(): Durations {
    const buckets = BOUNDS_S.map((bound, i) => ({ le: String(bound), runs: this.#buckets[i] ?? 0 }))
    return { buckets: [...buckets, { le: '+Inf', runs: this.#timed }], sumMs: this.#sumMs, runs: this.#timed }
  }

  /** Takes what has happened since the last reading. A second caller waits for the first one. */
  read(board: Pick<Board, 'events' | 'eventsTail' | 'running'>): Promise<void> {
    this.#reading ??= this.#read(board).finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(board: Pick<Board, 'events' | 'eventsTail' | 'running'>): Promise<void> {
    const last = await board.eventsTail(0)
    // A board with fewer events than were read is another one of that name.
    if (this.#after === undefined || last < this.#after) {
      const running = await board.running()
      this.#begun = new Map(running.flatMap(({ id, run_started_at: at }) => (at === null ? [] : [[id, at] as const])))
      this.#after = last
    }
    for (let read = 0; read < MOST && last !== this.#after; ) {
      const events = await board.events(this.#after, BATCH)
      for (const event of events) this.#take(event)
      this.#after = events.at(-1)?.id ?? this.#after
      read += events.length
      if (events.length < BATCH) return
    }
  }

  #take(event: BoardEvent): void {
    const { taskId, atMs } = event
    if (event.kind === 'claimed') return void this.#begun.set(taskId, atMs)
    const outcome = outcomeOf(event)
    if (outcome === undefined) return
    this.#ended.set(outcome, this.ended(outcome) + 1)
    const begunAtMs = this.#begun.get(taskId)
    this.#begun.delete(taskId)
    if (begunAtMs === undefined) return
    // Never below nothing, also where a clock was set back.
    const tookMs = Math.max(0, atMs - begunAtMs)
    this.#sumMs += tookMs
    this.#timed += 1
    for (const [i, bound] of BOUNDS_S.entries())
      if (tookMs <= bound * 1000) this.#buckets[i] = (this.#buckets[i] ?? 0) + 1
  }
}

/**
 * How a run ended, if the event is the end of one. The dispatcher's events about a run have its id; those of people and
 * of workers have none, and are an end if the task was running.
 */
function outcomeOf({ kind, runId, payload }: BoardEvent): Outcome | undefined {
  const named = kind === 'review' ? 'completed' : OUTCOMES.find((outcome) => outcome === kind)
  if (runId !== null) return named
  if (payload.from !== 'running' || payload.to === 'running') return undefined
  return named ?? 'reclaimed'
}
