/** One tick on a real board: facts in, steps out, each performed and answered. */
import { HermesError } from '../../system/errors.ts'
import { whenFree } from '../../system/files/sqlite.ts'
import type { Installation } from '../installation.ts'
import type { Jobs } from '../jobs/jobs.ts'
import { forgetJob } from '../jobs/kept-results.ts'
import { startWorker } from '../jobs/start-worker.ts'
import { stopProcess } from '../jobs/stop-process.ts'
import { nodeWarnings, poolLimits, poolWarnings, profilesOf, runPlaces, underLease } from '../nodes/other-nodes.ts'
import type { Profiles } from '../nodes/profiles.ts'
import { readPools } from '../pools.ts'
import type { Board } from '../port/board.ts'
import { type RunningRow, toRunning } from '../port/rows.ts'
import { type DispatchReport, emptyReport } from '../report.ts'
import { type Rules, rulesInForce } from '../rules.ts'
import { judgeRunning, type Now } from '../running.ts'
import { holdDispatch } from '../store/dispatch-lock.ts'
import { parseJobSlot } from '../task.ts'
import {
  type Candidate,
  type Decision,
  planTick,
  readyPage,
  type TickAnswer,
  type TickFacts,
  type TickReading,
} from '../tick.ts'
import { isBusy, isStarved } from '../verdict.ts'
import { spentBudgets } from './budgets.ts'
import { type ClockReading, keepDispatchState, readClocks, readDispatchState } from './dispatch-state.ts'
import { leftoverJobs, observeWorker } from './observe.ts'
import { Performer } from './perform.ts'
import { runTick } from './run-tick.ts'
import { boardRules } from './settings.ts'
import { TickProblems } from './tick-problems.ts'

/** Time that a tick waits for another dispatcher, and for a writer. */
const LOCK_WAIT_MS = 2000
const WRITE_WAIT_MS = 20_000
const CLAIMS_AT_ONCE = 50
/** Ready tasks that are read at once. */
const PAGE = 500

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

