/** Reads the facts for a tick from the board. */

import type { ObservedWorker, RunningTask } from '../running.ts'
import type { Board } from '../store/board.ts'
import { assigneeOf, type TaskRow } from '../store/rows.ts'
import type { Candidate, WaitingTask } from '../tick.ts'

// `body` and `result` may be megabytes; a tick needs neither.
const CANDIDATE =
  't.id, t.seq, t.assignee, t.status, t.priority, t.created_at, t.paused_until, t.succeeded_at, t.changed_at, t.open_parents, t.claim_lock'

// INDEXED BY: without statistics SQLite takes the index over all statuses, and would sort.
const READY = "FROM tasks t INDEXED BY tasks_ready WHERE t.status = 'ready' AND t.claim_lock IS NULL"
export const READY_PAGE_SQL = `SELECT ${CANDIDATE} ${READY} AND (t.rank, t.created_at, t.seq) > (?, ?, ?)
  ORDER BY t.rank, t.created_at, t.seq LIMIT ?`
export const PROMOTABLE_SQL = `SELECT ${CANDIDATE} FROM tasks t INDEXED BY tasks_promotable
  WHERE t.status = 'todo' AND t.open_parents = 0 ORDER BY t.seq`
export const DUE_SQL = `SELECT ${CANDIDATE} FROM tasks t INDEXED BY tasks_scheduled
  WHERE t.status = 'scheduled' AND t.scheduled_at <= ? ORDER BY t.scheduled_at`
export const RUNNING_SQL = `SELECT ${CANDIDATE}, t.failures, t.max_retries, t.pauses, t.started_at, t.heartbeat_at,
    t.max_runtime_ms, t.claim_expires_at, t.worker_pid, t.worker_start_time,
    r.id AS run_id, r.host, r.instance, r.slot, r.started_at AS run_started_at
  FROM tasks t INDEXED BY tasks_running LEFT JOIN runs r ON r.id = t.current_run WHERE t.status = 'running' ORDER BY t.seq`

type CandidateRow = Pick<
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
>

export type RunningRow = CandidateRow &
  Pick<
    TaskRow,
    | 'failures'
    | 'max_retries'
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
  }

const toCandidate = (row: CandidateRow): Candidate => ({
  id: row.id,
  seq: row.seq,
  assignee: assigneeOf(row),
  priority: row.priority,
  createdAtMs: row.created_at,
  pausedUntilMs: row.paused_until,
  succeededAtMs: row.succeeded_at,
  changedAtMs: row.changed_at,
})

const toWaiting = (row: CandidateRow): WaitingTask => ({
  ...toCandidate(row),
  status: row.status === 'scheduled' ? 'scheduled' : 'todo',
  openParents: row.open_parents,
  claimed: row.claim_lock !== null,
})

export const readRunning = (board: Board): readonly RunningRow[] => board.all<RunningRow>(RUNNING_SQL)

export const toRunning = (row: RunningRow, seen: ObservedWorker): RunningTask & Candidate => ({
  ...toCandidate(row),
  openParents: row.open_parents,
  failures: row.failures,
  maxRetries: row.max_retries,
  pauses: row.pauses,
  startedAtMs: row.started_at,
  heartbeatAtMs: row.heartbeat_at,
  maxRuntimeMs: row.max_runtime_ms,
  claimed: row.claim_lock !== null,
  claimExpiresAtMs: row.claim_expires_at,
  workerPid: row.worker_pid,
  run: row.run_id === null ? null : { id: row.run_id, host: row.host ?? '', instance: row.instance ?? '' },
  seen,
})

export const readPromotable = (board: Board, wallMs: number): readonly WaitingTask[] =>
  [...board.all<CandidateRow>(PROMOTABLE_SQL), ...board.all<CandidateRow>(DUE_SQL, wallMs)].map(toWaiting)

export const readWaitingChildren = (board: Board, parent: string): readonly WaitingTask[] =>
  board
    .all<CandidateRow>(
      `SELECT ${CANDIDATE} FROM links l JOIN tasks t ON t.id = l.child WHERE l.parent = ? AND t.status IN ('todo', 'scheduled') ORDER BY t.seq`,
      parent,
    )
    .map(toWaiting)

const PAGE = 500

/**
 * Ready tasks in order, a page at a time: no cursor stays open while the tick writes, and a full board reads none of
 * them.
 */
export function* readReady(board: Board, pageSize = PAGE): Generator<Candidate> {
  let after: readonly [number, number, number] = [Number.MIN_SAFE_INTEGER, 0, 0]
  for (;;) {
    const rows = board.all<CandidateRow>(READY_PAGE_SQL, ...after, pageSize)
    yield* rows.map(toCandidate)
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return
    after = [-last.priority, last.created_at, last.seq]
  }
}
