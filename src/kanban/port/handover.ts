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
  /** The payload of an event `row`, as a text. */
  readonly payload: (row: string) => string
  /** The result of a task `row` as JSON: NULL if the board, which is only read, does not have it yet. */
  readonly resultJson: (row: string) => string
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
    columns: `r.id, r.title, r.status, r.result, ${resultJson('r')} AS result_json, r.completed_at`,
    table: table('tasks'),
    from: `${table('links')} l JOIN ${table('tasks')} t ON t.id = l.parent WHERE l.child = ${id}`,
    order: ['coalesce(t.completed_at, 0)', 't.seq'],
    texts: ['t.result', resultJson('t')],
  }),
  attempts: newest(limits, {
    columns: 'r.*',
    table: table('runs'),
    from: `${table('runs')} t WHERE t.task_id = ${id} AND t.ended_at IS NOT NULL`,
    order: ['t.id'],
    texts: ['t.summary', 't.error'],
  }),
  comments: newest(limits, {
    columns: 'r.id, r.author, r.body, r.at',
    table: table('comments'),
    from: `${table('comments')} t WHERE t.task_id = ${id}`,
    order: ['t.id'],
    texts: ['t.body'],
  }),
  requests: newest(limits, {
    columns: `r.id, r.task_id, r.run_id, r.kind, ${payload('r')} AS payload, r.at`,
    table: table('events'),
    from: `${table('events')} t WHERE t.task_id = ${id} AND t.kind = '${CHANGES_REQUESTED}'`,
    order: ['t.id'],
    texts: [payload('t')],
  }),
})

interface Query {
  /** Of the row `r`. */
  readonly columns: string
  readonly table: string
  /** FROM and WHERE of the rows `t`. */
  readonly from: string
  /** Columns by which the newest row is the last one. */
  readonly order: readonly string[]
  /** Columns that may be long. */
  readonly texts: readonly string[]
}

/**
 * The newest rows as far as the limits allow, oldest first. They are chosen by their sizes, which both databases know
 * without reading the texts; MATERIALIZED, because SQLite would carry the texts themselves into the window.
 */
function newest({ entries, bytes }: HandoverLimits, { columns, table, from, order, texts }: Query): string {
  const size = texts.map((text) => `coalesce(octet_length(${text}), 0)`).join(' + ')
  const keys = order.map((column, at) => `${column} AS key_${at}`).join(', ')
  return `WITH sized AS MATERIALIZED (SELECT t.id AS chosen, ${size} AS row_bytes, ${keys} FROM ${from}),
  placed AS (
    SELECT chosen, row_bytes, row_number() OVER newest AS place, count(*) OVER () AS of_all,
      sum(row_bytes) OVER (newest ROWS UNBOUNDED PRECEDING) AS bytes_so_far
    FROM sized WINDOW newest AS (ORDER BY ${order.map((_, at) => `key_${at} DESC`).join(', ')})
  )
  SELECT ${columns}, of_all FROM placed JOIN ${table} r ON r.id = chosen
  WHERE place <= ${entries} AND bytes_so_far - row_bytes < ${bytes} ORDER BY place DESC`
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
