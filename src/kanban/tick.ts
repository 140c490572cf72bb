/**
 * Decides one tick of the dispatcher, purely: a generator that yields each step and receives its result. The real
 * tick performs the steps, a dry run answers yes to all of them, and `why` looks a task up in the reasons of the dry
 * run. All three use one decision, so they cannot disagree.
 */
import { type GuardReason, guard } from './guard.ts'
import { missingLabels } from './labels.ts'
import { Busy, type FullPool, type PooledProfiles } from './pools.ts'
import { type DispatchReport, emptyReport, type ReportDraft } from './report.ts'
import { boardLimit, type Rules } from './rules.ts'
import { judgeRunning, type Now, type RunEnd, type RunningTask, type Settlement, settle } from './running.ts'
import { ANY, readyOrTodo } from './task.ts'

/** A task that could be started. */
export interface Candidate {
  readonly id: string
  readonly seq: number
  readonly assignee: string | null
  readonly priority: number
  readonly createdAtMs: number
  readonly pausedUntilMs: number | null
  readonly succeededAtMs: number | null
  readonly changedAtMs: number
  /** Labels that its node must have. */
  readonly needs: readonly string[]
}

/** A task that its parents or its time hold back. */
export interface WaitingTask extends Candidate {
  readonly status: 'todo' | 'scheduled'
  readonly openParents: number
  /** Another tool holds a claim on it, so the dispatcher does not start it. */
  readonly claimed: boolean
}

/** A profile: here, and whether something that does tasks is configured; or on another node. */
export type KnownProfile =
  | { readonly agent: boolean; readonly elsewhere?: undefined }
  | { readonly elsewhere: Elsewhere; readonly agent?: undefined }

/** The node that has a profile. `silentMs`: since it was heard of. */
export interface Elsewhere {
  readonly node: string
  readonly isLive: boolean
  readonly silentMs: number
}

/** `amount`: as a person reads it, `5.02 of 5 USD`. */
export interface SpentBudget {
  readonly amount: string
  readonly untilMs: number
}

export interface TickFacts {
  readonly rules: Rules
  readonly now: Now
  readonly profiles: Omit<PooledProfiles, 'get'> & { get(name: string): KnownProfile | undefined }
  readonly running: readonly (RunningTask & Candidate)[]
  /** `todo` tasks without unfinished parents, and `scheduled` tasks whose time has come. */
  readonly promotable: readonly WaitingTask[]
  /** The budget of a profile with an agent, if it is spent; absent: no profile has one. */
  readonly spentBudget?: (profile: string) => SpentBudget | undefined
  /** A process of an earlier run of the task still lives. */
  readonly workerEnding: (taskId: string) => boolean
}

/** Something the tick has to know only in some cases; a dry run reads it too. */
export type TickReading =
  /** The `todo` and `scheduled` children of a task. */
  | { readonly type: 'children'; readonly id: string }
  /** The next page of ready tasks, in the order of {@link byPriority}. */
  | { readonly type: 'ready'; readonly after: Candidate | null }

export type TickStep =
  | { readonly type: 'extend'; readonly id: string }
  | { readonly type: 'end'; readonly id: string; readonly end: RunEnd; readonly settlement: Settlement }
  | {
      readonly type: 'promote'
      readonly id: string
      readonly from: 'todo' | 'scheduled'
      readonly to: 'ready' | 'todo'
    }
  | { readonly type: 'assign'; readonly id: string; readonly assignee: string }
  | { readonly type: 'spawn'; readonly id: string; readonly assignee: string }

/** `last`: no page follows. */
export interface ReadyPage {
  readonly tasks: readonly Candidate[]
  readonly last: boolean
}

/** Cuts what was read with a limit. @param limit tasks in a full page */
export const readyPage = (tasks: readonly Candidate[], limit: number): ReadyPage => ({
  tasks,
  last: tasks.length < limit,
})

export type TickAnswer =
  | StepResult
  | { readonly state: 'children'; readonly tasks: readonly WaitingTask[] }
  | ({ readonly state: 'ready' } & ReadyPage)

/** A tick at work: it yields what it wants to be done or read. */
export type Tick<T> = Generator<TickStep | TickReading, T, TickAnswer>

export const isReading = (step: TickStep | TickReading): step is TickReading =>
  step.type === 'children' || step.type === 'ready'

