/** The tables of nodes and their profiles, which all boards of a database share. */
import { HermesError } from '../../system/errors.ts'
import type { Moves, Owner } from '../port/moves.ts'
import { defaultOf, type Node } from '../port/nodes.ts'
import type { Client, Connection } from './connection.ts'
import { addNodeTables } from './node-tables.ts'
import { rows } from './queries.ts'
import { NOW } from './schema.ts'

/** Makes them, unless they are there. */
export async function makeNodes(connection: Connection): Promise<void> {
  if (await connection.use(hasNodes)) return
  await connection.transaction(addNodeTables)
}

export async function hasNodes(client: Client): Promise<boolean> {
  const [found] = await rows<{ there: boolean }>(client, "SELECT to_regclass('hermes.lives') IS NOT NULL AS there")
  return found?.there === true
}

interface Row {
  readonly id: string
  readonly name: string
  readonly instance: string
  readonly epoch: number
  readonly lease_ms: number
  readonly taken_at: number
  readonly lease_until: number
  readonly heard_at: number
  readonly labels: Readonly<Record<string, string>>
  readonly version: string
  readonly api_url: string | null
  readonly rival: string | null
  readonly rival_at: number | null
  readonly now: number
  readonly profiles: readonly string[]
  readonly pools: Readonly<Record<string, string>>
}

/** SQL for the pool of a profile in `p`. The column is there once a node has had a pool. */
export const POOL = "(to_jsonb(p)->>'pool')"

/** By name. @param own the id of the node that asks */
export async function listNodes(client: Client, own: string | undefined): Promise<readonly Node[]> {
  if (!(await hasNodes(client))) return []
  const found = await rows<Row>(
    client,
    `SELECT n.*, ${NOW} AS now,
       coalesce((SELECT json_agg(p.name ORDER BY p.name) FROM hermes.profiles p WHERE p.node = n.id), '[]') AS profiles,
       coalesce((SELECT json_object_agg(p.name, ${POOL}) FROM hermes.profiles p
         WHERE p.node = n.id AND ${POOL} IS NOT NULL), '{}') AS pools
     FROM hermes.nodes n ORDER BY n.name`,
  )
  return found.map((row) => ({
    id: row.id,
    name: row.name,
    own: row.id === own,
    state: row.lease_until > row.now ? 'live' : 'silent',
    lease: { epoch: row.epoch, ms: row.lease_ms, takenAtMs: row.taken_at, untilMs: row.lease_until },
    heardAtMs: row.heard_at,
    silentMs: Math.max(0, row.now - row.heard_at),
    instance: row.instance,
    version: row.version,
    labels: row.labels,
    apiUrl: row.api_url,
    profiles: row.profiles,
    pools: row.pools,
    rival: row.rival === null ? null : { host: row.rival, atMs: row.rival_at ?? 0 },
  }))
}

/** SQL for the name that a node gets when another one takes its own, as nodes/admit.ts gives it. */
const nameOfGone = (name: string, id: string): string => `${name} || '~' || left(${id}, 8)`

/**
 * Makes these the profiles of a node, as far as no other one has them, and gives up those that are gone. `default` is a
 * name that every node has: the first one keeps it, the others are `default@NAME`. A profile that is being moved is on
 * the disk of neither node under its name. A node that took its name from one whose lease had lapsed, as after the loss
 * of a volume, takes the profiles of that one too.
 */
export async function registerProfiles(
  client: Client,
  id: string,
  names: readonly string[],
  pools?: Readonly<Record<string, string>>,
): Promise<void> {
  await client.query(
    `UPDATE hermes.profiles p SET node = own.id, epoch = p.epoch + 1 FROM hermes.nodes own, hermes.nodes gone
     WHERE own.id = $1 AND gone.id = p.node AND gone.name = ${nameOfGone('own.name', 'gone.id')}
       AND gone.lease_until <= ${NOW} AND (p.name = ANY ($2) OR p.name = 'default@' || own.name)`,
    [id, [...names]],
  )
  const [node] = await rows<{ name: string; has_default: boolean }>(
    client,
    `SELECT name, EXISTS (SELECT 1 FROM hermes.profiles WHERE name = 'default' AND node <> $1) AS has_default
     FROM hermes.nodes WHERE id = $1`,
    id,
  )
  if (node === undefined) return
  const wanted = names.map((name) => (name === 'default' && node.has_default ? defaultOf(node.name) : name))
  await client.query('DELETE FROM hermes.profiles WHERE node = $1 AND name <> ALL ($2) AND NOT moving', [id, wanted])
  await client.query(
    'INSERT INTO hermes.profiles (name, node) SELECT name, $1 FROM unnest($2::text[]) AS t (name) ORDER BY name ON CONFLICT DO NOTHING',
    [id, wanted],
  )
  if (pools !== undefined) await registerPools(client, id, pools)
}

