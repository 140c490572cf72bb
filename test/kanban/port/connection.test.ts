// The end of a connection, and the first half of a refusal, when they come at the worst moment.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Connection } from '../../../src/kanban/postgres/connection.ts'
import { databaseBoards } from '../../../src/kanban/postgres/database-boards.ts'
import { takeTickLock } from '../../../src/kanban/postgres/tick-calls.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { freePort } from '../../support/port.ts'
import { named } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()
const host = '127.0.0.1'
/** ReadyForQuery, outside a transaction: https://www.postgresql.org/docs/15/protocol-message-formats.html */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

/** Stands between clients and a server, and hands what the server says to the listener of each connection. */
async function relayTo(port: number, listener: (near: Socket, far: Socket) => (bytes: Buffer) => void) {
  const server = createServer((near) => {
    const far = connect({ host, port })
    near.pipe(far)
    for (const socket of [near, far]) socket.on('error', () => undefined) // its close follows
    far.on('close', () => near.end())
    near.on('close', () => far.destroy())
    far.on('data', listener(near, far))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const url = `postgres://postgres:hush@${host}:${(server.address() as AddressInfo).port}/postgres`
  return { url, close: () => server.close() }
}

/** Passes on what a server says, but holds its very first ReadyForQuery back until there is more to say. */
async function holdingReady(port: number) {
  let isHeld = false
  const relay = await relayTo(port, (near) => {
    let held: Buffer | undefined
    return (bytes) => {
      if (!isHeld && bytes.subarray(-READY.length).equals(READY)) {
        held = bytes
        isHeld = true
        return
      }
      near.write(held === undefined ? bytes : Buffer.concat([held, bytes]))
      held = undefined
    }
  })
  return { ...relay, isHeld: () => isHeld }
}

test.skipIf(why !== undefined)(
  named('a connection that ends in the packet in which it becomes ready is an error of the query that wanted it', why),
  { timeout: 120_000 },
  async () => {
    const port = await freePort()
    await using server = await startPostgres({ tcp: { host, port, password: 'hush' } })
    const relay = await holdingReady(port)
    const boards = await databaseBoards(relay.url)
    const asked = boards.list().catch((error: unknown) => error)
    await waitFor('the server to be ready', relay.isHeld)
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hermes'")
    expect(await asked).toMatchObject({ detail: 'NO_DATABASE' })
    expect(await boards.list()).toEqual([])
    await boards.close()
    relay.close()
  },
)

/** ErrorResponse and ReadyForQuery of a transaction that has failed begin with these. */
const [ERROR, READY_AGAIN] = [0x45, 0x5a]

/** Lets an ErrorResponse through, and the ReadyForQuery behind it only after `before`. */
const splitAtRefusal = (port: number, before: () => Promise<void>) =>
  relayTo(port, (near) => {
    let left = Buffer.alloc(0)
    let turn = Promise.resolve()
    let isRefused = false
    const pass = (message: Buffer) => {
      const isReady = isRefused && message[0] === READY_AGAIN
      isRefused = isReady ? false : isRefused || message[0] === ERROR
      turn = turn.then(isReady ? before : () => undefined).then(() => void near.write(message))
    }
    return (bytes) => {
      left = Buffer.concat([left, bytes])
      while (left.length > 4) {
        const end = left.readUInt32BE(1) + 1
        if (left.length < end) return
        pass(left.subarray(0, end))
        left = left.subarray(end)
      }
    }
  })

test.skipIf(why !== undefined)(
  named('a call that the server refuses is over on the server when it rejects', why),
  { timeout: 120_000 },
  async () => {
    const port = await freePort()
    await using _server = await startPostgres({ tcp: { host, port, password: 'hush' } })
    const { default: pg } = await import('pg')
    const other = new Connection(`postgres://postgres:hush@${host}:${port}/postgres`, pg)
    const order: string[] = []
    const relay = await splitAtRefusal(port, async () => {
      // A call of another connection takes far longer than this process needs to look at what has arrived.
      for (let i = 0; i < 20; i++) await other.get('SELECT 1')
      order.push('ready')
    })
    const connection = new Connection(relay.url, pg)
    const refused = { code: '22012' }
    const kinds: Readonly<Record<string, () => Promise<unknown>>> = {
      'outside a transaction': () => connection.get('SELECT 1 / $1::integer', 0),
      'in a transaction': () => connection.transaction((client) => client.query('SELECT 1 / $1::integer', [0])),
      'in one message': () => connection.inOneMessage(() => 'SELECT 1 / 0'),
      'in a view': () => connection.view((client) => client.query('SELECT 1 / 0')),
    }
    for (const [kind, call] of Object.entries(kinds)) {
      await expect(call(), kind).rejects.toMatchObject(refused)
      order.push(kind)
    }
    expect(order).toEqual(Object.keys(kinds).flatMap((kind) => ['ready', kind]))
    for (const one of [connection, other]) await one.close()
    relay.close()
  },
)

test.skipIf(why !== undefined)(
  named('a lock whose question is lost with its connection leaves the place of that connection to the next', why),
  { timeout: 120_000 },
  async () => {
    const port = await freePort()
    await using _server = await startPostgres({ tcp: { host, port, password: 'hush' } })
    const { default: pg } = await import('pg')
    let lost = 0
    const relay = await relayTo(port, (near, far) => {
      near.on('data', (bytes: Buffer) => {
        if (lost > 0 || !bytes.includes('pg_try_advisory_xact_lock')) return
        lost += 1
        far.destroy()
      })
      return (bytes) => void near.write(bytes)
    })
    const connection = new Connection(relay.url, pg, 1)
    const take = () => takeTickLock(connection, 'default', systemClock(), 0)
    await expect(take()).rejects.toMatchObject({ detail: 'NO_DATABASE' })
    const lock = await take()
    expect(lock?.isHeld()).toBe(true)
    await lock?.release()
    await connection.close()
    relay.close()
    expect(lost).toBe(1)
  },
)
