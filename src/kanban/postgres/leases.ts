/** The lease of a node in the database. */
import { admit, type NodeRow } from '../nodes/admit.ts'
import { RECLAIM_AFTER_MS } from '../nodes/timing.ts'
import type { LeaseAnswer, Leases, NodeCard } from '../port/nodes.ts'
import { type Client, Connection, jsonText } from './connection.ts'
import { lockNodes } from './node-tables.ts'
import { makeNodes, registerProfiles } from './nodes.ts'
import { rows } from './queries.ts'
import { NOW } from './schema.ts'

export class DatabaseLeases implements Leases {
  readonly #connection: Connection
  #areMade = false

  constructor(url: string, pg: ConstructorParameters<typeof Connection>[1]) {
    this.#connection = new Connection(url, pg, 1)
  }

  async take(card: NodeCard, epoch: number | undefined): Promise<LeaseAnswer> {
    if (!this.#areMade) await makeNodes(this.#connection)
    this.#areMade = true
    if (epoch !== undefined) {
      const lapsed = await this.#connection.use((client) => renewed(client, card, epoch))
      if (lapsed !== undefined) return { state: 'held', epoch, lapsed }
    }
    return this.#connection.transaction((client) => taken(client, card))
  }

  async release(id: string, epoch: number): Promise<void> {
    await this.#connection.use((client) =>
      client.query(
        `UPDATE hermes.nodes SET lease_until = ${NOW} WHERE id = $1 AND epoch = $2 AND lease_until > ${NOW}`,
        [id, epoch],
      ),
    )
  }

  async register(id: string, profiles: readonly string[]): Promise<void> {
    await this.#connection.transaction((client) => registerProfiles(client, id, profiles))
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

/**
 * A lease that has lapsed is never renewed: other nodes may have taken its runs.
 * @returns the ids of nodes whose runs are taken; undefined: not renewed
 */
async function renewed(
  client: Client,
  { id, instance, leaseMs }: NodeCard,
  epoch: number,
): Promise<readonly string[] | undefined> {
  const [found] = await rows<{ readonly lapsed: readonly string[] }>(
    client,
    `UPDATE hermes.nodes n SET lease_until = ${NOW} + $4::integer, lease_ms = $4::integer, heard_at = ${NOW}
     WHERE id = $1 AND instance = $2 AND epoch = $3 AND lease_until > ${NOW}
     RETURNING coalesce((
       SELECT json_agg(o.id ORDER BY o.id) FROM hermes.nodes o WHERE o.id <> n.id
         AND greatest(o.lease_until, n.taken_at) < ${NOW} - $5::integer
     ), '[]') AS lapsed`,
    id,
    instance,
    epoch,
    leaseMs,
    RECLAIM_AFTER_MS,
  )
  return found?.lapsed
}

async function taken(client: Client, card: NodeCard): Promise<LeaseAnswer> {
  await lockNodes(client)
  const known = await rows<NodeRow>(
    client,
    `SELECT id, name, instance, volume, epoch, lease_until > ${NOW} AS "inForce" FROM hermes.nodes
     WHERE id = $1 OR name = $2 FOR NO KEY UPDATE`,
    card.id,
    card.name,
  )
  const admission = admit(
    card,
    known.find(({ id }) => id === card.id),
    known.find(({ id, name }) => id !== card.id && name === card.name),
  )
  if (admission.do === 'refuse') {
    await client.query(`UPDATE hermes.nodes SET rival = $2, rival_at = ${NOW} WHERE id = $1`, [
      admission.by.id,
      card.host,
    ])
    return { state: 'refused', same: admission.same, instance: admission.by.instance }
  }
  const { rename, epoch } = admission
  if (rename !== undefined)
    await client.query('UPDATE hermes.nodes SET name = $2 WHERE id = $1', [rename.id, rename.to])
  await client.query(
    `INSERT INTO hermes.nodes AS n (id, name, instance, volume, host, epoch, lease_ms, taken_at, lease_until,
       heard_at, labels, version, api_url)
     VALUES ($1, $2, $3, $4, $5, $6, $7::integer, ${NOW}, ${NOW} + $7::integer, ${NOW}, $8::jsonb, $9, $10)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, instance = excluded.instance, volume = excluded.volume,
       host = excluded.host, epoch = excluded.epoch, lease_ms = excluded.lease_ms, taken_at = excluded.taken_at,
       lease_until = excluded.lease_until,
       heard_at = excluded.heard_at, labels = excluded.labels, version = excluded.version, api_url = excluded.api_url,
       rival = NULL, rival_at = NULL`,
    [
      card.id,
      card.name,
      card.instance,
      card.volume,
      card.host,
      epoch,
      card.leaseMs,
      jsonText(card.labels),
      card.version,
      card.apiUrl,
    ],
  )
  await client.query('INSERT INTO hermes.lives (instance, node) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    card.instance,
    card.id,
  ])
  return { state: 'held', epoch, lapsed: [] }
}
