/** Performs the steps of a tick. */

import { rmSync } from 'node:fs'
import type { JobSpec } from '../../protocol/control.ts'
import { pause } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { readLiving } from '../../system/programs/proc.ts'
import { HANDOVER_LIMITS } from '../handover/facts.ts'
import type { Installation } from '../installation.ts'
import { type Jobs, WORKER_STOP_MS } from '../jobs/jobs.ts'
import { forgetJob } from '../jobs/kept-results.ts'
import { prepareJob, SpawnError } from '../jobs/spawn.ts'
import type { Profiles } from '../nodes/profiles.ts'
import type { Board, Claimed } from '../port/board.ts'
import type { RunningRow } from '../port/rows.ts'
import { contextFile } from '../store/places.ts'
import type { StepResult, TickFacts, TickStep } from '../tick.ts'
import type { TickProblems } from './tick-problems.ts'

const DONE: StepResult = { state: 'done' }
const LOST: StepResult = { state: 'lost' }
const REFUSED: StepResult = { state: 'refused' }
/** Time that the dispatcher waits for a new worker's pid; after that the next tick asks the supervisor. */
const PID_WAIT_MS = 1000
const PID_POLL_MS = 10

/** Facts that a tick has seen, as far as its steps need them. */
export interface TickSnapshot {
  readonly facts: TickFacts
  readonly rows: ReadonlyMap<string, RunningRow>
  readonly profiles: Profiles
  /** `kanban.context_max_bytes` */
  readonly contextMaxBytes: number
  /** Additions to a job under the lease of this node: its epoch, and a stop that ends before it. */
  readonly underLease: Pick<JobSpec, 'nodeEpoch' | 'stopTimeoutMs'>
  /** Tasks whose worker should be stopped but still lives; filled by the attempt. */
  readonly unstopped: Set<string>
}

export interface PerformerOptions extends Installation {
  readonly board: Board
  readonly jobs: Jobs
  readonly snapshot: TickSnapshot
  /** Does a write again while others hold the board. */
  readonly free: <T>(work: () => Promise<T>) => Promise<T>
  readonly problems: TickProblems
}

type Of<T extends TickStep['type']> = Extract<TickStep, { readonly type: T }>

export class Performer {
  readonly #options: PerformerOptions
  /** Why the last spawn failed, for dispatch-status. */
  lastError: string | null = null

  constructor(options: PerformerOptions) {
    this.#options = options
  }

  async perform(step: TickStep): Promise<StepResult> {
    const { board, clock, free } = this.#options
    const wallMs = clock.wallMs()
    switch (step.type) {
      case 'extend': {
        const row = this.#row(step.id)
        return (await free(() => board.extendClaim(row, wallMs))) ? DONE : LOST
      }
      case 'end':
        return this.#end(step, wallMs)
      case 'promote':
        return (await free(() => board.promote(step.id, step.from, step.to, wallMs))) ? DONE : LOST
      case 'assign':
        return (await free(() => board.assignDefault(step.id, step.assignee, wallMs))) ? DONE : LOST
      case 'spawn':
        return this.#spawn(step, wallMs)
    }
  }

