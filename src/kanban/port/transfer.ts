/** The rows of a board as they are copied from one to another: every column by its name, instants in milliseconds. */
import type { Row as RoutineRow } from '../routines/row.ts'
import type { CommentRow, EventRow, RunRow, TaskRow } from './rows.ts'

/**
 * `integer` has 32 bits, `number` 53. A question mark: it may be null, and is if the source does not have the column.
 * `json`: any value, with the keys of its objects in order.
 */
export type ColumnKind = 'text' | 'text?' | 'integer' | 'integer?' | 'number' | 'number?' | 'json'

type Columns<Row> = { readonly [Name in keyof Row]-?: ColumnKind }

/**
 * The tables in the order in which they can be filled, and every column that is stored; `open_parents` follows from
 * the links.
 */
export const COLUMNS = {
  tasks: {
    seq: 'number',
    id: 'text',
    title: 'text',
    body: 'text',
    assignee: 'text?',
    status: 'text',
    priority: 'integer',
    created_by: 'text',
    created_at: 'number',
    started_at: 'number?',
    completed_at: 'number?',
    scheduled_at: 'number?',
    workspace_kind: 'text',
    workspace_path: 'text?',
    claim_lock: 'text?',
    claim_expires_at: 'number?',
    worker_pid: 'number?',
    worker_start_time: 'number?',
    heartbeat_at: 'number?',
    failures: 'integer',
    last_error: 'text?',
    max_runtime_ms: 'number?',
    max_retries: 'integer?',
    result: 'text?',
    idempotency_key: 'text?',
    current_run: 'number?',
    pauses: 'integer',
    paused_until: 'number?',
    succeeded_at: 'number?',
    changed_at: 'number',
    once: 'integer?',
    needs: 'text?',
    result_schema: 'text?',
    result_json: 'text?',
  } satisfies Columns<Omit<TaskRow, 'open_parents'>>,
  links: { parent: 'text', child: 'text' },
  runs: {
    id: 'number',
    task_id: 'text',
    profile: 'text',
    outcome: 'text?',
    started_at: 'number',
    ended_at: 'number?',
    host: 'text',
    instance: 'text',
    slot: 'text',
    exit_code: 'integer?',
    signal: 'text?',
    summary: 'text?',
    error: 'text?',
  } satisfies Columns<RunRow>,
  comments: { id: 'number', task_id: 'text', author: 'text', body: 'text', at: 'number' } satisfies Columns<
    CommentRow & { task_id: string }
  >,
  events: {
    id: 'number',
    task_id: 'text',
    run_id: 'number?',
    kind: 'text',
    payload: 'json',
    at: 'number',
  } satisfies Columns<EventRow>,
  routines: {
    name: 'text',
    cron: 'text',
    tz: 'text',
    catch_up: 'text',
    task: 'text',
    paused: 'integer',
    created_by: 'text',
    created_at: 'number',
    settled_until: 'number',
  } satisfies Columns<RoutineRow>,
} as const

/**
 * The table that was added later: a board has it since its first routine. A board without routines is written without
 * a word about them, as older versions write and read it.
 */
export const ADDED_TABLE = 'routines' satisfies TableName

/**
 * Columns that were added later. A row in which they are null is written without them, so that an older version reads
 * it, and an older export stays the same text.
 */
export const ADDED_COLUMNS: Readonly<Partial<Record<TableName, readonly string[]>>> = {
  tasks: ['once', 'needs', 'result_schema', 'result_json'],
}

export type TableName = keyof typeof COLUMNS
export const TABLES = Object.keys(COLUMNS) as readonly TableName[]
export const columnsOf = (table: TableName): Readonly<Record<string, ColumnKind>> => COLUMNS[table]

/** The columns that order the rows of a table. */
export const KEY: Readonly<Record<TableName, readonly string[]>> = {
  tasks: ['seq'],
  links: ['parent', 'child'],
  runs: ['id'],
  comments: ['id'],
  events: ['id'],
  routines: ['name'],
}

/** The tables that number their rows. A number is never given twice, not even after its row was removed. */
export const NUMBERED = ['tasks', 'runs', 'comments', 'events'] as const satisfies readonly TableName[]
export type LastNumbers = Readonly<Record<(typeof NUMBERED)[number], number>>

/** A value of a `json` column is what JSON.parse returns. */
export type CopiedRow = Readonly<Record<string, unknown>>

/** A read of at most so many rows, or of the first ones that have so many characters. */
export const READ_ROWS = 2000
export const READ_CHARACTERS = 4_000_000

/** One view of all rows; nothing that others write is in it. */
export interface Snapshot {
  /** The next rows in the order of their {@link KEY}, after `after`; empty: that was the last one. */
  read(table: TableName, after: CopiedRow | undefined): Promise<readonly CopiedRow[]>
  /** The last number that each table has given. */
  lastNumbers(): Promise<LastNumbers>
}

/** A board without rows, in a transaction that fills it. */
export interface Intake extends Snapshot {
  /** Must be called in the order of {@link TABLES}. */
  add(table: TableName, rows: readonly CopiedRow[]): Promise<void>
  /** Counting goes on behind these numbers, or behind the board's own if they are higher. */
  countFrom(last: LastNumbers): Promise<void>
  /** A text as this board keeps it: not every database keeps every character. */
  kept(text: string): string
}

/** A value of a `json` column with the keys of its objects in order. @param text of each string */
export function inOrder(value: unknown, text: (text: string) => string = (same) => same): unknown {
  if (typeof value === 'string') return text(value)
  if (Array.isArray(value)) return value.map((one) => inOrder(one, text))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, one]) => [text(key), inOrder(one, text)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
