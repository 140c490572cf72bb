/** Boards that get another name, or are set aside, wherever they are kept. */
import { describe, expect, test } from 'vitest'
import type { Actor, Board } from '../../../src/kanban/port/board.ts'
import type { Boards } from '../../../src/kanban/port/boards.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { steps } from '../../support/kanban/steps.ts'

export interface BoardsScene extends AsyncDisposable {
  readonly boards: Boards
}

const clock = systemClock()
const WHERE = { host: 'this-host', instance: 'this-life' }
/** One board would be another test's in a database. */
let made = 0
const fresh = (): string => {
  made += 1
  return `moving-${process.pid}-${made}`
}

/** @param open boards that tests share */
export function boardsContract(name: string, open: () => Promise<BoardsScene>): void {
  const actor = (): Actor => ({ name: 'tester', wallMs: clock.wallMs() })
  const on = async <T>(boards: Boards, slug: string, use: (board: Board) => Promise<T>): Promise<T> => {
    const board = await boards.open(boards.place(slug), { mode: 'create', warn: () => undefined })
    try {
      return await use(board)
    } finally {
      await board.close()
    }
  }
  const slugs = async (boards: Boards) => (await boards.list()).map(({ slug }) => slug)

  describe(`boards in ${name}`, () => {
    test('a board that was renamed has everything it had, and works', async () => {
      await using scene = await open()
      const { boards } = scene
      const [slug, to] = [fresh(), fresh()]
      const before = await on(boards, slug, async (board) => {
        const { task: parent } = await board.create({ title: 'the parent', assignee: 'alpha' }, actor())
        const { task: child } = await board.create({ title: 'the child', parents: [parent.id] }, actor())
        await board.comment(child.id, 'kept', actor())
        // Makes the server's functions of a tick.
        expect(await steps(board).claim(parent.id, 'beta', WHERE, clock.wallMs())).toBeUndefined()
        return { parent, child, details: await board.details(child.id, { runs: 9, events: 9 }) }
      })
      await boards.rename(boards.place(slug), to, clock)
      expect(await slugs(boards)).toContain(to)
      expect(await slugs(boards)).not.toContain(slug)
      await on(boards, to, async (board) => {
        expect(await board.details(before.child.id, { runs: 9, events: 9 })).toEqual(before.details)
        const claim = await steps(board).claim(before.parent.id, 'alpha', WHERE, clock.wallMs())
        expect(claim).toMatchObject({ row: { id: before.parent.id } })
        await board.change('complete', before.parent.id, {}, actor())
        expect(await board.require(before.child.id)).toMatchObject({ status: 'ready', openParents: 0 })
      })
      // Its old name is free.
      await on(boards, slug, async (board) => expect(await board.statusCounts()).toEqual({}))
      await on(boards, to, async (board) => expect(await board.statusCounts()).toEqual({ done: 1, ready: 1 }))
    })

    test('a board that was set aside is gone, and the next one of its name is empty', async () => {
      await using scene = await open()
      const { boards } = scene
      const slug = fresh()
      await on(boards, slug, (board) => board.create({ title: 'x' }, actor()))
      expect(await boards.setAside(boards.place(slug), clock)).toContain(slug)
      expect(await slugs(boards)).not.toContain(slug)
      await on(boards, slug, async (board) => expect(await board.statusCounts()).toEqual({}))
    })

    test('neither happens while a task runs, to a board that is not there, or to a name that is taken', async () => {
      await using scene = await open()
      const { boards } = scene
      const [slug, other] = [fresh(), fresh()]
      await on(boards, other, (board) => board.create({ title: 'x' }, actor()))
      const id = await on(boards, slug, async (board) => {
        const { task } = await board.create({ title: 'at work', assignee: 'alpha' }, actor())
        expect(await steps(board).claim(task.id, 'alpha', WHERE, clock.wallMs())).toBeDefined()
        return task.id
      })
      const runs = { code: 'REFUSED', message: `the board "${slug}" has 1 running task` }
      await expect(boards.rename(boards.place(slug), fresh(), clock)).rejects.toMatchObject(runs)
      await expect(boards.setAside(boards.place(slug), clock)).rejects.toMatchObject(runs)
      await on(boards, slug, (board) => board.change('reclaim', id, {}, actor()))
      await expect(boards.rename(boards.place(slug), other, clock)).rejects.toMatchObject({
        code: 'REFUSED',
        message: `the board "${other}" is there already`,
      })
      const missing = boards.place(fresh())
      const failed = { code: 'FAILED', message: expect.stringContaining(`no board "${missing.slug}"`) }
      await expect(boards.rename(missing, fresh(), clock)).rejects.toMatchObject(failed)
      await expect(boards.setAside(missing, clock)).rejects.toMatchObject(failed)
      await on(boards, slug, async (board) => expect(await board.statusCounts()).toEqual({ ready: 1 }))
    })

    test('a change at the same moment is made before the new name, or refused', async () => {
      await using scene = await open()
      const { boards } = scene
      const [slug, to] = [fresh(), fresh()]
      await on(boards, slug, (board) => board.create({ title: 'first' }, actor()))
      const [moved, ...created] = await Promise.allSettled([
        boards.rename(boards.place(slug), to, clock),
        ...[1, 2, 3].map(async () => {
          const board = await boards.open(boards.place(slug), { mode: 'write', warn: () => undefined })
          try {
            await board.create({ title: 'at once' }, actor())
          } finally {
            await board.close()
          }
        }),
      ])
      expect(moved?.status).toBe('fulfilled')
      const kept = created.filter(({ status }) => status === 'fulfilled').length
      await on(boards, to, async (board) => expect(await board.statusCounts()).toEqual({ ready: 1 + kept }))
    })
  })
}
