/** How an adapter reads what is handed over: the same SQL in every one, and its rows as the types of the core. */
import type { ChangeRequest, HandoverFacts, HandoverLimits, ParentResult, Part } from '../handover/facts.ts'
import type { Status } from '../task.ts'
import { type CommentRow, type EventRow, type RunRow, toComment, toEvent, toRun } from './rows.ts'

/** Differences between the databases. */
export interface Dialect {
  /** A table of the board, as a query names it. */
  readonly table: (name: string) => string
  /** The place of the only value, the id of the task. */
  readonly id: string
  /** The payload of an event, as a text. */
  readonly payload: string
  /** The result of a task `t` as JSON: NULL if the board, which is only read, does not have it yet. */
  readonly resultJson: string
}

export interface HandoverRows {
  readonly parents: readonly (ParentRow & Counted)[]
  readonly attempts: readonly (RunRow & Counted)[]
  readonly comments: readonly (CommentRow & Counted)[]
  readonly requests: readonly (EventRow & Counted)[]
}

interface ParentRow {
  readonly id: string
  readonly title: string
  readonly status: Status
  readonly result: string | null
  readonly result_json: string | null
  readonly completed_at: number | null
}

interface Counted {
  /** Rows that there are, read or not. */
  readonly of_all: number
}

/** The kind of the event of a review that was not satisfied. */
export const CHANGES_REQUESTED = 'changes_requested'

/** A query for each part; its only value is the id of the task. */
export const handoverSql = (
  { table, id, payload, resultJson }: Dialect,
  limits: HandoverLimits,
): Readonly<Record<keyof HandoverRows, string>> => ({
  parents: newest(limits, {
    columns: `t.id, t.title, t.status, t.result, ${resultJson} AS result_json, t.completed_at`,
    from: `${table('links')} l JOIN ${table('tasks')} t ON t.id = l.parent WHERE l.child = ${id}`,
    order: ['coalesce(t.completed_at, 0)', 't.seq'],
    texts: ['t.result', resultJson],
  }),
  attempts: newest(limits, {
    columns: '*',
    from: `${table('runs')} WHERE task_id = ${id} AND ended_at IS NOT NULL`,
    order: ['id'],
    texts: ['summary', 'error'],
  }),
  comments: newest(limits, {
    columns: 'id, author, body, at',
    from: `${table('comments')} WHERE task_id = ${id}`,
    order: ['id'],
    texts: ['body'],
  }),
  requests: newest(limits, {
    columns: `id, task_id, run_id, kind, ${payload} AS payload, at`,
    from: `${table('events')} WHERE task_id = ${id} AND kind = '${CHANGES_REQUESTED}'`,
    order: ['id'],
    texts: [payload],
  }),
})

interface Query {
  readonly columns: string
  /** FROM and WHERE. */
  readonly from: string
  /** Columns by which the newest row is the last one. */
  readonly order: readonly string[]
  /** Columns that may be long. */
  readonly texts: readonly string[]
}

/** The newest rows as far as the limits allow, oldest first. */
function newest({ entries, bytes }: HandoverLimits, { columns, from, order, texts }: Query): string {
  const size = texts.map((text) => `octet_length(coalesce(${text}, ''))`).join(' + ')
  return `SELECT * FROM (
    SELECT ${columns}, ${size} AS row_bytes, row_number() OVER newest AS row_place, count(*) OVER () AS of_all,
      sum(${size}) OVER (newest ROWS UNBOUNDED PRECEDING) AS bytes_so_far
    FROM ${from} WINDOW newest AS (ORDER BY ${order.map((column) => `${column} DESC`).join(', ')})
  ) AS found WHERE row_place <= ${entries} AND bytes_so_far - row_bytes < ${bytes} ORDER BY row_place DESC`
}

export const toHandover = ({ parents, attempts, comments, requests }: HandoverRows): HandoverFacts => ({
  parents: partOf(parents, toParent),
  attempts: partOf(attempts, toRun),
  comments: partOf(comments, toComment),
  requests: partOf(requests, toRequest),
})

const partOf = <Row extends Counted, T>(rows: readonly Row[], to: (row: Row) => T): Part<T> => ({
  entries: rows.map(to),
  omitted: Number(rows[0]?.of_all ?? 0) - rows.length,
})

const toParent = ({ id, title, status, result, result_json, completed_at }: ParentRow): ParentResult => ({
  id,
  title,
  status,
  result,
  resultJson: result_json,
  completedAtMs: completed_at,
})

function toRequest(row: EventRow): ChangeRequest {
  const { payload, atMs } = toEvent(row)
  return { by: textOf(payload.by), text: textOf(payload.reason), atMs }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
