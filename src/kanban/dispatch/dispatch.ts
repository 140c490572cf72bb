/** One tick on a real board: facts in, steps out, each performed and answered. */
import { HermesError } from '../../system/errors.ts'
import { databaseProblem, whenFree } from '../../system/files/sqlite.ts'
import type { Installation } from '../installation.ts'
import type { Jobs } from '../jobs/jobs.ts'
import { forgetJob } from '../jobs/kept-results.ts'
import { nodeWarnings, profilesOf, runPlaces, underLease } from '../nodes/other-nodes.ts'
import { Profiles } from '../nodes/profiles.ts'
import type { Board } from '../port/board.ts'
import { isAway } from '../port/boards.ts'
import { toRunning } from '../port/rows.ts'
import { type DispatchReport, emptyReport } from '../report.ts'
import { type Rules, rulesInForce } from '../rules.ts'
import { judgeRunning, type Now } from '../running.ts'
import { parseJobSlot } from '../task.ts'
import {
  type Decision,
  isReading,
  PAGE,
  planTick,
  type StepResult,
  type TickAnswer,
  type TickFacts,
  type TickReading,
  type TickStep,
  tick,
} from '../tick.ts'
import { isBusy, isStarved } from '../verdict.ts'
import { type ClockReading, keepDispatchState, readClocks, readDispatchState } from './dispatch-state.ts'
import { leftoverJobs, observeWorker } from './observe.ts'
import { Performer, type TickSnapshot } from './perform.ts'
import { readWrittenRules } from './settings.ts'
import { TickProblems } from './tick-problems.ts'

/** Time that a tick waits for another dispatcher, and for a writer. */
const LOCK_WAIT_MS = 2000
const WRITE_WAIT_MS = 20_000

export interface DispatchOptions extends Installation {
  readonly board: Board
  /** null: no supervisor answers; a dry run can do without. */
  readonly jobs: Jobs | null
  readonly max?: number
  readonly failureLimit?: number
  /** Receives problems that do not fail the tick. */
  readonly warn: (text: string) => void
  /** True when the dispatcher is ending: nothing more is started. */
  readonly ending?: () => boolean
  /**
   * Only collect results, so that a stopping container does not lose work finished just before. A worker that was
   * stopped with the container is recognized by its result.
   */
  readonly settleOnly?: boolean
}

export interface Dispatched {
  readonly report: DispatchReport
  readonly rules: Rules
  readonly warnings: readonly string[]
  readonly notes: readonly string[]
  /** null: another dispatcher holds the board. */
  readonly decision: Decision | null
}

interface BoardSnapshot extends TickSnapshot {
  readonly clocks: ClockReading
  readonly stop: readonly string[]
  readonly take: readonly string[]
  readonly warnings: readonly string[]
  readonly notes: readonly string[]
  /** Workers may be started: this node has its lease, or there are no nodes. */
  readonly mayStart: boolean
  readonly nodeWarnings: readonly string[]
}

/** Plans a tick without writing anything. */
export async function planDispatch(
  options: Omit<DispatchOptions, 'warn'>,
): Promise<Dispatched & { readonly decision: Decision }> {
  const { facts, warnings, notes } = await look(options, false)
  const decision = await planTick(facts, (reading) => read(options, reading))
  return { report: decision.report, rules: facts.rules, warnings, notes, decision }
}

/**
 * A real tick. One at a time per board: the loser waits, then does nothing.
 * @throws HermesError NO_SUPERVISOR, VOLUME_BUSY
 */
export async function dispatchOnce(options: DispatchOptions): Promise<Dispatched> {
  const { board, clock, jobs, home } = options
  if (jobs === null)
    throw new HermesError('NO_SUPERVISOR', 'workers are started by the supervisor, which is not running', {
      next: 'start it, or use --dry-run',
    })
  const lock = await board.holdTicks(clock, LOCK_WAIT_MS)
  if (lock === undefined) {
    const { rules, warnings, notes } = rulesInForce(readWrittenRules(home), new Profiles(home), options)
    return { report: { ...emptyReport(), skipped_locked: true }, rules, warnings, notes, decision: null }
  }
  try {
    const phase = await jobs.phase()
    if (phase === 'stopping') return await reallyTick({ ...options, settleOnly: true }, jobs)
    if (phase !== 'running') {
      throw new HermesError('VOLUME_BUSY', `the container is ${phase}; nothing is dispatched`, {
        next: 'hermes status',
      })
    }
    return await reallyTick({ ...options, ending: () => options.ending?.() === true || !lock.isHeld() }, jobs)
  } finally {
    await lock.release()
  }
}

async function reallyTick(options: DispatchOptions, jobs: Jobs): Promise<Dispatched> {
  const { board, clock, home, host } = options
  const snapshot = await look(options, true)
  const { facts, warnings, notes } = snapshot
  for (const line of snapshot.nodeWarnings) options.warn(line)
  if (!snapshot.mayStart)
    options.warn('this node has no lease, so it starts no workers; hermes logs dispatcher says why')
  const problems = new TickProblems()
  await stopWorkers(snapshot, jobs, problems)
  const { unstopped } = snapshot
  const free = <T>(work: () => Promise<T>): Promise<T> => whenFree(clock, WRITE_WAIT_MS, work)
  const mayStart = () => snapshot.mayStart && options.ending?.() !== true
  const performer = new Performer({ ...options, jobs, snapshot, free, problems })
  const steps = tick(facts)
  let next = steps.next()
  while (!next.done) {
    const step = next.value
    next = steps.next(
      isReading(step)
        ? await free(() => read(options, step))
        : await perform(performer, step, { ...options, ending: () => !mayStart() }, problems),
    )
  }
  for (const slot of snapshot.take) {
    const id = taskOf(slot)
    if (!unstopped.has(id)) await forgetJob(home, jobs, slot).catch((error) => problems.add('forget', id, error))
  }
  for (const line of problems.lines(board.place.slug)) options.warn(line)
  const decision = next.value
  const last = readDispatchState(home, board.place.slug)
  const { boot, offsetMs, graceUntilMs } = snapshot.clocks
  keepDispatchState(options, {
    atMs: clock.wallMs(),
    host,
    pid: process.pid,
    boot,
    offsetMs,
    graceUntilMs,
    report: decision.report,
    busy: isBusy(decision),
    starvedTicks: isStarved(decision) ? (last?.starvedTicks ?? 0) + 1 : 0,
    lastError: performer.lastError ?? problems.last,
  })
  return { report: decision.report, rules: facts.rules, warnings, notes, decision }
}