/** Result of a step. `lost`: another program has changed the task in the meantime, and nothing was written. */
export type StepResult =
  | { readonly state: 'done'; readonly workspace?: string }
  | { readonly state: 'lost' }
  /** The board refused it, or the worker could not be stopped: the task is unchanged. */
  | { readonly state: 'refused' }
  /** A spawn whose answer was lost: the worker may be running. It keeps its place until the next tick knows. */
  | { readonly state: 'unclear' }
  /** A spawn that failed; counted. */
  | { readonly state: 'failed'; readonly autoBlocked: boolean }
  /** Nothing more can be started now (the container stops): end the tick. */
  | { readonly state: 'stop' }

/** Why a task that was looked at did not, or will, start. */
export type Reason =
  | { readonly why: 'spawn'; readonly assignee: string; readonly defaulted: boolean }
  | { readonly why: 'unassigned' }
  | { readonly why: 'nonspawnable'; readonly assignee: string }
  | ({ readonly why: 'elsewhere'; readonly assignee: string } & Elsewhere)
  | { readonly why: 'missing_labels'; readonly missing: readonly string[] }
  | { readonly why: 'per_profile_cap'; readonly assignee: string; readonly current: number; readonly cap: number }
  | ({ readonly why: 'pool_cap'; readonly assignee: string } & FullPool)
  | { readonly why: 'guarded'; readonly reason: GuardReason; readonly untilMs?: number }
  | { readonly why: 'unconfigured'; readonly assignee: string }
  | ({ readonly why: 'budget_spent'; readonly assignee: string } & SpentBudget)
  | { readonly why: 'lost' }
  | { readonly why: 'unclear' }
  | { readonly why: 'spawn_failed' }

export interface Decision {
  readonly report: DispatchReport
  readonly reasons: ReadonlyMap<string, Reason>
  /** Ends of runs by task, as decided in this tick. */
  readonly ends: ReadonlyMap<string, { readonly end: RunEnd; readonly settlement: Settlement }>
  /** Tasks that this tick moves out of `todo` or `scheduled`, and where to. */
  readonly promotions: ReadonlyMap<string, 'ready' | 'todo'>
  /** The cap of the whole board was reached: ready tasks without a reason were not looked at. */
  readonly boardFull: { readonly busy: number; readonly limit: number } | null
}

/** Priority first, then age. */
export const byPriority = (a: Candidate, b: Candidate): number =>
  b.priority - a.priority || a.createdAtMs - b.createdAtMs || a.seq - b.seq

export function* tick(facts: TickFacts): Tick<Decision> {
  const report = emptyReport()
  const reasons = new Map<string, Reason>()
  const ends = new Map<string, { end: RunEnd; settlement: Settlement }>()
  const busy = new Busy(facts.profiles, facts.rules.pools)
  if (facts.rules.pools.size > 0) report.skipped_pool_capped = []
  const promotions = new Map<string, 'ready' | 'todo'>()
  const freed: Candidate[] = []
  /** Children of tasks found done in this tick, in their new status. */
  const children = new Map<string, WaitingTask>()
  for (const task of facts.running) {
    const verdict = judgeRunning(task, facts.rules, facts.now)
    if (verdict.do === 'extend') yield* perform({ type: 'extend', id: task.id })
    if (verdict.do === 'end') {
      const settlement = settle(task, verdict.end, facts.rules, facts.now.wallMs)
      // Read before the step: the real one changes what they wait for.
      const waiting = settlement.status === 'done' && !task.childless ? yield* childrenOf(task.id) : []
      const result = yield* perform({ type: 'end', id: task.id, end: verdict.end, settlement })
      // Lost: its worker or a person was quicker, and it runs no more.
      if (result.state === 'lost') continue
      if (result.state === 'refused') {
        busy.add(task.profile)
        continue
      }
      ends.set(task.id, { end: verdict.end, settlement })
      countEnd(report, task.id, verdict.end, settlement)
      for (const child of waiting) {
        const known = children.get(child.id) ?? child
        children.set(child.id, { ...known, openParents: known.openParents - 1 })
      }
      if (settlement.status === 'ready')
        freed.push({ ...task, pausedUntilMs: settlement.pausedUntilMs ?? task.pausedUntilMs })
      continue
    }
    busy.add(task.profile)
  }
  const promotable = facts.promotable.map((task) => children.get(task.id) ?? task)
  const released = [...children.values()].filter(({ status, openParents }) => status === 'todo' && openParents === 0)
  for (const task of [...promotable, ...released]) {
    const to = readyOrTodo(task.openParents)
    const result = yield* perform({ type: 'promote', id: task.id, from: task.status, to })
    if (result.state !== 'done') continue
    promotions.set(task.id, to)
    if (to !== 'ready') continue
    report.promoted += 1
    if (!task.claimed) freed.push(task)
  }
  const boardFull = yield* startCandidates(facts, freed.sort(byPriority), busy, report, reasons)
  return { report, reasons, ends, promotions, boardFull }
}

