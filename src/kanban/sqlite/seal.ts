/**
 * Keeps writers off a board that has moved. Triggers refuse every change, also of programs that have the file open and
 * of other tools, so that there are never two boards that both accept changes.
 */
import { statementsOf } from '../../system/files/sqlite-schema.ts'
import type { Seal } from '../port/seal.ts'
import { ADDED_TABLE, TABLES } from '../port/transfer.ts'
import type { Tables } from './tables.ts'

/** The message of the triggers. */
export const SEALED = 'this board has moved'

/** Not of routines: an older version refuses a file with triggers that it does not know. {@link requireUnsealed} */
const triggers = TABLES.filter((table) => table !== ADDED_TABLE).flatMap((table) =>
  ['INSERT', 'UPDATE', 'DELETE'].map((change) => ({ name: `seal_${table}_${change.toLowerCase()}`, table, change })),
)

/** They are in the file only as long as the board is sealed. */
export const SEAL_STATEMENTS = statementsOf(`
CREATE TABLE seal (kind TEXT NOT NULL, place TEXT NOT NULL);
${triggers
  .map(
    ({ name, table, change }) =>
      `CREATE TRIGGER ${name} BEFORE ${change} ON ${table} BEGIN SELECT RAISE(ABORT, '${SEALED}'); END;\n`,
  )
  .join('')}`)

/** undefined: the board accepts changes. */
export function sealOf(tables: Tables): Seal | undefined {
  const isThere = tables.get("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'seal'") !== undefined
  return isThere ? tables.get<Seal>('SELECT kind, place FROM seal') : undefined
}

/** Inside a transaction, before a change that no trigger refuses. @throws like the triggers */
export function requireUnsealed(tables: Tables): void {
  if (sealOf(tables) !== undefined) throw Object.assign(new Error(SEALED), { code: 'SQLITE_CONSTRAINT_TRIGGER' })
}

/** Inside a transaction. */
export function seal(tables: Tables, { kind, place }: Seal): void {
  for (const statement of SEAL_STATEMENTS) tables.run(statement)
  tables.run('INSERT INTO seal (kind, place) VALUES (?, ?)', kind, place)
}

/** Inside a transaction. */
export function unseal(tables: Tables): void {
  for (const { name } of triggers) tables.run(`DROP TRIGGER IF EXISTS ${name}`)
  tables.run('DROP TABLE IF EXISTS seal')
}
