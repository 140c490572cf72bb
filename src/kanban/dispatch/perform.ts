/** Performs the steps of a tick: what it writes at once, then the starts. */
import type { Clock } from '../../system/clock.ts'
import { databaseProblem } from '../../system/files/sqlite.ts'
import type { Started } from '../jobs/start-worker.ts'
import type { PoolLimits } from '../pools.ts'
import type { TickBoard } from '../port/board.ts'
import { isAway, isFenced } from '../port/boards.ts'
import type { RunningRow } from '../port/rows.ts'
import { endOfClaim, type FailedSpawn } from '../port/run-end.ts'
import type { Claimed, ClaimPlace } from '../port/tick-writes.ts'
import { type TickWrite, type Written, writeId } from '../port/tick-writes.ts'
import { boardLimit, type Rules } from '../rules.ts'
import type { StepResult, TickStep } from '../tick.ts'
import type { TickProblem, TickProblems } from './tick-problems.ts'

type Outcome = Written | { readonly state: 'refused' }

const LOST = { state: 'lost' } as const
const REFUSED = { state: 'refused' } as const
const STOP: StepResult = { state: 'stop' }

export interface PerformerOptions {
  readonly board: Pick<TickBoard, 'write'>
  readonly clock: Pick<Clock, 'wallMs'>
  readonly place: ClaimPlace
  readonly rules: Rules
  readonly pools: PoolLimits
  /** The running tasks that the tick has seen. */
  readonly rows: ReadonlyMap<string, RunningRow>
  /** Tasks whose worker should be stopped but still lives. */
  readonly unstopped: ReadonlySet<string>
  /** Claims of one write. Their workers are started before the next one, so that no claim waits for long. */
  readonly atOnce: number
  /** How long a write may wait for those of other dispatchers, ms. */
  readonly waitMs: number
  readonly start: (claimed: Claimed, profile: string) => Promise<Started>
  /** Ends the process of a run without a job. */
  readonly stopProcess: (row: RunningRow) => Promise<void>
  /** The board has the result of this job. */
  readonly forget: (slot: string) => Promise<void>
  /** Workers are noted with the next write; false: at once. */
  readonly leavesNotes: boolean
  /** Does a write again while others hold the board. */
  readonly free: <T>(work: () => Promise<T>) => Promise<T>
  readonly problems: TickProblems
  /** True: nothing more is started. */
  readonly ending: () => boolean
}

export class Performer {
  readonly #options: PerformerOptions
  /** Workers that the board does not know yet; the next write has them. */
  readonly #notes: TickWrite[] = []
  #isOver = false
  #hasWritten = false
  /** The ticks of the board are held, and nothing was written. */
  isLockedOut = false
  /** Why the last start failed, for dispatch-status. */
  lastError: string | null = null

  /** @param notes left over from the last tick, see {@link Performer.notes} */
  constructor(options: PerformerOptions, notes: readonly TickWrite[] = []) {
    this.#options = options
    this.#notes.push(...notes)
  }

  /**
   * Starts that are worth proposing. Other dispatchers may be claiming the first ones now, so there are more than are
   * claimed at once.
   */
  offered(): number {
    return this.#isOver || this.#options.ending() ? 0 : offeredFor(this.#options.atOnce)
  }

  async perform(steps: readonly TickStep[]): Promise<ReadonlyMap<TickStep, StepResult>> {
    const results = new Map<TickStep, StepResult>()
    const steppedBy = new Map<TickWrite, TickStep>()
    for (const step of steps) {
      const write = await this.#writeFor(step)
      if (write === undefined) results.set(step, REFUSED)
      else steppedBy.set(write, step)
    }
    const written = await this.#write([...this.#notes.splice(0), ...steppedBy.keys()])
    const claims: (readonly [TickStep, Claimed, string])[] = []
    for (const [write, result] of written) {
      const step = steppedBy.get(write)
      if (write.type === 'end' && result.state !== 'refused') await this.#forget(write)
      if (step === undefined || result.state === 'untried') continue
      if (result.state === 'done' && result.claimed !== undefined)
        claims.push([step, result.claimed, write.type === 'claim' ? write.assignee : ''])
      else results.set(step, result.state === 'full' ? LOST : result)
      // Another dispatcher is at work, and the next tick knows what it has done.
      if (result.state === 'full') this.#isOver = true
    }
    await this.#startAll(claims, results)
    return results
  }

  /** The board has what there is to know of the workers. @throws HermesError if its database is away */
  async finish(): Promise<void> {
    if (this.#notes.length > 0) await this.#write(this.#notes.splice(0))
  }

  /** Left for {@link finish}, or for a tick that follows at once. */
  get notes(): readonly TickWrite[] {
    return this.#notes
  }

  /** @returns undefined: its process still lives */
  async #writeFor(step: TickStep): Promise<TickWrite | undefined> {
    switch (step.type) {
      case 'extend':
        return { type: 'extend', row: this.#row(step.id) }
      case 'end': {
        const row = this.#row(step.id)
        const { end, settlement } = step
        if (end.stop && this.#options.unstopped.has(step.id)) return undefined
        // A worker with a job was stopped before the steps; one of another tool has only its process.
        if (end.stop && !row.slot) await this.#options.stopProcess(row)
        return { type: 'end', row, end, settlement }
      }
      case 'promote':
      case 'assign':
        return step
      case 'spawn':
        return { type: 'claim', id: step.id, assignee: step.assignee }
    }
  }

  #row(id: string): RunningRow {
    const row = this.#options.rows.get(id)
    if (row === undefined) throw new Error(`${id} was not among the running tasks of this tick`)
    return row
  }

  /** Only after the write: if the dispatcher were killed before, the result would still be there for the next tick. */
  async #forget({ row }: Extract<TickWrite, { readonly type: 'end' }>): Promise<void> {
    const slot = this.#options.rows.get(row.id)?.slot
    if (slot) await this.#options.forget(slot).catch((error) => this.#options.problems.add('forget', row.id, error))
  }

