/** Boards that move between a volume and a database, and moves that are interrupted. */
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Board } from '../../../src/kanban/port/board.ts'
import { type Boards, withBoard } from '../../../src/kanban/port/boards.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { FileBoards } from '../../../src/kanban/store/file-boards.ts'
import { moveBoard } from '../../../src/kanban/transfer/migrate.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { exported, smallBoard } from './transfer-contract.ts'

const actor = { name: 'tester', wallMs: 1_800_000_000_000 }
const warn = (): void => undefined
const ROWS = { tasks: 2, links: 1, runs: 1, comments: 1, events: 5, routines: 0 }

const textOf = (boards: Boards, slug: string): Promise<string> =>
  withBoard(boards, boards.place(slug), { mode: 'read', warn, evenSealed: true }, exported)
const sealOf = (boards: Boards, slug: string) =>
  withBoard(boards, boards.place(slug), { mode: 'read', warn, evenSealed: true }, (board) => board.seal())
const write = (boards: Boards, slug: string): Promise<void> =>
  withBoard(boards, boards.place(slug), { mode: 'write', warn }, async (board) => {
    await board.create({ title: 'one more' }, actor)
  })
const move = (from: Boards, to: Boards, slug: string) =>
  moveBoard(slug, { from, to, clock: systemClock(), warn, progress: () => undefined })

/** Boards of which one method fails once: before it does anything, or when it has done it. */
function failing(boards: Boards, method: 'fill' | 'moveOut' | 'unseal', when: 'before' | 'after'): Boards {
  let isOver = false
  const open: Boards['open'] = async (...args) => {
    const board = await boards.open(...args)
    return new Proxy(board, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown
        if (name !== method || isOver) return value
        return async (...given: unknown[]) => {
          isOver = true
          if (when === 'after') await (value as (...all: unknown[]) => Promise<unknown>).apply(target, given)
          throw new Error('interrupted')
        }
      },
    }) as Board
  }
  return new Proxy(boards, {
    get: (target, name) => {
      if (name === 'open') return open
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** @param database boards in a database; each test uses names of its own */
export function moveContract(database: () => Promise<Boards>): void {
  let count = 0
  const scene = async () => {
    const home = quickDir('hermes-move-')
    count += 1
    const slug = `move-${count}`
    const files = new FileBoards(home)
    await withBoard(files, files.place(slug), { mode: 'create', warn }, smallBoard)
    const there = await database()
    const done = async (): Promise<void> => {
      await there.close()
      rmSync(home, { recursive: true, force: true })
    }
    return { slug, files, database: there, [Symbol.asyncDispose]: done }
  }

  test('a board moves to the database and back, with everything that was added there', async () => {
    await using here = await scene()
    const { slug, files, database } = here
    const before = await textOf(files, slug)
    expect(await move(files, database, slug)).toEqual(ROWS)
    expect(await textOf(database, slug)).toBe(before)
    expect(await textOf(files, slug)).toBe(before)
    await expect(write(files, slug)).rejects.toMatchObject({
      code: 'REFUSED',
      message: `the board "${slug}" has moved to ${database.where(database.place(slug))}`,
    })
    expect(await move(files, database, slug), 'it has been moved').toBeNull()
    await write(database, slug)
    const after = await textOf(database, slug)
    expect(await move(database, files, slug)).toEqual({ ...ROWS, tasks: 3, events: 6 })
    expect(await textOf(files, slug)).toBe(after)
    await expect(write(database, slug)).rejects.toMatchObject({ code: 'REFUSED' })
    await write(files, slug)
    expect(await move(files, database, slug)).toEqual({ ...ROWS, tasks: 4, events: 7 })
  })

  test('a board that is in use there is not overwritten, and the one here stays in use', async () => {
    await using here = await scene()
    const { slug, files, database } = here
    await withBoard(database, database.place(slug), { mode: 'create', warn }, (board) =>
      board.create({ title: 'theirs' }, actor),
    )
    await expect(move(files, database, slug)).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('is not empty'),
    })
    await write(files, slug)
    await write(database, slug)
  })

  test('a body with a NUL moves: the database keeps another character in its place', async () => {
    await using here = await scene()
    const { slug, files, database } = here
    const open = openTables(files.place(slug), { mode: 'write', warn })
    open.run("UPDATE tasks SET body = 'a' || char(0) || 'b' WHERE seq = 1")
    open.close()
    await move(files, database, slug)
    expect(await textOf(database, slug)).toContain('"body":"a\ufffdb"')
  })

  for (const [title, method, when, side] of [
    ['before the copy', 'moveOut', 'before', 'from'],
    ['in the copy', 'fill', 'before', 'to'],
    ['between the copy and the seal', 'fill', 'after', 'to'],
    ['after the seal', 'moveOut', 'after', 'from'],
    ['before the seal of the copy is broken', 'unseal', 'before', 'to'],
    ['at the very end', 'unseal', 'after', 'to'],
  ] as const)
    test(`a move that is interrupted ${title} goes on when it is run again, and never both accept changes`, async () => {
      await using here = await scene()
      for (const [from, to] of [
        [here.files, here.database],
        [here.database, here.files],
      ] as const) {
        const { slug } = here
        const text = await textOf(from, slug)
        const [first, second] = side === 'from' ? [failing(from, method, when), to] : [from, failing(to, method, when)]
        await expect(move(first, second, slug)).rejects.toThrow('interrupted')
        const accepting = []
        for (const boards of [from, to])
          if ((await boards.has(boards.place(slug))) && (await sealOf(boards, slug)) === undefined)
            if ((await textOf(boards, slug)).includes('"task"')) accepting.push(boards)
        expect(accepting.length).toBeLessThanOrEqual(1)
        const isOver = method === 'unseal' && when === 'after'
        await move(from, to, slug)
        expect(await textOf(to, slug)).toBe(text)
        expect(await sealOf(to, slug)).toBeUndefined()
        expect((await sealOf(from, slug))?.kind, `${isOver}`).toBe('moved')
        await write(to, slug)
      }
    })
}
