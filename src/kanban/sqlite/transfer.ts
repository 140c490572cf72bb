/** All rows of a board, to be copied. */
import { notEmpty } from '../port/refusals.ts'
import {
  ADDED_TABLE,
  type CopiedRow,
  columnsOf,
  type Intake,
  inOrder,
  KEY,
  type LastNumbers,
  NUMBERED,
  READ_CHARACTERS,
  READ_ROWS,
  type Snapshot,
  TABLES,
  type TableName,
} from '../port/transfer.ts'
import { hasRoutines, ROUTINES_TABLE } from '../routines/in-sqlite.ts'
import type { Addition } from './additions.ts'
import { seal, sealOf, unseal } from './seal.ts'
import type { Tables, Value } from './tables.ts'

/** One view, which stays open until `use` is done. */
export function snapshot<T>(tables: Tables, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  return tables.hold('DEFERRED', () => use(reader(tables)))
}

/** Keeps writers out, and seals the board in the end. */
export function moveOut<T>(tables: Tables, to: string, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  return tables.hold('IMMEDIATE', async () => {
    const result = await use(reader(tables))
    seal(tables, { kind: 'moved', place: to })
    return result
  })
}

/** One transaction. @throws HermesError REFUSED: the board has rows */
export function fill<T>(tables: Tables, use: (intake: Intake) => Promise<T>, from?: string): Promise<T> {
  return tables.hold('IMMEDIATE', async () => {
    if (from !== undefined && sealOf(tables) !== undefined) {
      unseal(tables)
      for (const table of tablesIn(tables).toReversed()) tables.run(`DELETE FROM ${table}`)
    }
    if (tablesIn(tables).some((table) => tables.get(`SELECT 1 FROM ${table} LIMIT 1`) !== undefined))
      throw notEmpty(tables.place.slug)
    const result = await use(intakeOf(tables))
    if (from !== undefined) seal(tables, { kind: 'copying', place: from })
    return result
  })
}

const tablesIn = (tables: Tables): readonly TableName[] =>
  hasRoutines(tables) ? TABLES : TABLES.filter((table) => table !== ADDED_TABLE)

const intakeOf = (tables: Tables): Intake => ({
  ...reader(tables),
  kept: (text) => text,
  async add(table, rows) {
    if (table === ADDED_TABLE) tables.run(ROUTINES_TABLE)
    const columns = Object.entries(columnsOf(table))
    const sql = `INSERT INTO ${table} (${columns.map(([name]) => name).join(', ')})
          VALUES (${columns.map(() => '?').join(', ')})`
    for (const row of rows)
      tables.run(sql, ...columns.map(([name, kind]) => stored(kind === 'json' ? JSON.stringify(row[name]) : row[name])))
  },
  async countFrom(last) {
    const now = lastNumbers(tables)
    tables.run(`DELETE FROM sqlite_sequence WHERE name IN (${NUMBERED.map((table) => `'${table}'`).join(', ')})`)
    for (const table of NUMBERED)
      tables.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', table, Math.max(now[table], last[table]))
  },
})

const stored = (value: unknown): Value => value as Value

function reader(tables: Tables): Snapshot {
  return {
    async read(table, after) {
      const rows: CopiedRow[] = []
      if (table === ADDED_TABLE && !hasRoutines(tables)) return rows
      let characters = 0
      for (const row of tables.iterate<CopiedRow>(
        readSql(tables, table, after !== undefined),
        ...keyOf(table, after),
      )) {
        const copied = table === 'events' ? { ...row, payload: inOrder(payloadOf(row.payload)) } : row
        rows.push(copied)
        for (const value of Object.values(row)) if (typeof value === 'string') characters += value.length
        if (rows.length >= READ_ROWS || characters >= READ_CHARACTERS) break
      }
      return rows
    },
    lastNumbers: async () => lastNumbers(tables),
  }
}

function readSql(tables: Tables, table: TableName, isFurther: boolean): string {
  const key = KEY[table]
  const further = isFurther ? `WHERE (${key.join(', ')}) > (${key.map(() => '?').join(', ')})` : ''
  const added: Readonly<Record<string, Addition>> =
    table === 'tasks'
      ? {
          once: 'tasks.once',
          needs: 'tasks.needs',
          result_schema: 'tasks.result_schema',
          result_json: 'tasks.result_json',
        }
      : {}
  const columns = Object.keys(columnsOf(table)).map((name) => (added[name] ? tables.added(added[name]) : name))
  return `SELECT ${columns.join(', ')} FROM ${table} ${further} ORDER BY ${key.join(', ')}`
}

const keyOf = (table: TableName, row: CopiedRow | undefined): readonly Value[] =>
  row === undefined ? [] : KEY[table].map((name) => stored(row[name]))

/** Another tool may have written something that is not JSON; it is shown, and copied, as a text. */
function payloadOf(text: unknown): unknown {
  try {
    return JSON.parse(String(text)) as unknown
  } catch {
    return { text }
  }
}

function lastNumbers(tables: Tables): LastNumbers {
  const rows = tables.all<{ name: string; seq: number }>('SELECT name, seq FROM sqlite_sequence')
  return Object.fromEntries(
    NUMBERED.map((table) => [table, rows.find(({ name }) => name === table)?.seq ?? 0]),
  ) as LastNumbers
}
