/** Rows of the tables as the types of the core; every adapter gives rows of this form. */
import { needsOf } from '../labels.ts'
import type { ObservedWorker, RunningTask } from '../running.ts'
import {
  ANY,
  type BoardEvent,
  type Comment,
  type Outcome,
  type Run,
  type Status,
  type Task,
  type WorkspaceKind,
} from '../task.ts'
import type { Candidate, WaitingTask } from '../tick.ts'

export interface TaskRow {
  seq: number
  id: string
  title: string
  body: string
  assignee: string | null
  status: Status
  priority: number
  created_by: string
  created_at: number
  started_at: number | null
  completed_at: number | null
  scheduled_at: number | null
  workspace_kind: WorkspaceKind
  workspace_path: string | null
  claim_lock: string | null
  claim_expires_at: number | null
  worker_pid: number | null
  worker_start_time: number | null
  heartbeat_at: number | null
  failures: number
  last_error: string | null
  max_runtime_ms: number | null
  max_retries: number | null
  result: string | null
  idempotency_key: string | null
  current_run: number | null
  pauses: number
  paused_until: number | null
  succeeded_at: number | null
  changed_at: number
  open_parents: number
  /** 1: it is started at most once. */
  once: number | null
  /** As `storedNeeds` gives them. */
  needs: string | null
  result_schema: string | null
  result_json: string | null
}

/** '' means unassigned, like null. */
export const assigneeOf = (row: { readonly assignee: string | null }): string | null =>
  row.assignee === null || row.assignee.trim() === '' ? null : row.assignee

export const toTask = (row: TaskRow): Task => ({
  id: row.id,
  seq: row.seq,
  title: row.title,
  body: row.body,
  assignee: assigneeOf(row),
  status: row.status,
  priority: row.priority,
  createdBy: row.created_by,
  createdAtMs: row.created_at,
  startedAtMs: row.started_at,
  completedAtMs: row.completed_at,
  scheduledAtMs: row.scheduled_at,
  workspaceKind: row.workspace_kind,
  workspacePath: row.workspace_path,
  claimLock: row.claim_lock,
  claimExpiresAtMs: row.claim_expires_at,
  workerPid: row.worker_pid,
  workerStartTime: row.worker_start_time,
  heartbeatAtMs: row.heartbeat_at,
  failures: row.failures,
  lastError: row.last_error,
  maxRuntimeMs: row.max_runtime_ms,
  maxRetries: row.max_retries,
  once: row.once === 1,
  needs: needsOf(row.needs),
  result: row.result,
  resultSchema: row.result_schema ?? null,
  resultJson: row.result_json ?? null,
  idempotencyKey: row.idempotency_key,
  currentRun: row.current_run,
  pauses: row.pauses,
  pausedUntilMs: row.paused_until,
  succeededAtMs: row.succeeded_at,
  changedAtMs: row.changed_at,
  openParents: row.open_parents,
})

export interface RunRow {
  id: number
  task_id: string
  profile: string
  outcome: Outcome | null
  started_at: number
  ended_at: number | null
  host: string
  instance: string
  slot: string
  exit_code: number | null
  signal: string | null
  summary: string | null
  error: string | null
}

export const toRun = (row: RunRow): Run => ({
  id: row.id,
  taskId: row.task_id,
  profile: row.profile,
  outcome: row.outcome,
  startedAtMs: row.started_at,
  endedAtMs: row.ended_at,
  host: row.host,
  instance: row.instance,
  slot: row.slot,
  exitCode: row.exit_code,
  signal: row.signal,
  summary: row.summary,
  error: row.error,
})

export interface EventRow {
  id: number
  task_id: string
  run_id: number | null
  kind: string
  payload: string
  at: number
}

export const toEvent = (row: EventRow): BoardEvent => ({
  id: row.id,
  taskId: row.task_id,
  runId: row.run_id,
  kind: row.kind,
  payload: parsePayload(row.payload),
  atMs: row.at,
})

function parsePayload(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : { value }
  } catch {
    // Another tool may have written something else there; show it unchanged.
    return { text }
  }
}

export interface CommentRow {
  id: number
  author: string
  body: string
  at: number
}

export const toComment = (row: CommentRow): Comment => ({
  id: row.id,
  author: row.author,
  body: row.body,
  atMs: row.at,
})

/** The columns that a tick needs of a task. */
export type CandidateRow = Pick<
  TaskRow,
  | 'id'
  | 'seq'
  | 'assignee'
  | 'status'
  | 'priority'
  | 'created_at'
  | 'paused_until'
  | 'succeeded_at'
  | 'changed_at'
  | 'open_parents'
  | 'claim_lock'
  | 'needs'
>

export type RunningRow = CandidateRow &
  Pick<
    TaskRow,
    | 'failures'
    | 'max_retries'
    | 'once'
    | 'pauses'
    | 'started_at'
    | 'heartbeat_at'
    | 'max_runtime_ms'
    | 'claim_expires_at'
    | 'worker_pid'
    | 'worker_start_time'
  > & {
    readonly run_id: number | null
    readonly host: string | null
    readonly instance: string | null
    readonly slot: string | null
    readonly run_started_at: number | null
    /** 1: it has a schema for its result, and no such result yet. */
    readonly lacks_result: number
    /** True: it has no children. Absent: unknown. */
    readonly childless?: boolean
    /** Of the run. */
    readonly profile: string | null
  }

export const toCandidate = (row: CandidateRow): Candidate => ({
  id: row.id,
  seq: row.seq,
  assignee: assigneeOf(row),
  priority: row.priority,
  createdAtMs: row.created_at,
  pausedUntilMs: row.paused_until,
  succeededAtMs: row.succeeded_at,
  changedAtMs: row.changed_at,
  needs: needsOf(row.needs),
})

export const toWaiting = (row: CandidateRow): WaitingTask => ({
  ...toCandidate(row),
  status: row.status === 'scheduled' ? 'scheduled' : 'todo',
  openParents: row.open_parents,
  claimed: row.claim_lock !== null,
})

export const toRunning = (row: RunningRow, seen: ObservedWorker): RunningTask & Candidate => ({
  ...toCandidate(row),
  profile: row.assignee === ANY ? row.profile : assigneeOf(row),
  openParents: row.open_parents,
  failures: row.failures,
  maxRetries: row.max_retries,
  once: row.once === 1,
  pauses: row.pauses,
  startedAtMs: row.started_at,
  heartbeatAtMs: row.heartbeat_at,
  maxRuntimeMs: row.max_runtime_ms,
  claimed: row.claim_lock !== null,
  claimExpiresAtMs: row.claim_expires_at,
  workerPid: row.worker_pid,
  run: row.run_id === null ? null : { id: row.run_id, host: row.host ?? '', instance: row.instance ?? '' },
  lacksResult: row.lacks_result === 1,
  childless: row.childless === true,
  seen,
})