function* startCandidates(
  facts: TickFacts,
  freed: readonly Candidate[],
  busy: Busy,
  report: ReportDraft,
  reasons: Map<string, Reason>,
): Tick<Decision['boardFull']> {
  const limit = boardLimit(facts.rules)
  const full = (): Decision['boardFull'] => (limit !== null && busy.total >= limit ? { busy: busy.total, limit } : null)
  // Checked before a candidate is read: a full board does not even look at tasks that it cannot start.
  if (full()) return full()
  const merge = merger(freed)
  for (let after: Candidate | null = null; ; ) {
    const page: ReadyPage = yield* readyAfter(after)
    for (const candidate of merge(page)) {
      const outcome = yield* startOne(facts, candidate, busy, report)
      if (outcome === 'stop') return null
      reasons.set(candidate.id, outcome)
      if (full()) return full()
    }
    if (page.last) return null
    after = page.tasks.at(-1) ?? null
  }
}

function* childrenOf(id: string): Tick<readonly WaitingTask[]> {
  const answer = yield { type: 'children', id }
  return answer.state === 'children' ? answer.tasks : []
}

function* readyAfter(after: Candidate | null): Tick<ReadyPage> {
  const answer = yield { type: 'ready', after }
  return answer.state === 'ready' ? answer : { tasks: [], last: true }
}

function* perform(step: TickStep): Tick<StepResult> {
  const answer = yield step
  if (answer.state === 'children' || answer.state === 'ready') throw new Error(`${step.type} was answered by a reading`)
  return answer
}

/** The checks of one candidate, in the order of docs/kanban.md. */
function* startOne(facts: TickFacts, candidate: Candidate, busy: Busy, report: ReportDraft): Tick<Reason | 'stop'> {
  const { id } = candidate
  const { rules, profiles, now } = facts
  const assigned = candidate.assignee === null ? yield* assignDefault(id, rules, report) : candidate.assignee
  if (assigned === null) {
    report.skipped_unassigned.push(id)
    return { why: 'unassigned' }
  }
  const profile = assigned === ANY ? undefined : profiles.get(assigned)
  if (assigned !== ANY && profile === undefined) {
    report.skipped_nonspawnable.push(id)
    return { why: 'nonspawnable', assignee: assigned }
  }
  if (profile?.elsewhere !== undefined) {
    const { node } = profile.elsewhere
    report.skipped_elsewhere ??= []
    report.skipped_elsewhere.push({ task_id: id, assignee: assigned, node })
    return { why: 'elsewhere', assignee: assigned, ...profile.elsewhere }
  }
  const missing = missingLabels(candidate.needs, rules.labels)
  if (missing.length > 0) {
    report.skipped_missing_labels ??= []
    report.skipped_missing_labels.push({ task_id: id, missing })
    return { why: 'missing_labels', missing }
  }
  const least = assigned === ANY ? busy.least((name) => budgetOf(facts, name) !== undefined) : undefined
  const taker = assigned !== ANY ? assigned : typeof least === 'string' ? least : undefined
  const current = taker === undefined ? 0 : busy.of(taker)
  const cap = rules.maxInProgressPerProfile
  if (cap !== null && current >= cap) {
    report.skipped_per_profile_capped.push({ task_id: id, assignee: assigned, current })
    return { why: 'per_profile_cap', assignee: assigned, current, cap }
  }
  const fullPool = typeof least === 'object' ? least : taker === undefined ? undefined : busy.fullPool(taker)
  if (fullPool !== undefined) {
    report.skipped_pool_capped ??= []
    report.skipped_pool_capped.push({
      task_id: id,
      assignee: assigned,
      pool: fullPool.pool,
      current: fullPool.current,
    })
    return { why: 'pool_cap', assignee: assigned, ...fullPool }
  }
  const guarded = guard({ ...candidate, workerEnding: facts.workerEnding(id) }, now.wallMs)
  if (guarded !== null) {
    report.respawn_guarded.push({ task_id: id, reason: guarded.reason })
    return { why: 'guarded', ...guarded }
  }
  const spent = taker === undefined ? firstToBeFree(facts) : { profile: taker, budget: budgetOf(facts, taker) }
  if (spent?.budget !== undefined) {
    report.skipped_budget_spent ??= []
    report.skipped_budget_spent.push({ task_id: id, assignee: spent.profile })
    return { why: 'budget_spent', assignee: spent.profile, ...spent.budget }
  }
  if (taker === undefined || profiles.get(taker)?.agent !== true) {
    report.skipped_unconfigured.push(id)
    return { why: 'unconfigured', assignee: assigned }
  }
  const result = yield* perform({ type: 'spawn', id, assignee: taker })
  if (result.state === 'stop') return 'stop'
  if (result.state === 'lost') return { why: 'lost' }
  if (result.state === 'refused') return { why: 'spawn_failed' }
  if (result.state === 'failed') {
    if (result.autoBlocked) report.auto_blocked.push(id)
    return { why: 'spawn_failed' }
  }
  busy.add(taker)
  if (result.state === 'unclear') return { why: 'unclear' }
  report.spawned.push({ task_id: id, assignee: taker, workspace: result.workspace ?? '' })
  return { why: 'spawn', assignee: taker, defaulted: candidate.assignee === null }
}

