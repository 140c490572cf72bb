/** Routines of a board in a file. The table is made with the first one; versions that do not know it leave it alone. */
import { isTaken, type NewRoutine, type Routine, type RoutineChange, type Row, routineOf } from './row.ts'

type Value = string | number | null
interface Sql {
  all<R>(sql: string, ...values: readonly Value[]): R[]
  run(sql: string, ...values: readonly Value[]): { readonly changes: number }
}

export const ROUTINES_TABLE = `CREATE TABLE IF NOT EXISTS routines (
  name TEXT PRIMARY KEY, cron TEXT NOT NULL, tz TEXT NOT NULL, catch_up TEXT NOT NULL, task TEXT NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0, created_by TEXT NOT NULL, created_at INTEGER NOT NULL,
  settled_until INTEGER NOT NULL)`

export const hasRoutines = (sql: Sql): boolean =>
  sql.all("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'routines'").length > 0

export const readRoutines = (sql: Sql): readonly Routine[] =>
  hasRoutines(sql) ? sql.all<Row>('SELECT * FROM routines ORDER BY name').map(routineOf) : []

/** Inside a transaction. @throws HermesError REFUSED: there is one of this name */
export function addRoutine(sql: Sql, { name, cron, tz, catchUp, task }: NewRoutine, by: string, wallMs: number): void {
  sql.run(ROUTINES_TABLE)
  const { changes } = sql.run(
    `INSERT INTO routines (name, cron, tz, catch_up, task, created_by, created_at, settled_until)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`,
    ...[name, cron, tz, catchUp, JSON.stringify(task), by, wallMs, wallMs],
  )
  if (changes === 0) throw isTaken(name)
}

export function changeRoutine(sql: Sql, name: string, change: RoutineChange, wallMs: number): boolean {
  if (!hasRoutines(sql)) return false
  const until = change.settledUntilMs ?? (change.isPaused === false ? wallMs : 0)
  const paused = change.isPaused === undefined ? null : Number(change.isPaused)
  return (
    sql.run(
      'UPDATE routines SET paused = coalesce(?, paused), settled_until = max(settled_until, ?) WHERE name = ?',
      ...[paused, until, name],
    ).changes > 0
  )
}

export const removeRoutine = (sql: Sql, name: string): boolean =>
  hasRoutines(sql) && sql.run('DELETE FROM routines WHERE name = ?', name).changes > 0
