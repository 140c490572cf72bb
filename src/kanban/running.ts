/** Judges a running task from its row, its run and the state of its process. */
import { elapsedText } from '../system/text/span.ts'
import { looksLikeQuotaOrAuth, pauseMs } from './guard.ts'
import type { Rules } from './rules.ts'
import { type Outcome, readyOrTodo, type Status } from './task.ts'

/** Lifetime of a claim that is not extended. */
export const CLAIM_TTL_MS = 900_000
/** A long run without a sign of life for so long is stale. */
const HEARTBEAT_SILENCE_MS = 3_600_000
/** EX_TEMPFAIL: the worker reports that it was refused for now. */
const EXIT_RATE_LIMITED = 75

/** State of a worker's process. `unknown`: it runs, or ran, on another machine. */
export type ObservedWorker =
  | { readonly state: 'alive'; readonly pid: number | null }
  | { readonly state: 'gone' }
  | { readonly state: 'unknown' }
  /** On another node. `isOver`: its lease has lapsed, and the node has ended its workers before. */
  | { readonly state: 'elsewhere'; readonly node: string; readonly silentMs: number; readonly isOver: boolean }
  /**
   * Result of the worker's job. `asked`: it was stopped on request. `output`: its last output. `reason`: why there is
   * no result.
   */
  | {
      readonly state: 'ended'
      readonly exitCode: number | null
      readonly signal: string | null
      readonly asked: boolean
      readonly output: string
      readonly reason?: string
    }

export interface RunningTask {
  readonly id: string
  readonly assignee: string | null
  /** The profile whose place it takes; null: none, since it was set running by hand. */
  readonly profile: string | null
  readonly openParents: number
  readonly failures: number
  readonly maxRetries: number | null
  readonly once: boolean
  readonly pauses: number
  readonly startedAtMs: number | null
  readonly heartbeatAtMs: number | null
  readonly maxRuntimeMs: number | null
  readonly claimed: boolean
  /** Its result has to fit a schema, and it has none yet. */
  readonly lacksResult: boolean
  /** True: it has no children to read. */
  readonly childless?: boolean
  readonly claimExpiresAtMs: number | null
  readonly workerPid: number | null
  readonly run: { readonly id: number; readonly host: string; readonly instance: string } | null
  readonly seen: ObservedWorker
}

export interface Now {
  readonly wallMs: number
  /** The wall clock has jumped: nothing is called expired, stale or too long. */
  readonly afterJump: boolean
  readonly host: string
  /** Id of this container's life; null: no supervisor to ask. */
  readonly instance: string | null
}

/** The end of a run, and what it means for the task. */
export interface RunEnd {
  readonly outcome: Outcome
  readonly failure: boolean
  /** A process may still live: it must be gone before the task moves. */
  readonly stop: boolean
  /** No worker has ever run. */
  readonly unstarted?: true
  readonly exitCode?: number
  readonly signal?: string
  readonly summary?: string
  readonly error?: string
  /** The worker's last output looks like a quota or authentication error. */
  readonly refused?: true
}

export type RunVerdict =
  | { readonly do: 'keep' }
  | { readonly do: 'extend' }
  | { readonly do: 'end'; readonly end: RunEnd }

/** Checks in the order of docs/kanban.md, "The tick". */
export function judgeRunning(task: RunningTask, rules: Rules, now: Now): RunVerdict {
  const { seen, run } = task
  // Set running by hand, or by another tool: it counts as running, and we leave it alone.
  if (run === null && !task.claimed && task.workerPid === null) return { do: 'keep' }
  // Only the node of a run knows about its worker.
  if (seen.state === 'elsewhere')
    return seen.isOver
      ? reclaim(`node ${seen.node} has not been heard of for ${elapsedText(seen.silentMs)}`)
      : { do: 'keep' }
  // A result that was kept is taken first, however late: the work must not be done twice.
  if (seen.state === 'ended') return { do: 'end', end: endOf(seen, task.lacksResult) }
  const otherLife = run !== null && now.instance !== null && run.host === now.host && run.instance !== now.instance
  if (otherLife && seen.state !== 'alive') return reclaim('the container it ran in has ended')
  const expired = task.claimExpiresAtMs !== null && task.claimExpiresAtMs <= now.wallMs && !now.afterJump
  if (seen.state === 'unknown') return expired ? reclaim('its claim expired') : { do: 'keep' }
  if (seen.state === 'gone') {
    if (expired) return reclaim('its claim expired, and its worker is gone')
    // Claimed by a dispatcher that was killed before it had started anything.
    if (task.workerPid === null) return run === null ? { do: 'keep' } : neverStarted
    return fail('crashed', 'the worker is gone without a result', false)
  }
  const ranMs = task.startedAtMs === null ? 0 : now.wallMs - task.startedAtMs
  if (!now.afterJump && task.maxRuntimeMs !== null && ranMs > task.maxRuntimeMs) {
    return fail('timed_out', `it ran longer than its ${Math.round(task.maxRuntimeMs / 1000)} s`, true)
  }
  const silentMs = now.wallMs - Math.max(task.heartbeatAtMs ?? 0, task.startedAtMs ?? 0)
  if (!now.afterJump && ranMs > rules.staleAfterMs && silentMs > HEARTBEAT_SILENCE_MS) {
    const error = `no heartbeat for ${Math.round(silentMs / 60_000)} min`
    return { do: 'end', end: { outcome: 'stale', failure: false, stop: true, error } }
  }
  return expired ? { do: 'extend' } : { do: 'keep' }
}

