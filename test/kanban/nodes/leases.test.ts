// Nodes, their leases and their profiles in a real database.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Boards } from '../../../src/kanban/port/boards.ts'
import type { Leases, NodeCard } from '../../../src/kanban/port/nodes.ts'
import { databaseBoards } from '../../../src/kanban/postgres/database-boards.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'

const why = whyNoPostgres()

const card = (id: string, more: Partial<NodeCard> = {}): NodeCard => ({
  id,
  name: id,
  instance: `${id}-life`,
  volume: `${id}-disk`,
  host: `${id}-host`,
  version: '1.0',
  labels: {},
  apiUrl: null,
  leaseMs: 60_000,
  ...more,
})

describe.skipIf(why !== undefined)(`nodes in PostgreSQL (${why ?? 'a server of our own'})`, () => {
  let server: PostgresServer
  const closing: { close(): Promise<void> }[] = []
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    for (const one of closing) await one.close()
    await server[Symbol.asyncDispose]()
  })
  let count = 0
  /** A database of its own, as each of some nodes sees it. */
  const scene = async (...ids: readonly string[]): Promise<readonly { boards: Boards; leases: Leases }[]> => {
    const name = `nodes_${count++}`
    server.psql(`CREATE DATABASE ${name}`)
    return Promise.all(
      ids.map(async (id) => {
        const boards = await databaseBoards(server.url.replace('/postgres?', `/${name}?`), () => id)
        const leases = boards.leases()
        if (leases === undefined) throw new Error('a database has leases')
        closing.push(leases, boards)
        return { boards, leases }
      }),
    )
  }
  const lapse = (): void => {
    const database = `nodes_${count - 1}`
    server.psqlIn(database, 'UPDATE hermes.nodes SET lease_until = lease_until - 120000')
  }

  test('each node sees all of them, with their profiles', async () => {
    const [a, b] = await scene('a', 'b')
    expect(await a?.boards.nodes()).toEqual([])
    expect(
      await a?.leases.take(card('a', { labels: { gpu: '', region: 'eu' }, apiUrl: 'https://a' }), undefined),
    ).toMatchObject({ state: 'held', epoch: 1 })
    expect(await b?.leases.take(card('b'), undefined)).toMatchObject({ state: 'held', epoch: 1 })
    await a?.leases.register('a', ['default', 'coder'])
    await b?.leases.register('b', ['default', 'coder', 'writer'])
    const seen = await b?.boards.nodes()
    expect(seen).toMatchObject([
      {
        id: 'a',
        name: 'a',
        own: false,
        state: 'live',
        lease: { epoch: 1, ms: 60_000 },
        version: '1.0',
        labels: { gpu: '', region: 'eu' },
        apiUrl: 'https://a',
        profiles: ['coder', 'default'],
        rival: null,
      },
      { id: 'b', own: true, apiUrl: null, profiles: ['default@b', 'writer'] },
    ])
    expect(seen?.[0]?.silentMs).toBeGreaterThanOrEqual(0)
    await a?.leases.register('a', ['default'])
    await b?.leases.register('b', ['default', 'coder', 'writer'])
    expect((await a?.boards.nodes())?.map(({ profiles }) => profiles)).toEqual([
      ['default'],
      ['coder', 'default@b', 'writer'],
    ])
  })

  test('a lease goes on while it is renewed, and has the next epoch once it has lapsed', async () => {
    const [a] = await scene('a')
    expect(await a?.leases.take(card('a'), undefined)).toMatchObject({ state: 'held', epoch: 1 })
    expect(await a?.leases.take(card('a'), 1)).toMatchObject({ state: 'held', epoch: 1 })
    lapse()
    expect(await a?.boards.nodes()).toMatchObject([{ state: 'silent' }])
    expect(await a?.leases.take(card('a'), 1)).toMatchObject({ state: 'held', epoch: 2 })
    expect(await a?.boards.nodes()).toMatchObject([{ state: 'live', lease: { epoch: 2 } }])
    await a?.leases.release('a', 2)
    expect(await a?.boards.nodes()).toMatchObject([{ state: 'silent' }])
  })

  test('a renewal names the nodes whose runs are taken, once the lease is old enough to judge', async () => {
    const [a, b] = await scene('a', 'b')
    const take = async (): Promise<unknown> => await a?.leases.take(card('a'), 1)
    await a?.leases.take(card('a'), undefined)
    await b?.leases.take(card('b'), undefined)
    const database = `nodes_${count - 1}`
    const age = (set: string) => server.psqlIn(database, `UPDATE hermes.nodes SET ${set}`)
    // Minutes, so that it does not matter how long these statements take.
    age("taken_at = taken_at + 60000 WHERE id = 'a'")
    age("lease_until = lease_until - 120000 WHERE id = 'b'")
    expect(await take()).toEqual({ state: 'held', epoch: 1, lapsed: [] })
    age("taken_at = taken_at - 120000 WHERE id = 'a'")
    expect(await take()).toEqual({ state: 'held', epoch: 1, lapsed: ['b'] })
    await b?.leases.take(card('b'), 1)
    expect(await take()).toEqual({ state: 'held', epoch: 1, lapsed: [] })
  })

  test('the first lease and the first board of a new database can be made at the same time', async () => {
    const nodes = await scene('a', 'b', 'c', 'd')
    const made = nodes.flatMap(({ boards, leases }, at) => [
      leases.take(card(`n${at}`), undefined),
      boards.open(boards.place('default'), { mode: 'create', warn: (text) => expect.fail(text) }),
    ])
    expect((await Promise.allSettled(made)).filter(({ status }) => status === 'rejected')).toEqual([])
  })

  test('a copy of a volume is refused, is seen by all, and does not disturb the first', async () => {
    const [a] = await scene('a')
    await a?.leases.take(card('a'), undefined)
    const copy = card('a', { instance: 'copy', volume: 'copy', host: 'copy-host' })
    expect(await a?.leases.take(copy, undefined)).toEqual({ state: 'refused', same: 'id', instance: 'a-life' })
    expect(await a?.boards.nodes()).toMatchObject([
      { state: 'live', rival: { host: 'copy-host' }, lease: { epoch: 1 } },
    ])
    expect(await a?.leases.take(card('a'), 1)).toMatchObject({ state: 'held', epoch: 1 })
    lapse()
    expect(await a?.leases.take(copy, undefined)).toMatchObject({ state: 'held', epoch: 2 })
    expect(await a?.leases.take(card('a'), 1)).toMatchObject({ state: 'refused', same: 'id' })
  })

  test('two nodes with one name: the second waits until the first is gone', async () => {
    const [a, b] = await scene('a', 'b')
    await a?.leases.take(card('a', { name: 'h1' }), undefined)
    expect(await b?.leases.take(card('b', { name: 'h1' }), undefined)).toMatchObject({ state: 'refused', same: 'name' })
    lapse()
    expect(await b?.leases.take(card('b', { name: 'h1' }), undefined)).toMatchObject({ state: 'held', epoch: 1 })
    expect((await a?.boards.nodes())?.map(({ name }) => name)).toEqual(['h1', 'h1~a'])
  })

  test('a node that starts anew after the loss of its volume gets the profiles of its name back', async () => {
    const [a, b] = await scene('a', 'b')
    await a?.leases.take(card('a', { name: 'h1' }), undefined)
    await a?.leases.register('a', ['default', 'coder', 'lost'])
    lapse()
    await b?.leases.take(card('b', { name: 'h1' }), undefined)
    await b?.leases.register('b', ['default', 'coder', 'new'])
    expect(await b?.boards.nodes()).toMatchObject([
      { id: 'b', name: 'h1', profiles: ['coder', 'default', 'new'] },
      { id: 'a', name: 'h1~a', profiles: ['lost'] },
    ])
    expect(server.psqlIn(`nodes_${count - 1}`, "SELECT epoch FROM hermes.profiles WHERE name = 'coder'").trim()).toBe(
      '2',
    )
  })

  test('two that begin at once make the tables once, and one of two copies gets the lease', async () => {
    const [a, b] = await scene('a', 'a')
    const answers = await Promise.all([
      a?.leases.take(card('a'), undefined),
      b?.leases.take(card('a', { instance: 'copy', volume: 'copy' }), undefined),
    ])
    expect(answers.map((answer) => answer?.state).sort()).toEqual(['held', 'refused'])
  })
})
