// A connection that the server ends at the worst moment is an error of one query, never the end of the process.
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { databaseBoards } from '../../../src/kanban/postgres/database-boards.ts'
import { startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { freePort } from '../../support/port.ts'
import { named } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()
const host = '127.0.0.1'
/** ReadyForQuery, outside a transaction: https://www.postgresql.org/docs/15/protocol-message-formats.html */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

/** Passes on what a server says, but holds its very first ReadyForQuery back until there is more to say. */
async function holdingReady(port: number) {
  let isHeld = false
  const server = createServer((near) => {
    const far = connect({ host, port })
    let held: Buffer | undefined
    near.pipe(far)
    for (const socket of [near, far]) socket.on('error', () => undefined) // its close follows
    far.on('close', () => near.end())
    near.on('close', () => far.destroy())
    far.on('data', (bytes: Buffer) => {
      if (!isHeld && bytes.subarray(-READY.length).equals(READY)) {
        held = bytes
        isHeld = true
        return
      }
      near.write(held === undefined ? bytes : Buffer.concat([held, bytes]))
      held = undefined
    })
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return { port: (server.address() as AddressInfo).port, isHeld: () => isHeld, close: () => server.close() }
}

test.skipIf(why !== undefined)(
  named('a connection that ends in the packet in which it becomes ready is an error of the query that wanted it', why),
  { timeout: 120_000 },
  async () => {
    const port = await freePort()
    await using server = await startPostgres({ tcp: { host, port, password: 'hush' } })
    const relay = await holdingReady(port)
    const boards = await databaseBoards(`postgres://postgres:hush@${host}:${relay.port}/postgres`)
    const asked = boards.list().catch((error: unknown) => error)
    await waitFor('the server to be ready', relay.isHeld)
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hermes'")
    expect(await asked).toMatchObject({ detail: 'NO_DATABASE' })
    expect(await boards.list()).toEqual([])
    await boards.close()
    relay.close()
  },
)