  /** Results are all there, or the write is refused. A failure for one task does not affect the others. */
  async #write(writes: readonly TickWrite[]): Promise<ReadonlyMap<TickWrite, Outcome>> {
    const { board, clock, rules, pools, place, atOnce, waitMs, free } = this.#options
    const limits = {
      place,
      most: atOnce,
      perProfile: rules.maxInProgressPerProfile,
      board: boardLimit(rules),
      pools,
      waitMs,
    }
    const nothing = (): ReadonlyMap<TickWrite, Outcome> =>
      new Map(writes.map((write) => [write, write.type === 'end' ? REFUSED : LOST]))
    try {
      const written = await free(() => board.write(writes, limits, clock.wallMs()))
      if (written === undefined) {
        this.isLockedOut = !this.#hasWritten
        this.#isOver = true
        return nothing()
      }
      this.#hasWritten = true
      return new Map(writes.map((write, at) => [write, written[at] ?? LOST]))
    } catch (error) {
      // The rest says what has happened here, and holds without a lease.
      const rest = writes.filter(({ type }) => type !== 'claim')
      if (isFenced(error) && rest.length > 0 && rest.length < writes.length) await this.#write(rest)
      const problem = databaseProblem(error)
      // No step is possible on a damaged board, which the caller sets aside, or without the database.
      if (problem === 'corrupt' || (problem !== 'busy' && isAway(error))) throw error
      // Another process blocks the board: leave it to the next tick.
      if (problem === 'busy') return nothing()
      return this.#writeEach(writes, error)
    }
  }

  async #writeEach(writes: readonly TickWrite[], error: unknown): Promise<ReadonlyMap<TickWrite, Outcome>> {
    const [first, second] = writes
    if (first === undefined) return new Map()
    if (second === undefined) {
      this.#options.problems.add(PROBLEM_OF[first.type], writeId(first), error)
      return new Map([[first, REFUSED]])
    }
    const results = new Map<TickWrite, Outcome>()
    let claims = 0
    for (const write of writes) {
      if (write.type === 'claim' && claims >= this.#options.atOnce) continue
      for (const [one, result] of await this.#write([write])) {
        results.set(one, result)
        if (one.type === 'claim' && result.state === 'done') claims += 1
      }
    }
    return results
  }

  async #startAll(
    claims: readonly (readonly [TickStep, Claimed, string])[],
    results: Map<TickStep, StepResult>,
  ): Promise<void> {
    const returned = new Map<TickWrite, TickStep>()
    let stopped: FailedSpawn | undefined
    const giveBack = (step: TickStep, claimed: Claimed, failed: FailedSpawn): void => {
      returned.set(endOfClaim(claimed, failed, this.#options.rules, this.#options.clock.wallMs()), step)
    }
    for (const [step, claimed, profile] of claims) {
      if (stopped === undefined && this.#options.ending()) stopped = { failure: false, error: ENDING }
      if (stopped !== undefined) {
        giveBack(step, claimed, stopped)
        results.set(step, STOP)
        continue
      }
      const started = await this.#start(claimed, profile)
      if (started === undefined) results.set(step, REFUSED)
      else if (started.state === 'started') {
        const { workspace, worker } = started
        this.#notes.push({
          type: 'note',
          id: claimed.row.id,
          runId: claimed.runId,
          workspace,
          ...(worker && { worker }),
        })
        // A short worker may have ended before all are started.
        if (!this.#options.leavesNotes)
          await this.finish().catch((error) => this.#options.problems.add('process', claimed.row.id, error))
        results.set(step, { state: 'done', workspace })
      } else {
        this.lastError = started.error
        if (started.state === 'failed') giveBack(step, claimed, started)
        if (started.state === 'failed' && started.stop) stopped = started
        results.set(step, started.state === 'failed' && started.stop ? STOP : { state: 'unclear' })
      }
    }
    for (const [write, result] of await this.#write([...returned.keys()])) {
      const step = returned.get(write)
      if (step === undefined || write.type !== 'end' || results.get(step) === STOP) continue
      // If it is not written, a run without a worker has the claim: the next tick finds that and takes it back.
      const isReturned = result.state !== 'refused'
      if (isReturned) results.set(step, { state: 'failed', autoBlocked: write.settlement.autoBlocked })
    }
  }

  /** @returns undefined: something unforeseen, which is reported */
  async #start(claimed: Claimed, profile: string): Promise<Started | undefined> {
    try {
      return await this.#options.start(claimed, profile)
    } catch (error) {
      this.#options.problems.add('spawn', claimed.row.id, error)
      return undefined
    }
  }
}

/** @param atOnce see {@link PerformerOptions} */
export const offeredFor = (atOnce: number): number => 16 + 5 * atOnce

const ENDING = 'the dispatcher is ending'

const PROBLEM_OF: Readonly<Record<TickWrite['type'], TickProblem>> = {
  note: 'process',
  extend: 'extend',
  end: 'end',
  promote: 'promote',
  assign: 'assign',
  claim: 'spawn',
}
