/** Columns that were added to the tables of a board without a new generation: an older version ignores them. */
import type { Database } from '../../system/files/sqlite.ts'

export const ADDITIONS_TABLE = 'CREATE TABLE additions (number INTEGER PRIMARY KEY, name TEXT NOT NULL)'

/** Columns that came later, in their order. Each may be null, so that an older version can insert rows without it. */
const ADDITIONS = [
  { name: 'tasks.once', sql: 'ALTER TABLE tasks ADD COLUMN once INTEGER' },
  { name: 'tasks.needs', sql: 'ALTER TABLE tasks ADD COLUMN needs TEXT' },
  { name: 'tasks.result_schema', sql: 'ALTER TABLE tasks ADD COLUMN result_schema TEXT' },
  { name: 'tasks.result_json', sql: 'ALTER TABLE tasks ADD COLUMN result_json TEXT' },
] as const

/** A column that a board may lack if it is only read. */
export type Addition = (typeof ADDITIONS)[number]['name']

/** Names of the additions that the board has; a newer version may have made more. */
export function additionsOf(database: Database): ReadonlySet<string> {
  const isThere = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'additions'").get()
  if (isThere === undefined) return new Set()
  const rows = database.prepare<[], { name: string }>('SELECT name FROM additions').all()
  return new Set(rows.map(({ name }) => name))
}

/** Names of the additions that a board lacks. */
export function missingAdditions(database: Database): readonly string[] {
  const known = additionsOf(database)
  return ADDITIONS.map(({ name }) => name).filter((name) => !known.has(name))
}

/** Adds what a board lacks. Its tables must have been checked. */
export function addMissing(database: Database): void {
  database
    .transaction(() => {
      // Read again inside the transaction: two processes may open the board at once.
      const known = additionsOf(database)
      if (known.size === 0) database.exec(ADDITIONS_TABLE.replace('TABLE', 'TABLE IF NOT EXISTS'))
      for (const [at, { name, sql }] of ADDITIONS.entries()) {
        if (known.has(name)) continue
        database.exec(sql)
        database.prepare('INSERT INTO additions (number, name) VALUES (?, ?)').run(at + 1, name)
      }
    })
    .immediate()
}
