/** Queries of commands and the dashboard. `s` is the board's schema, quoted. */
import type { HandoverFacts, HandoverLimits } from '../handover/facts.ts'
import type { Linked, ListFilter } from '../port/board.ts'
import { handoverSql, toHandover } from '../port/handover.ts'
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
import { type BoardSettings, isSettingKey } from '../port/settings.ts'
import { ANY, type BoardEvent, type Comment, type Run, type Task } from '../task.ts'
import type { Client, Value } from './connection.ts'
import { NOW } from './schema.ts'

/** Columns of a task: `rank` is only an order. */
export const TASK = `t.seq, t.id, t.title, t.body, t.assignee, t.status, t.priority, t.created_by, t.created_at, t.started_at,
  t.completed_at, t.scheduled_at, t.workspace_kind, t.workspace_path, t.claim_lock, t.claim_expires_at, t.worker_pid,
  t.worker_start_time, t.heartbeat_at, t.failures, t.last_error, t.max_runtime_ms, t.max_retries, t.result,
  t.idempotency_key, t.current_run, t.pauses, t.paused_until, t.succeeded_at, t.changed_at, t.open_parents, t.once, t.needs,
  t.result_schema, t.result_json`

/** The longest that a transaction of ours can be under way, ms: its limits, and something for two clocks' reading. */
const OPEN_MS = 8000

export const rows = async <Row>(client: Client, sql: string, ...values: readonly Value[]): Promise<readonly Row[]> =>
  (await client.query(sql, values)).rows as Row[]

export async function findTask(client: Client, s: string, id: string): Promise<Task | undefined> {
  const [row] = await rows<TaskRow>(client, `SELECT ${TASK} FROM ${s}.tasks t WHERE id = $1`, id)
  return row && toTask(row)
}

/** The newest first. */
export async function listTasks(client: Client, s: string, filter: ListFilter): Promise<readonly Task[]> {
  const { statuses, assignee, search, quietSinceMs, limit } = filter
  const values: Value[] = [statuses, limit]
  const place = (value: Value): string => `$${values.push(value)}`
  const conditions = [
    'status = ANY ($1)',
    ...(assignee === undefined
      ? []
      : [assignee === null ? "coalesce(assignee, '') = ''" : `assignee = ${place(assignee)}`]),
    ...(search === undefined
      ? []
      : [`(strpos(lower(title), ${place(search.toLowerCase())}) > 0 OR id = ${place(search)})`]),
    ...(quietSinceMs === undefined
      ? []
      : [`greatest(created_at, changed_at, started_at, completed_at) < ${place(quietSinceMs)}`]),
  ]
  const found = await rows<TaskRow>(
    client,
    `SELECT ${TASK} FROM ${s}.tasks t WHERE ${conditions.join(' AND ')} ORDER BY seq DESC LIMIT $2`,
    ...values,
  )
  return found.map(toTask)
}

export const parentsOf = (client: Client, s: string, id: string): Promise<readonly Linked[]> =>
  rows(
    client,
    `SELECT t.id, t.title, t.status FROM ${s}.links l JOIN ${s}.tasks t ON t.id = l.parent WHERE l.child = $1 ORDER BY t.seq`,
    id,
  )

export const childrenOf = (client: Client, s: string, id: string): Promise<readonly Linked[]> =>
  rows(
    client,
    `SELECT t.id, t.title, t.status FROM ${s}.links l JOIN ${s}.tasks t ON t.id = l.child WHERE l.parent = $1 ORDER BY t.seq`,
    id,
  )

export const commentsOf = async (client: Client, s: string, id: string): Promise<readonly Comment[]> =>
  (
    await rows<CommentRow>(client, `SELECT id, author, body, at FROM ${s}.comments WHERE task_id = $1 ORDER BY id`, id)
  ).map(toComment)

/** Newest first. */
export const runsOf = async (client: Client, s: string, id: string, limit: number): Promise<readonly Run[]> =>
  (await rows<RunRow>(client, `SELECT * FROM ${s}.runs WHERE task_id = $1 ORDER BY id DESC LIMIT $2`, id, limit)).map(
    toRun,
  )

export async function handoverOf(
  client: Client,
  s: string,
  id: string,
  limits: HandoverLimits,
): Promise<HandoverFacts> {
  const dialect = {
    table: (name: string) => `${s}.${name}`,
    id: '$1',
    payload: (row: string) => `${row}.payload::text`,
    resultJson: (row: string) => `${row}.result_json`,
  }
  const sql = handoverSql(dialect, limits)
  return toHandover({
    parents: await rows(client, sql.parents, id),
    attempts: await rows(client, sql.attempts, id),
    comments: await rows(client, sql.comments, id),
    requests: await rows(client, sql.requests, id),
  })
}

