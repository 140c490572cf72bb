/** All rows of a board, to be copied; and the seal that keeps writers off a board that has moved, as sqlite/seal.ts. */
import { notEmpty } from '../port/refusals.ts'
import type { Seal } from '../port/seal.ts'
import {
  ADDED_TABLE,
  type ColumnKind,
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
import { hasRoutines, makeRoutines } from '../routines/in-postgres.ts'
import type { Writing } from './changes.ts'
import { type Client, storable, type Value } from './connection.ts'
import { rows } from './queries.ts'

/** The column that numbers a table's rows; its sequence is `<table>_<column>_seq`. */
const numberOf = (table: TableName): string => KEY[table][0] ?? ''

const TYPE: Readonly<Record<ColumnKind, string>> = {
  text: 'text',
  'text?': 'text',
  integer: 'integer',
  'integer?': 'integer',
  number: 'bigint',
  'number?': 'bigint',
  json: 'json',
}

/** @param client inside a transaction with one view */
export function reader(client: Client, s: string): Snapshot {
  return {
    async read(table, after) {
      if (table === ADDED_TABLE && !(await hasRoutines(client, s))) return []
      const found = await rows<CopiedRow>(client, readSql(s, table, after !== undefined), ...keyOf(table, after))
      return table === 'events' ? found.map((row) => ({ ...row, payload: inOrder(row.payload) })) : found
    },
    lastNumbers: () => lastNumbers(client, s),
  }
}

/** Keeps writers out, and seals the board in the end. */
export async function moveOut<T>(on: Writing, to: string, use: (snapshot: Snapshot) => Promise<T>): Promise<T> {
  await keepWritersOut(on)
  const result = await use(reader(on.client, on.s))
  await seal(on, { kind: 'moved', place: to })
  return result
}

/** @throws HermesError REFUSED: the board has rows */
export async function fill<T>(on: Writing, use: (intake: Intake) => Promise<T>, from?: string): Promise<T> {
  const { client, s, slug } = on
  await keepWritersOut(on)
  if (from !== undefined && (await sealOf(client, slug)) !== undefined) {
    await unseal(on)
    await client.query(`TRUNCATE ${TABLES.map((table) => `${s}.${table}`).join(', ')}`)
  }
  for (const table of TABLES) {
    if ((await rows(client, `SELECT 1 FROM ${s}.${table} LIMIT 1`)).length > 0) throw notEmpty(slug)
  }
  // Runs that have not ended are copied as they are.
  await client.query("SELECT set_config('hermes.copying', 'on', true)")
  const result = await use(intakeOf(on))
  if (from !== undefined) await seal(on, { kind: 'copying', place: from })
  return result
}

/** Others can read. */
async function keepWritersOut({ client, s }: Writing): Promise<void> {
  await makeRoutines(client, s)
  await client.query(`LOCK TABLE ${TABLES.map((table) => `${s}.${table}`).join(', ')} IN SHARE ROW EXCLUSIVE MODE`)
}

const intakeOf = ({ client, s }: Writing): Intake => ({
  ...reader(client, s),
  kept: storable,
  async add(table, added) {
    const columns = Object.entries(columnsOf(table))
    const names = columns.map(([name]) => name).join(', ')
    const types = columns.map(([name, kind]) => `${name} ${TYPE[kind]}`).join(', ')
    await client.query(
      `INSERT INTO ${s}.${table} (${names}) OVERRIDING SYSTEM VALUE
         SELECT ${names} FROM json_to_recordset($1::json) AS r (${types})`,
      [JSON.stringify(added)],
    )
  },
  async countFrom(last) {
    const now = await lastNumbers(client, s)
    // RESTART is undone with the transaction, as setval is not.
    for (const table of NUMBERED)
      await client.query(
        `ALTER SEQUENCE ${s}.${table}_${numberOf(table)}_seq RESTART WITH ${Math.max(now[table], last[table]) + 1}`,
      )
  },
})

/** The length of a text that is stored apart is known without reading it, so that a page of long ones stays short. */
function readSql(s: string, table: TableName, isFurther: boolean): string {
  const key = KEY[table].join(', ')
  const columns = Object.entries(columnsOf(table))
  const names = columns.map(([name]) => name).join(', ')
  const sizes = columns.flatMap(([name, kind]) =>
    kind.startsWith('text') ? [`coalesce(octet_length(${name}), 0)`] : [],
  )
  const further = isFurther ? `WHERE (${key}) > (${KEY[table].map((_, at) => `$${at + 1}`).join(', ')})` : ''
  return `SELECT ${names} FROM (
      SELECT *, sum(${[...sizes, '0'].join(' + ')}) OVER (ORDER BY ${key}) AS length_so_far, row_number() OVER (ORDER BY ${key}) AS place
      FROM ${s}.${table} ${further} ORDER BY ${key} LIMIT ${READ_ROWS}
    ) page WHERE length_so_far < ${READ_CHARACTERS} OR place = 1 ORDER BY ${key}`
}

const keyOf = (table: TableName, row: CopiedRow | undefined): readonly Value[] =>
  row === undefined ? [] : KEY[table].map((name) => row[name] as Value)

async function lastNumbers(client: Client, s: string): Promise<LastNumbers> {
  const each = NUMBERED.map(
    (table) =>
      `SELECT '${table}' AS name, last_value - CASE WHEN is_called THEN 0 ELSE 1 END AS last
       FROM ${s}.${table}_${numberOf(table)}_seq`,
  )
  const found = await rows<{ name: string; last: number }>(client, each.join(' UNION ALL '))
  return Object.fromEntries(found.map(({ name, last }) => [name, last])) as LastNumbers
}

/** undefined: the board accepts changes. */
export async function sealOf(client: Client, slug: string): Promise<Seal | undefined> {
  const [row] = await rows<{ sealed: Seal | null }>(client, 'SELECT sealed FROM hermes.boards WHERE slug = $1', slug)
  return row?.sealed ?? undefined
}

/** Waits for the writers that are under way. */
export async function seal({ client, s, slug }: Writing, { kind, place }: Seal): Promise<void> {
  await client.query(
    `CREATE OR REPLACE FUNCTION ${s}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'this board has moved' USING ERRCODE = 'HM001'; END $$`,
  )
  for (const table of TABLES)
    await client.query(
      `CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OR DELETE ON ${s}.${table} FOR EACH STATEMENT EXECUTE FUNCTION ${s}.refuse()`,
    )
  await setSeal(client, slug, { kind, place })
}

export async function unseal({ client, s, slug }: Writing): Promise<void> {
  for (const table of TABLES) await client.query(`DROP TRIGGER IF EXISTS sealed ON ${s}.${table}`)
  await setSeal(client, slug, null)
}

const setSeal = (client: Client, slug: string, value: Seal | null): Promise<unknown> =>
  client.query('UPDATE hermes.boards SET sealed = $2::jsonb WHERE slug = $1', [slug, value && JSON.stringify(value)])
