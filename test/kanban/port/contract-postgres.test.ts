import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Board, BoardPlace } from '../../../src/kanban/port/board.ts'
import { databaseBoards, openPostgres } from '../../../src/kanban/postgres/database-boards.ts'
import { VERSION } from '../../../src/kanban/postgres/schema.ts'
import { attach, detach, listAttachments } from '../../../src/kanban/store/attachments.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'
import { boardsContract } from './boards-contract.ts'
import { boardContract, type ContractScene } from './contract.ts'
import { handoverContract } from './handover-contract.ts'
import { moveContract } from './moves.ts'
import { transferContract } from './transfer-contract.ts'
import { upkeepContract } from './upkeep-contract.ts'

const why = whyNoPostgres()

/** A board of its own for each test. */
let boards = 0
const freshPlace = () => {
  boards += 1
  return { slug: `board-${boards}`, file: '' }
}
const actor = { name: 'tester', wallMs: 0 }

interface Scene extends ContractScene {
  readonly place: BoardPlace
}

describe.skipIf(why !== undefined)(`PostgreSQL (${why ?? 'a server of our own'})`, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  const openScene = async (): Promise<Scene> => {
    const place = freshPlace()
    const opened: Board[] = []
    const open = async (): Promise<Board> => {
      const board = await openPostgres(place, server.url, { mode: 'create', warn: () => undefined })
      opened.push(board)
      return board
    }
    return {
      place,
      address: ['postgres', server.url, place.slug],
      board: await open(),
      another: open,
      async [Symbol.asyncDispose]() {
        for (const board of opened) await board.close()
      },
    }
  }
  boardContract('PostgreSQL', openScene)
  handoverContract('PostgreSQL', openScene)
  transferContract('PostgreSQL', openScene)
  upkeepContract('PostgreSQL', openScene)
  moveContract(() => databaseBoards(server.url))
  boardsContract('PostgreSQL', async () => {
    const boards = await databaseBoards(server.url)
    return { boards, [Symbol.asyncDispose]: () => boards.close() }
  })

  test('every instant is of the database’s clock, whatever the caller’s says', async () => {
    await using scene = await openScene()
    const { task } = await scene.board.create({ title: 'x' }, { name: 'tester', wallMs: 12 })
    const now = Number(server.psql('SELECT extract(epoch FROM clock_timestamp()) * 1000'))
    expect(Math.abs(task.createdAtMs - now)).toBeLessThan(10_000)
    expect(Math.abs((await scene.board.wallMs(systemClock())) - now)).toBeLessThan(10_000)
  })

  test('a board that is not there, or of a newer version, is named; the newer one can be read', async () => {
    const place = freshPlace()
    const warnings: string[] = []
    const open = (mode: 'create' | 'write' | 'read') =>
      openPostgres(place, server.url, { mode, warn: (text) => warnings.push(text) })
    for (const mode of ['write', 'read'] as const)
      await expect(open(mode)).rejects.toMatchObject({ message: expect.stringContaining(`no board "${place.slug}"`) })
    const made = await open('create')
    const { task } = await made.create({ title: 'kept' }, actor)
    await made.close()
    server.psql(`UPDATE hermes.boards SET schema_version = 99 WHERE slug = '${place.slug}'`)
    for (const mode of ['create', 'write'] as const)
      await expect(open(mode)).rejects.toMatchObject({
        message: `the board "${place.slug}" has schema generation 99; this version supports ${VERSION}`,
      })
    const reader = await open('read')
    expect(await reader.find(task.id)).toMatchObject({ title: 'kept' })
    expect(warnings).toEqual([
      `the board "${place.slug}" has schema generation 99; this version supports ${VERSION}; it is only read`,
    ])
    await reader.close()
  })

  test('a board of the first generation gets the later columns, in whatever mode and by however many it is opened', async () => {
    const place = freshPlace()
    const s = `"hermes_${place.slug}"`
    const open = (mode: 'create' | 'write' | 'read') => openPostgres(place, server.url, { mode, warn: () => undefined })
    const made = await open('create')
    const { task } = await made.create({ title: 'kept' }, actor)
    await made.close()
    for (const modes of [['read'], ['write', 'write', 'read', 'create']] as const) {
      server.psql(`ALTER TABLE ${s}.tasks DROP COLUMN once, DROP COLUMN needs;
        UPDATE hermes.boards SET schema_version = 1 WHERE slug = '${place.slug}'`)
      for (const board of await Promise.all(modes.map(open))) {
        expect(await board.find(task.id)).toMatchObject({ title: 'kept', once: false })
        expect(await board.running()).toEqual([])
        await board.close()
      }
      expect(server.psql(`SELECT schema_version FROM hermes.boards WHERE slug = '${place.slug}'`).trim()).toBe(
        String(VERSION),
      )
    }
    const board = await open('write')
    expect((await board.create({ title: 'x', once: true }, actor)).task.once).toBe(true)
    await board.close()
  })

  test('two processes that make the same board at once both get it', async () => {
    const place = freshPlace()
    const made = await Promise.all(
      [1, 2, 3, 4].map(() => openPostgres(place, server.url, { mode: 'create', warn: () => undefined })),
    )
    await made[0]?.create({ title: 'x' }, actor)
    for (const board of made) {
      expect(await board.statusCounts()).toEqual({ ready: 1 })
      await board.close()
    }
  })

  test('a reader of events stops at a gap that a transaction may still fill, and passes an old one', async () => {
    await using scene = await openScene()
    const { board } = scene
    const { task } = await board.create({ title: 'x' }, actor)
    const after = await board.eventsTail(0)
    await board.comment(task.id, 'first', actor)
    const seen = await board.events(after, 10)
    expect(seen).toHaveLength(1)
    // As a transaction does that has an event and has not committed yet.
    server.psql(`SELECT nextval(pg_get_serial_sequence('"hermes_${scene.place.slug}".events', 'id'))`)
    await board.comment(task.id, 'behind a gap', actor)
    const age = (ms: number) => server.psql(`UPDATE "hermes_${scene.place.slug}".events SET at = at + ${ms}`)
    age(60_000) // so that it does not matter how long these statements take
    expect(await board.events(seen[0]?.id ?? 0, 10)).toEqual([])
    age(-80_000)
    expect(await board.events(seen[0]?.id ?? 0, 10)).toHaveLength(1)
  })

  test('a reader of events waits for the first one, too', async () => {
    await using scene = await openScene()
    server.psql(`SELECT nextval(pg_get_serial_sequence('"hermes_${scene.place.slug}".events', 'id'))`)
    await scene.board.create({ title: 'x' }, actor)
    server.psql(`UPDATE "hermes_${scene.place.slug}".events SET at = at + 60000`)
    expect(await scene.board.events(0, 10)).toEqual([])
    server.psql(`UPDATE "hermes_${scene.place.slug}".events SET at = at - 80000`)
    expect(await scene.board.events(0, 10)).toHaveLength(1)
  })

  test('a connection that the server ends costs one call at most, and the lock of a tick with it', async () => {
    await using scene = await openScene()
    const { board } = scene
    const lock = await board.holdTicks(systemClock(), 0)
    expect(lock?.isHeld()).toBe(true)
    server.psql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hermes' AND datname = current_database()",
    )
    await waitFor('the lock to be lost', () => lock?.isHeld() === false)
    await lock?.release()
    await waitFor('the board to answer', () =>
      board.statusCounts().then(
        () => true,
        () => false,
      ),
    )
    // The client knows of its end before the server has given back the lock.
    const again = await waitFor('the lock to be free', () => board.holdTicks(systemClock(), 0))
    expect(again.isHeld()).toBe(true)
    await again.release()
  })

  test('a tick lock lives as long as its process turns, however long that is', async () => {
    await using scene = await openScene()
    const lock = await scene.board.holdTicks(systemClock(), 0)
    await delay(6500) // longer than the server allows a silent transaction
    expect(lock?.isHeld()).toBe(true)
    expect(await (await scene.another()).holdTicks(systemClock(), 0)).toBeUndefined()
    await lock?.release()
  })

  test('a tick lock asks one question at a time, and ends after the one that is under way', {
    timeout: 120_000,
  }, async () => {
    await using scene = await openScene()
    const warnings: string[] = []
    const onWarning = ({ message }: Error): void => void warnings.push(message)
    process.on('warning', onWarning)
    const lock = await scene.board.holdTicks(systemClock(), 0)
    server.signal('SIGSTOP')
    // The next question of the lock now hangs for as long as a query may, which is longer than between two questions.
    try {
      await waitFor('the lock to be lost', () => lock?.isHeld() === false, { deadlineMs: 60_000 })
    } finally {
      server.signal('SIGCONT')
    }
    await lock?.release()
    expect(warnings).toEqual([])
    process.off('warning', onWarning)
  })

  test('attachments are refused: a file would be on one node only', async () => {
    await using scene = await openScene()
    const { task } = await scene.board.create({ title: 'x' }, actor)
    const file = { name: 'x', bytes: Buffer.from('x') }
    await expect(attach(scene.board, task.id, file, actor)).rejects.toThrow(/is in a database: an attachment would be/)
    await expect(detach(scene.board, task.id, 'x', actor)).rejects.toThrow(/is in a database/)
    expect(await listAttachments(scene.board, task.id)).toEqual([])
  })

  test('transactions that lock each other’s tasks all succeed in the end', async () => {
    await using scene = await openScene()
    const boards = [scene.board, await scene.another(), await scene.another()]
    for (let round = 0; round < 5; round++) {
      const made = await Promise.all([1, 2, 3].map(() => scene.board.create({ title: 'parent' }, actor)))
      const parents = made.map(({ task }) => task.id)
      const { task: child } = await scene.board.create({ title: 'child', parents }, actor)
      await Promise.all([
        ...parents.map((id, at) => (boards[at] as Board).change('complete', id, {}, actor)),
        (boards[0] as Board).comment(child.id, 'x', actor),
        (boards[1] as Board).unlink(parents[2] ?? '', child.id, actor),
      ])
      expect(await scene.board.require(child.id)).toMatchObject({ status: 'ready', openParents: 0 })
    }
  })

  test('a database that hangs is an error within five seconds, with what to do; the password is in no message', async () => {
    await using scene = await openScene()
    const idle = await scene.another()
    await idle.statusCounts()
    server.signal('SIGSTOP')
    try {
      const beganMs = performance.now()
      const asked = [
        scene.board.statusCounts(),
        scene.board.create({ title: 'x' }, actor),
        openPostgres(scene.place, server.url.replace('postgres@', 'postgres:hush@'), {
          mode: 'read',
          warn: () => undefined,
        }),
      ]
      const answers = await Promise.allSettled(asked)
      await idle.close()
      expect(performance.now() - beganMs).toBeLessThan(stretchedMs(5000))
      for (const answer of answers) {
        expect(answer).toMatchObject({
          status: 'rejected',
          reason: { code: 'FAILED', message: expect.stringContaining('does not answer'), next: expect.any(String) },
        })
        expect(JSON.stringify(answer)).not.toContain('hush')
      }
    } finally {
      server.signal('SIGCONT')
    }
    await waitFor('the board to answer again', () =>
      scene.board.statusCounts().then(
        () => true,
        () => false,
      ),
    )
  })
})