/** The column is made with the first pool: it needs no new generation, because older versions know of no pools. */
async function registerPools(client: Client, id: string, pools: Readonly<Record<string, string>>): Promise<void> {
  const names = Object.keys(pools)
  const [found] = await rows<{ there: boolean }>(
    client,
    `SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 'hermes.profiles'::regclass AND attname = 'pool'
       AND NOT attisdropped) AS there`,
  )
  if (found?.there !== true) {
    if (names.length === 0) return
    await client.query('ALTER TABLE hermes.profiles ADD COLUMN IF NOT EXISTS pool text')
  }
  await client.query(
    `UPDATE hermes.profiles p SET pool = x.pool
     FROM (SELECT name, $2::json->>name AS pool FROM hermes.profiles WHERE node = $1) x
     WHERE p.name = x.name AND p.pool IS DISTINCT FROM x.pool`,
    [id, JSON.stringify(pools)],
  )
}

/** The node of each life of a container; those that never had a lease have none. */
export async function nodesOf(client: Client, instances: readonly string[]): Promise<Readonly<Record<string, string>>> {
  if (instances.length === 0 || !(await hasNodes(client))) return {}
  const found = await rows<{ instance: string; node: string }>(
    client,
    'SELECT instance, node FROM hermes.lives WHERE instance = ANY ($1)',
    instances,
  )
  return Object.fromEntries(found.map(({ instance, node }) => [instance, node]))
}

/**
 * An assignee as the board has it: `default` is the default profile of the node that asks. One profile has one name.
 * @param node the id of the node that asks
 */
export async function assigneeOnBoard(
  client: Client,
  assignee: string | null,
  node: string | undefined,
): Promise<string | null> {
  const [, name] = /^default(?:@(.+))?$/.exec(assignee ?? '') ?? ['', undefined]
  if (assignee === null || (name === undefined && (assignee !== 'default' || node === undefined))) return assignee
  const [found] = await rows<{ name: string }>(
    client,
    `SELECT p.name FROM hermes.nodes n JOIN hermes.profiles p ON p.node = n.id
     WHERE (p.name = 'default' OR p.name = 'default@' || n.name) AND ${name === undefined ? 'n.id' : 'n.name'} = $1`,
    name ?? node ?? '',
  )
  return found?.name ?? assignee
}

/** One row tells which node has a profile. */
export class DatabaseMoves implements Moves {
  readonly #connection: Connection
  readonly #node: () => string | undefined

  constructor(connection: Connection, node: () => string | undefined) {
    this.#connection = connection
    this.#node = node
  }

  look(profile: string): Promise<Owner | undefined> {
    const own = this.#node()
    return this.#connection.use(async (client) => {
      if (!(await hasNodes(client))) return undefined
      const [found] = await rows<Omit<Owner, 'own'>>(
        client,
        'SELECT node, epoch, moving FROM hermes.profiles WHERE name = $1',
        profile,
      )
      return found && { ...found, own: found.node === own }
    })
  }

  /** A row that is gone, such as in a database that was restored, is made again. */
  begin(profile: string): Promise<number | undefined> {
    const own = this.#own()
    return this.#connection.use(async (client) => {
      const [row] = await rows<{ epoch: number }>(
        client,
        `INSERT INTO hermes.profiles AS p (name, node, moving) VALUES ($1, $2, true)
         ON CONFLICT (name) DO UPDATE SET epoch = p.epoch + 1, moving = true WHERE p.node = $2 RETURNING epoch`,
        profile,
        own,
      )
      return row?.epoch
    })
  }

  cancel(profile: string): Promise<boolean> {
    const own = this.#own()
    return this.#connection.use(async (client) => {
      const { rowCount } = await client.query(
        'UPDATE hermes.profiles SET epoch = epoch + 1, moving = false WHERE name = $1 AND node = $2',
        [profile, own],
      )
      return rowCount === 1
    })
  }

  take(profile: string, from: string, epoch: number): Promise<boolean> {
    const own = this.#own()
    return this.#connection.use(async (client) => {
      const { rowCount } = await client.query(
        `UPDATE hermes.profiles SET node = $4, epoch = epoch + 1
         WHERE name = $1 AND node = $2 AND epoch = $3`,
        [profile, from, epoch, own],
      )
      return rowCount === 1
    })
  }

  async arrived(profile: string): Promise<void> {
    const own = this.#own()
    await this.#connection.use((client) =>
      client.query('UPDATE hermes.profiles SET moving = false WHERE name = $1 AND node = $2', [profile, own]),
    )
  }

  #own(): string {
    const own = this.#node()
    if (own !== undefined) return own
    throw new HermesError('FAILED', 'this container is not a node yet', {
      next: 'wait until its dispatcher has started: hermes status',
    })
  }
}
