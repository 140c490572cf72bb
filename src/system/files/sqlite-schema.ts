/**
 * Checks that a database contains the schema that its program created, and nothing that executes. Another writer of
 * the file can replace a table by a view with an endless recursion, a generated column that takes minutes, or a
 * trigger: SQLite is synchronous, and such a statement cannot be interrupted.
 */
import { type Database, databaseError } from './sqlite.ts'

interface SchemaRow {
  readonly type: 'table' | 'index' | 'trigger' | 'view'
  readonly name: string
  readonly table: string
  /** Null: made by SQLite itself, for a key. */
  readonly sql: string | null
}

/** The single statements of a schema; each begins a line with CREATE or PRAGMA, as those inside a trigger do not. */
export const statementsOf = (schema: string): readonly string[] =>
  schema
    .split(/;\s*\n\s*(?=CREATE |PRAGMA )/)
    .map((statement) => statement.trim().replace(/;$/, ''))
    .filter((statement) => statement.startsWith('CREATE '))

/** The end of a table to which plain columns were added later: nothing in them executes. */
// decides by words: SQL
const ADDED_COLUMNS = /^(, \w+ (INTEGER|TEXT|REAL|BLOB)( NOT NULL)?( DEFAULT (-?\d+|'[^']*'))?)+\)$/

/**
 * Accepts additional tables, views and indexes as long as they do not touch ours, and plain columns added to a table.
 * @param tables as returned by {@link statementsOf}; SQLite keeps their original text. `optional`: may be missing
 * @throws HermesError, trouble `foreign`, that names the first object that differs
 */
export function requireSchema(
  database: Database,
  file: string,
  { required, optional = [] }: { readonly required: readonly string[]; readonly optional?: readonly string[] },
): void {
  const statements = [...required, ...optional]
  const rows = database.prepare<[], SchemaRow>('SELECT type, name, tbl_name AS "table", sql FROM sqlite_schema').all()
  const expected = new Set(statements)
  // decides by words: SQL
  const tables = new Set(statements.map((statement) => /^CREATE TABLE (\w+)/.exec(statement)?.[1]))
  const missing = new Set(required)
  for (const row of rows) {
    const { type, name, table, sql } = row
    if (sql === null || name.startsWith('sqlite_')) continue
    const ours = expected.has(sql) ? sql : statements.find((statement) => isExtended(statement, sql))
    if (ours !== undefined) missing.delete(ours)
    else if (tables.has(name) || tables.has(table) || type === 'trigger' || /\bREFERENCES\b/i.test(sql))
      throw notOurs(file, `the ${type} ${JSON.stringify(name.slice(0, 60))} in it is not one that hermes makes`)
  }
  const [first] = missing
  if (first !== undefined)
    throw notOurs(
      file,
      `${first
        .replace(/^CREATE /, '')
        .split(/[ (]/)
        .slice(0, 2)
        .join(' ')
        .toLowerCase()} is missing`,
    )
}

/** Tells whether `sql` is the table of `statement` with more columns. */
const isExtended = (statement: string, sql: string): boolean =>
  statement.endsWith(')') &&
  sql.startsWith(statement.slice(0, -1)) &&
  ADDED_COLUMNS.test(sql.slice(statement.length - 1))

const notOurs = (file: string, what: string): unknown =>
  databaseError(Object.assign(new Error(what), { code: 'SQLITE_FOREIGN' }), file)