/** A stopping container starts nothing, so it needs no candidates. */
async function read(
  { board, settleOnly }: Pick<DispatchOptions, 'board' | 'settleOnly'>,
  reading: TickReading,
): Promise<TickAnswer> {
  if (settleOnly === true) return { state: reading.type, tasks: [] }
  return reading.type === 'children'
    ? { state: 'children', tasks: await board.waitingChildren(reading.id) }
    : { state: 'ready', tasks: await board.ready(reading.after, PAGE) }
}

/** A failure for one task does not affect the others. */
async function perform(
  performer: Performer,
  step: TickStep,
  { ending, settleOnly }: DispatchOptions,
  problems: TickProblems,
): Promise<StepResult> {
  if (step.type === 'spawn' && (settleOnly === true || ending?.() === true)) return { state: 'stop' }
  try {
    return await performer.perform(step)
  } catch (error) {
    const problem = databaseProblem(error)
    // No step is possible on a damaged board, which the caller sets aside, or without the database.
    if (problem === 'corrupt' || (problem !== 'busy' && isAway(error))) throw error
    // Another process blocks the board: leave this step to the next tick.
    if (problem !== 'busy') problems.add(step.type, step.id, error)
    else if (step.type !== 'end') return { state: 'lost' }
    return { state: 'refused' }
  }
}

/** Stops all processes that must be gone before their tasks move; all at once, since each may take five seconds. */
async function stopWorkers(
  { facts, rows, stop, unstopped }: BoardSnapshot,
  jobs: Jobs,
  problems: TickProblems,
): Promise<void> {
  const overdue = facts.running.flatMap((task) => {
    const verdict = judgeRunning(task, facts.rules, facts.now)
    const slot = rows.get(task.id)?.slot
    return verdict.do === 'end' && verdict.end.stop && slot ? [slot] : []
  })
  const stopOne = (slot: string): Promise<void> =>
    jobs.stop(slot).catch((error) => {
      unstopped.add(taskOf(slot))
      problems.add('stop', taskOf(slot), error)
    })
  await Promise.all([...stop, ...overdue].map(stopOne))
}

const taskOf = (slot: string): string => parseJobSlot(slot)?.taskId ?? slot

/** @param register the profiles on disk become those of this node */
async function look(options: Omit<DispatchOptions, 'warn'>, register: boolean): Promise<BoardSnapshot> {
  const { home, board, clock, host, jobs } = options
  const { nodes, profiles } = await profilesOf(board, home, register)
  const written = readWrittenRules(home)
  const { rules: own, warnings, notes } = rulesInForce(written, profiles, options)
  const defaultAssignee = own.defaultAssignee === null ? null : profiles.onBoard(own.defaultAssignee)
  const rules = { ...own, defaultAssignee }
  const clocks = readClocks(clock, readDispatchState(home, board.place.slug))
  const now: Now = {
    wallMs: await board.wallMs(clock),
    afterJump: clocks.afterJump,
    host,
    instance: jobs?.instance ?? null,
  }
  const left =
    jobs === null ? { stop: [], take: [], ending: new Set<string>() } : await leftoverJobs(board, home, jobs, clock)
  const found = await board.running()
  const places = await runPlaces(board, found, nodes, now.wallMs)
  // The host of another life of this node may have had another name.
  const rows = found.map((row) => (places.own.has(row.id) ? { ...row, host } : row))
  const running = []
  for (const row of rows)
    running.push(toRunning(row, await observeWorker(row, home, host, jobs, places.foreign.get(row.id))))
  // A real tick has stopped them before it reads the candidates; workers that did not stop hold their task back.
  const stopping = new Set(left.stop.map(taskOf))
  const unstopped = new Set<string>()
  const all: TickFacts = {
    rules,
    now,
    profiles,
    running,
    promotable: options.settleOnly === true ? [] : await board.promotable(now.wallMs),
    workerEnding: (id) => left.ending.has(id) && (!stopping.has(id) || unstopped.has(id)),
  }
  const results = running.filter(({ seen }) => seen.state === 'ended')
  return {
    facts: options.settleOnly === true ? { ...all, running: results } : all,
    rows: new Map(rows.map((row) => [row.id, row])),
    clocks,
    profiles,
    contextMaxBytes: written.contextMaxBytes,
    stop: options.settleOnly === true ? [] : left.stop,
    unstopped,
    take: options.settleOnly === true ? left.take : [...left.take, ...left.stop],
    warnings,
    notes,
    nodeWarnings: nodeWarnings(nodes, profiles),
    underLease: underLease(nodes),
    mayStart: nodes.length === 0 || nodes.some(({ own, state }) => own && state === 'live'),
  }
}