const reclaim = (error: string): RunVerdict => ({
  do: 'end',
  end: { outcome: 'reclaimed', failure: false, stop: false, error },
})
const neverStarted: RunVerdict = {
  do: 'end',
  end: { outcome: 'reclaimed', failure: false, stop: false, unstarted: true, error: 'its worker was never started' },
}
const fail = (outcome: Outcome, error: string, stop: boolean): RunVerdict => ({
  do: 'end',
  end: { outcome, failure: true, stop, error },
})

function endOf(seen: Extract<ObservedWorker, { state: 'ended' }>, lacksResult: boolean): RunEnd {
  const how = {
    ...(seen.exitCode === null ? {} : { exitCode: seen.exitCode }),
    ...(seen.signal === null ? {} : { signal: seen.signal }),
  }
  const summary = seen.output === '' ? {} : { summary: seen.output }
  // Regardless of its exit code: many programs exit with 0 when they are stopped in the middle of their work.
  if (seen.asked) return { outcome: 'reclaimed', failure: false, stop: false, ...how, error: 'its worker was stopped' }
  if (seen.exitCode === 0 && lacksResult) {
    const error = 'exit code 0, but without the result that its schema asks for (complete --result-json)'
    return { outcome: 'crashed', failure: true, stop: false, ...how, ...summary, error }
  }
  if (seen.exitCode === 0) return { outcome: 'completed', failure: false, stop: false, ...how, ...summary }
  const last = seen.output.split('\n').at(-1) ?? ''
  const what =
    seen.signal !== null
      ? `killed by SIG${seen.signal}`
      : seen.exitCode !== null
        ? `exit code ${seen.exitCode}`
        : (seen.reason ?? 'no result')
  const error = last === '' ? what : `${what}: ${last.slice(-500)}`
  const outcome = seen.exitCode === EXIT_RATE_LIMITED ? 'rate_limited' : 'crashed'
  const refused = looksLikeQuotaOrAuth(last) ? ({ refused: true } as const) : {}
  return { outcome, failure: outcome === 'crashed', stop: false, ...how, ...summary, ...refused, error }
}

/** Changes to a task at the end of a run. */
export interface Settlement {
  readonly status: Status
  readonly failures: number
  readonly pauses: number
  readonly pausedUntilMs: number | null
  /** The task is blocked: the failure limit was reached just now, or it may be started only once. */
  readonly autoBlocked: boolean
  /** Why it is blocked, if the error of the run alone does not say it. */
  readonly reason?: string
}

/**
 * Counts failures and pauses in a row. A reclaimed run leaves both counters unchanged. A task that may be started only
 * once is blocked by every run that has begun and did not complete it.
 * @param task the task before the end of the run
 */
export function settle(
  task: Pick<RunningTask, 'failures' | 'maxRetries' | 'once' | 'pauses' | 'openParents'>,
  end: Pick<RunEnd, 'outcome' | 'failure' | 'refused' | 'unstarted' | 'exitCode' | 'error'>,
  rules: Pick<Rules, 'failureLimit' | 'requireReview'>,
  nowMs: number,
): Settlement {
  if (end.outcome === 'completed') {
    const status = rules.requireReview ? 'review' : 'done'
    return { status, failures: 0, pauses: 0, pausedUntilMs: null, autoBlocked: false }
  }
  const paused = end.outcome === 'rate_limited' || (end.failure && end.refused === true)
  const failures = end.failure ? task.failures + 1 : task.failures
  const pauses = paused ? task.pauses + 1 : end.failure ? 0 : task.pauses
  const isSpent = task.once && end.unstarted !== true
  const autoBlocked = isSpent || (end.failure && failures >= (task.maxRetries ?? rules.failureLimit))
  return {
    status: autoBlocked ? 'blocked' : readyOrTodo(task.openParents),
    failures,
    pauses,
    pausedUntilMs: paused ? nowMs + pauseMs(pauses) : null,
    autoBlocked,
    ...(isSpent && { reason: reasonOfSpent(end) }),
  }
}

/** The exit code of a worker that was not asked to end is its own word that the work is not done. */
function reasonOfSpent({ outcome, exitCode, error = outcome }: Parameters<typeof settle>[1]): string {
  return exitCode !== undefined && outcome !== 'reclaimed'
    ? `${error}; it was created with --once, so it is not started again`
    : `it is not known whether it was done: ${error}`
}