interface BoardSnapshot {
  readonly facts: TickFacts
  readonly rows: ReadonlyMap<string, RunningRow>
  /** The first page of ready tasks, if it was read. */
  readonly ready: readonly Candidate[] | null
  readonly profiles: Profiles
  /** `kanban.context_max_bytes` */
  readonly contextMaxBytes: number
  /** Additions to a job under the lease of this node. */
  readonly underLease: ReturnType<typeof underLease>
  /** Tasks whose worker should be stopped but still lives; filled by the attempt. */
  readonly unstopped: Set<string>
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
  const { facts, ready, profiles, warnings, notes } = await look(options, false)
  const decision = await planTick(facts, (reading) => read(options, reading, ready))
  const ofPools = poolWarnings(profiles, facts.rules.pools).map((line) => `kanban dispatcher: ${line}`)
  return { report: decision.report, rules: facts.rules, warnings: [...warnings, ...ofPools], notes, decision }
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
  const lock = await holdDispatch(home, board.place, clock, LOCK_WAIT_MS)
  if (lock === undefined) {
    const { profiles } = await profilesOf(board, home, false, false)
    return lockedOut(rulesOf(options, profiles, await boardRules(board, home)))
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
  const free = <T>(work: () => Promise<T>): Promise<T> => whenFree(clock, WRITE_WAIT_MS, work)
  const starts = { ...options, ...snapshot, jobs, free }
  const performer = new Performer({
    ...options,
    ...snapshot,
    place: { host, instance: jobs.instance },
    rules: facts.rules,
    pools: poolLimits(snapshot.profiles, facts.rules.pools),
    atOnce: CLAIMS_AT_ONCE,
    waitMs: LOCK_WAIT_MS,
    leavesNotes: false,
    start: (claimed, profile) => startWorker(starts, claimed, profile),
    stopProcess: (row) => stopProcess(row, clock),
    forget: (slot) => forgetJob(home, jobs, slot),
    free,
    problems,
    ending: () => options.settleOnly === true || !snapshot.mayStart || options.ending?.() === true,
  })
  const decision = await runTick(facts, {
    offered: () => performer.offered(),
    read: (reading) => free(() => read(options, reading, snapshot.ready)),
    perform: (steps) => performer.perform(steps),
  })
  await performer.finish()
  if (performer.isLockedOut) return lockedOut({ ...snapshot, rules: facts.rules })
  for (const slot of snapshot.take) {
    const id = taskOf(slot)
    if (!snapshot.unstopped.has(id))
      await forgetJob(home, jobs, slot).catch((error) => problems.add('forget', id, error))
  }
  const ofPools = poolWarnings(snapshot.profiles, facts.rules.pools)
  for (const line of [...problems.lines(board.place.slug), ...ofPools]) options.warn(line)
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

const lockedOut = (known: Pick<Dispatched, 'rules' | 'warnings' | 'notes'>): Dispatched => ({
  report: { ...emptyReport(), skipped_locked: true },
  rules: known.rules,
  warnings: known.warnings,
  notes: known.notes,
  decision: null,
})

/** A stopping container starts nothing, so it needs no candidates. */
async function read(
  { board, settleOnly }: Pick<DispatchOptions, 'board' | 'settleOnly'>,
  reading: TickReading,
  firstPage: readonly Candidate[] | null,
): Promise<TickAnswer> {
  if (reading.type === 'children')
    return { state: 'children', tasks: settleOnly === true ? [] : await board.waitingChildren(reading.id) }
  if (settleOnly === true) return { state: 'ready', tasks: [], last: true }
  const page = reading.after === null ? firstPage : null
  return { state: 'ready', ...readyPage(page ?? (await board.ready(reading.after, PAGE)), PAGE) }
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

/** The rules in force, with the names that profiles have on the board. */
function rulesOf(
  options: Omit<DispatchOptions, 'warn'>,
  profiles: Profiles,
  { written }: Awaited<ReturnType<typeof boardRules>>,
) {
  const { rules, warnings, notes } = rulesInForce(written, profiles, options)
  const defaultAssignee = rules.defaultAssignee === null ? null : profiles.onBoard(rules.defaultAssignee)
  return { rules: { ...rules, defaultAssignee }, warnings, notes }
}

/** @param register the profiles on disk become those of this node */
async function look(options: Omit<DispatchOptions, 'warn'>, register: boolean): Promise<BoardSnapshot> {
  const { home, board, clock, host, jobs } = options
  const ofBoard = await boardRules(board, home)
  const { nodes, profiles } = await profilesOf(board, home, register, readPools(ofBoard.written.pools).value.size > 0)
  const { rules, warnings, notes } = rulesOf(options, profiles, ofBoard)
  const { written, ignored } = ofBoard
  const clocks = readClocks(clock, readDispatchState(home, board.place.slug))
  const readings = await board.facts(clock.wallMs(), PAGE)
  const now: Now = {
    wallMs: readings.wallMs,
    afterJump: clocks.afterJump,
    host,
    instance: jobs?.instance ?? null,
  }
  const left =
    jobs === null ? { stop: [], take: [], ending: new Set<string>() } : await leftoverJobs(board, home, jobs, clock)
  const found = readings.running
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
    promotable: options.settleOnly === true ? [] : readings.promotable,
    spentBudget: spentBudgets(home, profiles, clock.wallMs()),
    workerEnding: (id) => left.ending.has(id) && (!stopping.has(id) || unstopped.has(id)),
  }
  const results = running.filter(({ seen }) => seen.state === 'ended')
  return {
    facts: options.settleOnly === true ? { ...all, running: results } : all,
    rows: new Map(rows.map((row) => [row.id, row])),
    ready: readings.ready,
    clocks,
    profiles,
    contextMaxBytes: written.contextMaxBytes,
    stop: options.settleOnly === true ? [] : left.stop,
    unstopped,
    take: options.settleOnly === true ? left.take : [...left.take, ...left.stop],
    warnings,
    notes,
    nodeWarnings: [...nodeWarnings(nodes, profiles), ...ignored],
    underLease: underLease(nodes),
    mayStart: nodes.length === 0 || nodes.some(({ own, state }) => own && state === 'live'),
  }
}
