/** Reads the facts for a tick from the board. */

import type { Attempt } from '../port/board.ts'
import { attemptOfDeleted, DELETED } from '../port/changes.ts'
import { type CandidateRow, type RunningRow, toCandidate, toWaiting } from '../port/rows.ts'
import type { Outcome } from '../task.ts'
import type { Candidate, WaitingTask } from '../tick.ts'
import type { Tables } from './tables.ts'

// `body` and `result` may be megabytes; a tick needs neither.
const candidate = (tables: Tables): string =>
  `t.id, t.seq, t.assignee, t.status, t.priority, t.created_at, t.paused_until, t.succeeded_at, t.changed_at,
    t.open_parents, t.claim_lock, ${tables.added('tasks.needs', 't.')}`

// INDEXED BY: without statistics SQLite takes the index over all statuses, and would sort.
const READY = "FROM tasks t INDEXED BY tasks_ready WHERE t.status = 'ready' AND t.claim_lock IS NULL"
export const readyPageSql = (
  tables: Tables,
): string => `SELECT ${candidate(tables)} ${READY} AND (t.rank, t.created_at, t.seq) > (?, ?, ?)
  ORDER BY t.rank, t.created_at, t.seq LIMIT ?`
export const promotableSql = (
  tables: Tables,
): string => `SELECT ${candidate(tables)} FROM tasks t INDEXED BY tasks_promotable
  WHERE t.status = 'todo' AND t.open_parents = 0 ORDER BY t.seq`
export const dueSql = (tables: Tables): string => `SELECT ${candidate(tables)} FROM tasks t INDEXED BY tasks_scheduled
  WHERE t.status = 'scheduled' AND t.scheduled_at <= ? ORDER BY t.scheduled_at`
const lacksResult = (tables: Tables): string =>
  tables.has('tasks.result_json') ? '(t.result_schema IS NOT NULL AND t.result_json IS NULL)' : '0'
export const runningSql = (tables: Tables): string => `SELECT ${candidate(tables)}, t.failures, t.max_retries,
    ${tables.added('tasks.once', 't.')}, ${lacksResult(tables)} AS lacks_result, t.pauses, t.started_at, t.heartbeat_at,
    t.max_runtime_ms, t.claim_expires_at, t.worker_pid, t.worker_start_time,
    r.id AS run_id, r.host, r.instance, r.slot, r.started_at AS run_started_at, r.profile
  FROM tasks t INDEXED BY tasks_running LEFT JOIN runs r ON r.id = t.current_run WHERE t.status = 'running' ORDER BY t.seq`

export const readRunning = (tables: Tables): readonly RunningRow[] => tables.all<RunningRow>(runningSql(tables))

export const readPromotable = (tables: Tables, wallMs: number): readonly WaitingTask[] =>
  [...tables.all<CandidateRow>(promotableSql(tables)), ...tables.all<CandidateRow>(dueSql(tables), wallMs)].map(
    toWaiting,
  )

export const readWaitingChildren = (tables: Tables, parent: string): readonly WaitingTask[] =>
  tables
    .all<CandidateRow>(
      `SELECT ${candidate(tables)} FROM links l JOIN tasks t ON t.id = l.child WHERE l.parent = ? AND t.status IN ('todo', 'scheduled') ORDER BY t.seq`,
      parent,
    )
    .map(toWaiting)

/** A page of ready tasks: no cursor stays open while the tick writes, and a full board reads none of them. */
export function readReady(tables: Tables, after: Candidate | null, limit: number): readonly Candidate[] {
  const key = after === null ? [Number.MIN_SAFE_INTEGER, 0, 0] : [-after.priority, after.createdAtMs, after.seq]
  return tables.all<CandidateRow>(readyPageSql(tables), ...key, limit).map(toCandidate)
}

export function readAttempt(tables: Tables, taskId: string, runId: number, slot: string): Attempt | undefined {
  const run = tables.get<{ current_run: number | null; outcome: Outcome | null; ended_at: number | null }>(
    'SELECT t.current_run, r.outcome, r.ended_at FROM tasks t JOIN runs r ON r.task_id = t.id WHERE t.id = ? AND r.id = ? AND r.slot = ?',
    taskId,
    runId,
    slot,
  )
  if (run !== undefined) return { currentRun: run.current_run, outcome: run.outcome, endedAtMs: run.ended_at }
  const gone = tables.get<{ at: number }>(
    `SELECT at FROM events WHERE task_id = ? AND kind = '${DELETED}' LIMIT 1`,
    taskId,
  )
  return gone && attemptOfDeleted(gone.at)
}

export const readTaskOfSlot = (tables: Tables, slot: string): string | undefined =>
  tables.get<{ id: string }>(
    "SELECT t.id FROM tasks t JOIN runs r ON r.id = t.current_run WHERE t.status = 'running' AND r.slot = ?",
    slot,
  )?.id
