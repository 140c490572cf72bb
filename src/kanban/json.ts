/** Tasks, events and runs as JSON: unknown facts absent, times RFC 3339 UTC, durations in ms. */
import { instantText } from '../system/instant.ts'
import type { BoardEvent, Comment, Run, Task } from './task.ts'

export const time = instantText

/** Omits keys whose value is unknown. */
const known = <T extends Record<string, unknown>>(facts: T): Partial<T> =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined && value !== null)) as Partial<T>

/** A value that was stored as JSON; a text that another tool has written stays a text. */
export function parsed(json: string | null): unknown {
  if (json === null) return undefined
  try {
    return JSON.parse(json) as unknown
  } catch {
    return json
  }
}

export const taskJson = (task: Task): Record<string, unknown> => ({
  id: task.id,
  title: task.title,
  status: task.status,
  assignee: task.assignee,
  priority: task.priority,
  ...known({
    body: task.body === '' ? undefined : task.body,
    created_by: task.createdBy,
    created_at: time(task.createdAtMs),
    started_at: time(task.startedAtMs),
    completed_at: time(task.completedAtMs),
    scheduled_at: time(task.scheduledAtMs),
    workspace_kind: task.workspaceKind,
    workspace_path: task.workspacePath,
    claim_lock: task.claimLock,
    claim_expires_at: time(task.claimExpiresAtMs),
    worker_pid: task.workerPid,
    heartbeat_at: time(task.heartbeatAtMs),
    failures: task.failures,
    last_error: task.lastError,
    max_runtime: task.maxRuntimeMs,
    max_retries: task.maxRetries,
    once: task.once || undefined,
    needs: task.needs.length === 0 ? undefined : task.needs,
    paused_until: time(task.pausedUntilMs),
    result: task.result,
    result_json: parsed(task.resultJson),
    result_schema: parsed(task.resultSchema),
    idempotency_key: task.idempotencyKey,
    current_run: task.currentRun,
  }),
})

export const eventJson = (event: BoardEvent): Record<string, unknown> => ({
  id: event.id,
  task_id: event.taskId,
  kind: event.kind,
  at: time(event.atMs),
  ...known({ run_id: event.runId }),
  payload: event.payload,
})

export const runJson = (run: Run): Record<string, unknown> => ({
  id: run.id,
  task_id: run.taskId,
  profile: run.profile,
  started_at: time(run.startedAtMs),
  ...known({
    outcome: run.outcome,
    ended_at: time(run.endedAtMs),
    exit_code: run.exitCode,
    signal: run.signal,
    summary: run.summary,
    error: run.error,
    slot: run.slot,
  }),
})

export const commentJson = (comment: Comment): Record<string, unknown> => ({
  id: comment.id,
  author: comment.author,
  at: time(comment.atMs),
  body: comment.body,
})
