/** Queries of commands and the dashboard. */
import type { HandoverFacts, HandoverLimits } from '../handover/facts.ts'
import type { Linked, ListFilter } from '../port/board.ts'
import { handoverSql, toHandover } from '../port/handover.ts'
import { noTask } from '../port/refusals.ts'
import {
  type CommentRow,
  type EventRow,
  type RunRow,
  type TaskRow,
  toComment,
  toEvent,
  toRun,
  toTask,
} from '../port/rows.ts'
import { ANY, type BoardEvent, type Comment, type Run, type Task } from '../task.ts'
import type { Tables } from './tables.ts'

export function findTask(tables: Tables, id: string): Task | undefined {
  const row = tables.get<TaskRow>('SELECT * FROM tasks WHERE id = ?', id)
  return row && toTask(row)
}

/** @throws HermesError FAILED */
export function requireTask(tables: Tables, id: string): Task {
  const task = findTask(tables, id)
  if (task) return task
  throw noTask(tables.place.slug, id)
}

export const LIST_SQL = 'SELECT * FROM tasks INDEXED BY tasks_status WHERE status = ? ORDER BY seq DESC LIMIT ?'
export const LIST_OF_SQL =
  'SELECT * FROM tasks INDEXED BY tasks_assignee WHERE assignee IS ? AND status = ? ORDER BY seq DESC LIMIT ?'

const SEARCH_SQL = ' AND (instr(lower(title), ?) > 0 OR id = ?)'
const QUIET_SQL = ' AND max(created_at, changed_at, coalesce(started_at, 0), coalesce(completed_at, 0)) < ?'

/** The newest first. Each status by its index, then merged: a board of 100,000 done tasks costs what is shown. */
export function listTasks(tables: Tables, filter: ListFilter): readonly Task[] {
  const { statuses, assignee, search, quietSinceMs, limit } = filter
  const further: readonly (readonly [string, ...(string | number)[]])[] = [
    ...(search === undefined ? [] : [[SEARCH_SQL, search.toLowerCase(), search] as const]),
    ...(quietSinceMs === undefined ? [] : [[QUIET_SQL, quietSinceMs] as const]),
  ]
  const conditions = further.map(([sql]) => sql).join('')
  const select = (sql: string, ...values: readonly (string | null)[]): readonly TaskRow[] =>
    tables.all<TaskRow>(
      sql.replace(' ORDER BY', `${conditions} ORDER BY`),
      ...values,
      ...further.flatMap(([, ...given]) => given),
      limit,
    )
  const rows = statuses.flatMap((status) => {
    if (assignee === undefined) return select(LIST_SQL, status)
    const found = select(LIST_OF_SQL, assignee, status)
    return assignee === null ? [...found, ...select(LIST_OF_SQL, '', status)] : found
  })
  return rows
    .sort((a, b) => b.seq - a.seq)
    .slice(0, limit)
    .map(toTask)
}

export const parentsOf = (tables: Tables, id: string): readonly Linked[] =>
  tables.all(
    'SELECT t.id, t.title, t.status FROM links l JOIN tasks t ON t.id = l.parent WHERE l.child = ? ORDER BY t.seq',
    id,
  )

export const childrenOf = (tables: Tables, id: string): readonly Linked[] =>
  tables.all(
    'SELECT t.id, t.title, t.status FROM links l JOIN tasks t ON t.id = l.child WHERE l.parent = ? ORDER BY t.seq',
    id,
  )

export const commentsOf = (tables: Tables, id: string): readonly Comment[] =>
  tables.all<CommentRow>('SELECT id, author, body, at FROM comments WHERE task_id = ? ORDER BY id', id).map(toComment)

/** Newest first. */
export const runsOf = (tables: Tables, id: string, limit: number): readonly Run[] =>
  tables.all<RunRow>('SELECT * FROM runs WHERE task_id = ? ORDER BY id DESC LIMIT ?', id, limit).map(toRun)

export function handoverOf(tables: Tables, id: string, limits: HandoverLimits): HandoverFacts {
  const hasJson = tables.has('tasks.result_json')
  const dialect = {
    table: (name: string) => name,
    id: '?',
    payload: (row: string) => `${row}.payload`,
    resultJson: (row: string) => (hasJson ? `${row}.result_json` : 'NULL'),
  }
  const sql = handoverSql(dialect, limits)
  return toHandover({
    parents: tables.all(sql.parents, id),
    attempts: tables.all(sql.attempts, id),
    comments: tables.all(sql.comments, id),
    requests: tables.all(sql.requests, id),
  })
}

/** Events after `afterId`, oldest first; of one task or of the whole board. */
export function eventsAfter(tables: Tables, afterId: number, limit: number, taskId?: string): readonly BoardEvent[] {
  const rows =
    taskId === undefined
      ? tables.all<EventRow>('SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?', afterId, limit)
      : tables.all<EventRow>(
          'SELECT * FROM events WHERE task_id = ? AND id > ? ORDER BY id LIMIT ?',
          taskId,
          afterId,
          limit,
        )
  return rows.map(toEvent)
}

/** The id before the last `limit` events. */
export function eventsTail(tables: Tables, limit: number, taskId?: string): number {
  const row =
    taskId === undefined
      ? tables.get<{ id: number }>('SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?', limit)
      : tables.get<{ id: number }>(
          'SELECT id FROM events WHERE task_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?',
          taskId,
          limit,
        )
  return row?.id ?? 0
}

export function statusCounts(tables: Tables): Readonly<Record<string, number>> {
  const rows = tables.all<{ status: string; n: number }>('SELECT status, count(*) AS n FROM tasks GROUP BY status')
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]))
}

/** Running tasks by assignee; '' counts unassigned ones. */
export function runningByAssignee(tables: Tables): Readonly<Record<string, number>> {
  const rows = tables.all<{ assignee: string | null; n: number }>(
    `SELECT CASE WHEN t.assignee = '${ANY}' THEN r.profile ELSE t.assignee END AS assignee, count(*) AS n
     FROM tasks t INDEXED BY tasks_running LEFT JOIN runs r ON r.id = t.current_run WHERE t.status = 'running' GROUP BY 1`,
  )
  return Object.fromEntries(rows.map(({ assignee, n }) => [assignee ?? '', n]))
}

/** Ready tasks by assignee; '' counts unassigned ones. Reads the ready tasks only. */
export function readyByAssignee(tables: Tables): Readonly<Record<string, number>> {
  const rows = tables.all<{ assignee: string; n: number }>(
    `SELECT coalesce(assignee, '') AS assignee, count(*) AS n FROM tasks INDEXED BY tasks_ready
     WHERE status = 'ready' GROUP BY 1`,
  )
  return Object.fromEntries(rows.map(({ assignee, n }) => [assignee, n]))
}