/**
 * Events after `afterId`, oldest first. Ids are given before their transaction commits, so an event can become visible
 * after one with a higher id. A reader that has passed it would never see it; therefore nothing behind a gap is given
 * while a transaction that could fill the gap may still be under way.
 */
export async function eventsAfter(
  client: Client,
  s: string,
  afterId: number,
  limit: number,
  taskId?: string,
): Promise<readonly BoardEvent[]> {
  const found = await rows<EventRow>(
    client,
    `WITH recent AS (
       SELECT id, at, lag(id, 1, greatest($1 - 1000, 0)) OVER (ORDER BY id) AS before FROM ${s}.events
       WHERE id >= (SELECT coalesce(max(id), 0) FROM ${s}.events WHERE id > $1 - 1000 AND at < ${NOW} - ${OPEN_MS})
         AND id > $1 - 1000
     ), horizon AS (SELECT coalesce(min(before), ${Number.MAX_SAFE_INTEGER}) AS id FROM recent
       WHERE id <> before + 1 AND at >= ${NOW} - ${OPEN_MS})
     SELECT e.id, e.task_id, e.run_id, e.kind, e.payload::text AS payload, e.at FROM ${s}.events e
     WHERE e.id > $1 AND e.id <= (SELECT id FROM horizon) AND ($3::text IS NULL OR e.task_id = $3)
     ORDER BY e.id LIMIT $2`,
    afterId,
    limit,
    taskId ?? null,
  )
  return found.map(toEvent)
}

/** Keys of a newer version are left out. */
export async function readSettings(client: Client, s: string): Promise<BoardSettings> {
  const found = await rows<{ key: string; value: unknown }>(client, `SELECT key, value FROM ${s}.settings`)
  return Object.fromEntries(found.filter(({ key }) => isSettingKey(key)).map(({ key, value }) => [key, value]))
}

/** The last events of a task, oldest first. */
export async function lastEvents(client: Client, s: string, id: string, limit: number): Promise<readonly BoardEvent[]> {
  const found = await rows<EventRow>(
    client,
    `SELECT id, task_id, run_id, kind, payload::text AS payload, at FROM ${s}.events WHERE task_id = $1
     ORDER BY id DESC LIMIT $2`,
    id,
    limit,
  )
  return found.map(toEvent).reverse()
}

/** The id before the last `limit` events. */
export async function eventsTail(client: Client, s: string, limit: number, taskId?: string): Promise<number> {
  const [row] = await rows<{ id: number }>(
    client,
    `SELECT id FROM ${s}.events WHERE $2::text IS NULL OR task_id = $2 ORDER BY id DESC LIMIT 1 OFFSET $1`,
    limit,
    taskId ?? null,
  )
  return row?.id ?? 0
}

export async function statusCounts(client: Client, s: string): Promise<Readonly<Record<string, number>>> {
  const found = await rows<{ status: string; n: number }>(
    client,
    `SELECT status, count(*) AS n FROM ${s}.tasks GROUP BY status`,
  )
  return Object.fromEntries(found.map(({ status, n }) => [status, n]))
}

/** '' counts unassigned ones. */
export async function runningByAssignee(client: Client, s: string): Promise<Readonly<Record<string, number>>> {
  const found = await rows<{ assignee: string; n: number }>(
    client,
    `SELECT coalesce(CASE WHEN t.assignee = '${ANY}' THEN r.profile ELSE t.assignee END, '') AS assignee, count(*) AS n
     FROM ${s}.tasks t LEFT JOIN ${s}.runs r ON r.id = t.current_run WHERE t.status = 'running' GROUP BY 1`,
  )
  return Object.fromEntries(found.map(({ assignee, n }) => [assignee, n]))
}

/** Ready tasks by assignee; '' counts unassigned ones. */
export async function readyByAssignee(client: Client, s: string): Promise<Readonly<Record<string, number>>> {
  const found = await rows<{ assignee: string; n: number }>(
    client,
    `SELECT coalesce(assignee, '') AS assignee, count(*) AS n FROM ${s}.tasks WHERE status = 'ready' GROUP BY 1`,
  )
  return Object.fromEntries(found.map(({ assignee, n }) => [assignee, n]))
}