  #row(id: string): RunningRow {
    const row = this.#options.snapshot.rows.get(id)
    if (row === undefined) throw new Error(`${id} was not among the running tasks of this tick`)
    return row
  }

  async #end({ id, end, settlement }: Of<'end'>, wallMs: number): Promise<StepResult> {
    const { home, board, jobs, free, problems, snapshot } = this.#options
    const row = this.#row(id)
    if (end.stop && snapshot.unstopped.has(id)) return REFUSED
    // A worker with a job was stopped before the steps; one of another tool has only its process.
    if (end.stop && !row.slot) await this.#stopProcess(row)
    const done = await free(() => board.endRun(row, end, settlement, wallMs))
    // Only at this point: if the dispatcher were killed before this line, the result would still be there for the
    // next tick.
    if (row.slot) await forgetJob(home, jobs, row.slot).catch((error) => problems.add('forget', id, error))
    return done ? DONE : LOST
  }

  async #stopProcess(row: RunningRow): Promise<void> {
    const { clock } = this.#options
    const pid = row.worker_pid
    if (pid === null) return
    const lives = (): boolean => {
      const startTime = readLiving(pid)?.startTime
      return startTime !== undefined && (row.worker_start_time === null || startTime === row.worker_start_time)
    }
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (!lives()) return
      process.kill(pid, signal)
      const untilMs = clock.nowMs() + WORKER_STOP_MS
      while (lives() && clock.nowMs() < untilMs) await pause(this.#options.clock, PID_POLL_MS)
    }
  }

  async #spawn({ id, assignee }: Of<'spawn'>, wallMs: number): Promise<StepResult> {
    const { board, jobs, host, free } = this.#options
    const claimed = await free(() => board.claim(id, assignee, { host, instance: jobs.instance }, wallMs))
    if (claimed === undefined) return LOST
    try {
      return await this.#startWorker(claimed, assignee)
    } catch (error) {
      if (error instanceof SpawnError) return await this.#giveBack(claimed, { failure: true, error: error.message })
      if (!(error instanceof HermesError)) throw error
      switch (error.code) {
        case 'STOPPING':
        case 'VOLUME_BUSY':
          await this.#giveBack(claimed, { failure: false, error: error.message })
          return { state: 'stop' }
        case 'BAD_REQUEST':
        case 'NO_SUCH_PROFILE':
        case 'REFUSED':
          if (error.detail === 'LEASE_OVER') {
            await this.#giveBack(claimed, { failure: false, error: error.message })
            return { state: 'stop' }
          }
          return await this.#giveBack(claimed, { failure: true, error: error.message })
        default:
          // The supervisor died before it answered, so the job may be running. The claim stays; the next tick asks.
          this.lastError = error.message
          return { state: 'unclear' }
      }
    }
  }

  async #startWorker(claimed: Claimed, profile: string): Promise<StepResult> {
    const { home, board, clock, jobs, snapshot, builtIn, free, problems } = this.#options
    const { row, runId, slot } = claimed
    const { agent, gateway } = snapshot.profiles.config(profile)
    const handover = await free(() => board.handover(row.id, HANDOVER_LIMITS))
    const spec = prepareJob({
      home,
      place: board.place,
      task: row,
      profile: snapshot.profiles.directory(profile),
      runId,
      slot,
      agent,
      environment: gateway.env,
      builtIn,
      handover,
      contextMaxBytes: snapshot.contextMaxBytes,
    })
    await jobs.start({ ...spec, ...snapshot.underLease })
    const worker = await this.#findWorker(slot)
    // The worker runs, and its job is known by its slot: what is missing here is for people to read.
    await free(() => board.recordWorker(row.id, runId, worker, spec.cwd, clock.wallMs())).catch((error) =>
      problems.add('process', row.id, error),
    )
    return { state: 'done', workspace: spec.cwd }
  }

  async #findWorker(slot: string): Promise<{ pid: number; startTime: number } | undefined> {
    const { clock, jobs } = this.#options
    const untilMs = clock.nowMs() + PID_WAIT_MS
    for (;;) {
      const job = await jobs.look(slot)
      if (job.state !== 'running') return undefined
      if (job.pid !== undefined) {
        const startTime = readLiving(job.pid)?.startTime
        return startTime === undefined ? undefined : { pid: job.pid, startTime }
      }
      if (clock.nowMs() >= untilMs) return undefined
      await pause(this.#options.clock, PID_POLL_MS)
    }
  }

  async #giveBack(
    claimed: Claimed,
    failed: { readonly failure: boolean; readonly error: string },
  ): Promise<StepResult> {
    const { home, board, clock, snapshot, free, problems } = this.#options
    this.lastError = failed.error
    rmSync(contextFile(home, claimed.slot), { force: true })
    try {
      const { autoBlocked } = await free(() =>
        board.releaseClaim(claimed, failed, snapshot.facts.rules, clock.wallMs()),
      )
      return { state: 'failed', autoBlocked }
    } catch (error) {
      // It is claimed by a run without a worker: the next tick finds that and takes it back.
      problems.add('release', claimed.row.id, error)
      return { state: 'unclear' }
    }
  }
}