/** The budget of a profile, if it is spent. Without an agent it does not matter. */
const budgetOf = ({ profiles, spentBudget }: TickFacts, name: string): SpentBudget | undefined =>
  profiles.get(name)?.agent === true ? spentBudget?.(name) : undefined

/** Of profiles that have all spent their budgets, the one that may go on first. */
function firstToBeFree(facts: TickFacts): { readonly profile: string; readonly budget: SpentBudget } | undefined {
  const found = facts.profiles.names().flatMap((profile) => {
    const budget = budgetOf(facts, profile)
    return budget === undefined ? [] : [{ profile, budget }]
  })
  return found.sort((a, b) => a.budget.untilMs - b.budget.untilMs)[0]
}

function* assignDefault(id: string, rules: Rules, report: ReportDraft): Tick<string | null> {
  if (rules.defaultAssignee === null) return null
  const result = yield* perform({ type: 'assign', id, assignee: rules.defaultAssignee })
  if (result.state !== 'done') return null
  report.auto_assigned_default.push(id)
  return rules.defaultAssignee
}

/** Reads what the tick asks for, performs nothing and assumes that everything would work: a dry run. */
export async function planTick(
  facts: TickFacts,
  read: (reading: TickReading) => Promise<TickAnswer>,
): Promise<Decision> {
  const steps = tick(facts)
  let next = steps.next()
  while (!next.done) next = steps.next(isReading(next.value) ? await read(next.value) : { state: 'done' })
  return next.value
}

function countEnd(report: ReportDraft, id: string, { outcome }: RunEnd, { autoBlocked }: Settlement): void {
  if (outcome === 'reclaimed') report.reclaimed += 1
  if (outcome === 'crashed') report.crashed.push(id)
  if (outcome === 'timed_out') report.timed_out.push(id)
  if (outcome === 'stale') report.stale.push(id)
  if (outcome === 'rate_limited') report.rate_limited.push(id)
  if (autoBlocked) report.auto_blocked.push(id)
}

/**
 * Merges what became ready in this tick into the pages of ready tasks, in order and each task once: it may be in a page
 * too.
 */
function merger(freed: readonly Candidate[]): (page: ReadyPage) => readonly Candidate[] {
  const known = new Set(freed.map(({ id }) => id))
  let at = 0
  return ({ tasks, last }) => {
    const merged: Candidate[] = []
    for (const candidate of tasks) {
      if (known.has(candidate.id)) continue
      for (let next = freed[at]; next !== undefined && byPriority(next, candidate) < 0; next = freed[at]) {
        merged.push(next)
        at += 1
      }
      merged.push(candidate)
    }
    return last ? [...merged, ...freed.slice(at)] : merged
  }
}
