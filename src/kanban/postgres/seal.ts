/** Keeps writers off a board that has moved, as sqlite/seal.ts does. */
import type { Seal } from '../port/seal.ts'
import { TABLES } from '../port/transfer.ts'
import type { Writing } from './changes.ts'
import type { Client } from './connection.ts'
import { rows } from './queries.ts'

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
