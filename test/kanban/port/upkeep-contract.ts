/** Edits and removals, in every adapter of the board. */
import { describe, expect, test } from 'vitest'
import type { Actor, Board } from '../../../src/kanban/port/board.ts'
import type { NewTask } from '../../../src/kanban/port/input.ts'
import type { Task } from '../../../src/kanban/task.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { steps } from '../../support/kanban/steps.ts'
import { waitFor } from '../../support/wait.ts'
import type { ContractScene } from './contract.ts'

const WHERE = { host: 'this-host', instance: 'this-life' }

/** @param open makes an empty board */
export function upkeepContract(name: string, open: () => Promise<ContractScene>): void {
  let wallMs = Date.now()
  const actor = (who = 'tester', runId?: number): Actor => {
    wallMs += 1
    return { name: who, wallMs, ...(runId === undefined ? {} : { runId }) }
  }
  const create = async (board: Board, input: Partial<NewTask> = {}): Promise<Task> =>
    (await board.create({ title: 'a task', ...input }, actor())).task
  const claim = async (board: Board, id: string): Promise<number> => {
    const claimed = await steps(board).claim(id, 'alpha', WHERE, wallMs)
    if (claimed === undefined) throw new Error(`${id} was not claimed`)
    return claimed.runId
  }
  const edits = async (board: Board, id: string) =>
    (await board.events(0, 100, id)).filter(({ kind }) => kind === 'edited').map(({ payload }) => payload)

  describe(`upkeep of a board in ${name}`, () => {
    test('an edit changes what it names, and its event keeps what that was', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board, { title: 'Say hello', body: 'in one language', priority: 1 })
      const edited = await board.edit(task.id, { title: ' Say\n goodbye ', priority: 5 }, actor('ada'))
      expect(edited).toMatchObject({ title: 'Say goodbye', body: 'in one language', priority: 5, status: 'ready' })
      expect(edited.changedAtMs).toBeGreaterThanOrEqual(task.changedAtMs)
      expect(await board.find(task.id)).toEqual(edited)
      await board.edit(task.id, { body: 'in two' }, actor('bob'))
      expect(await edits(board, task.id)).toEqual([
        {
          by: 'ada',
          changed: ['title', 'priority'],
          title: 'Say goodbye',
          priority: 5,
          was: { title: 'Say hello', priority: 1 },
        },
        { by: 'bob', changed: ['body'], was: { body: 'in one language' } },
      ])
    })

    test('the priority of an edit decides what is started first', async () => {
      await using scene = await open()
      const { board } = scene
      const [first, second] = [await create(board), await create(board)]
      await board.edit(second.id, { priority: 1 }, actor())
      expect((await board.ready(null, 9)).map(({ id }) => id)).toEqual([second.id, first.id])
    })

    test('an edit that changes nothing writes nothing', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board, { body: 'x' })
      expect(await board.edit(task.id, { title: 'a  task', body: 'x', priority: 0 }, actor())).toEqual(task)
      expect(await edits(board, task.id)).toEqual([])
    })

    test('of two edits of one text that both began with the same, the second is refused', async () => {
      await using scene = await open()
      const boards = [scene.board, await scene.another()]
      const task = await create(scene.board, { body: 'the beginning' })
      const answers = await Promise.allSettled(
        boards.map((board, at) =>
          board.edit(task.id, { body: `by ${at}`, was: { body: 'the beginning' } }, actor(`writer ${at}`)),
        ),
      )
      expect(answers.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({
        reason: { code: 'REFUSED', message: `cannot edit ${task.id}: its body was changed in the meantime` },
      })
      // Other texts are not in the way.
      await scene.board.edit(task.id, { title: 'another title', was: { title: 'a task' } }, actor())
      expect(await edits(scene.board, task.id)).toHaveLength(2)
    })

    test('edits of different texts at the same time are all kept', async () => {
      await using scene = await open()
      const boards = [scene.board, await scene.another(), await scene.another()]
      const task = await create(scene.board)
      const [one, two, three] = boards as [Board, Board, Board]
      await Promise.all([
        one.edit(task.id, { title: 'a new title' }, actor()),
        two.edit(task.id, { body: 'a new body' }, actor()),
        three.edit(task.id, { priority: 7 }, actor()),
      ])
      expect(await one.require(task.id)).toMatchObject({ title: 'a new title', body: 'a new body', priority: 7 })
    })

    test('an edit is refused if the task is closed or cannot be like that, and nothing is written', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board)
      await expect(board.edit(task.id, { title: ' ' }, actor())).rejects.toMatchObject({ code: 'USAGE' })
      await expect(board.edit(task.id, { priority: 1.5 }, actor())).rejects.toMatchObject({ code: 'USAGE' })
      await expect(board.edit(task.id, { title: 'x'.repeat(501) }, actor())).rejects.toMatchObject({ code: 'USAGE' })
      await expect(board.edit('t_00000000', { title: 'x' }, actor())).rejects.toMatchObject({ code: 'FAILED' })
      for (const [operation, status] of [
        ['complete', 'done'],
        ['archive', 'archived'],
      ] as const) {
        await board.change(operation, task.id, {}, actor())
        await expect(board.edit(task.id, { title: 'late' }, actor())).rejects.toMatchObject({
          code: 'REFUSED',
          message: `cannot edit ${task.id}: it is ${status}`,
        })
      }
      expect(await board.require(task.id)).toMatchObject({ title: 'a task' })
      expect(await edits(board, task.id)).toEqual([])
    })

    test('a running task can be edited; a worker whose run is over cannot', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board, { assignee: 'alpha' })
      const runId = await claim(board, task.id)
      expect(await board.edit(task.id, { body: 'more' }, actor('alpha', runId))).toMatchObject({ status: 'running' })
      await expect(board.edit(task.id, { body: 'late' }, actor('alpha', runId + 1))).rejects.toMatchObject({
        code: 'REFUSED',
        message: expect.stringContaining('is no longer its run'),
      })
    })

    test('removes a task with its history and links, and leaves an event that says so', async () => {
      await using scene = await open()
      const { board } = scene
      const parent = await create(board)
      const task = await create(board, { title: 'a mistake', assignee: 'alpha', parents: [parent.id] })
      const child = await create(board, { parents: [task.id] })
      await board.comment(task.id, 'never mind', actor())
      await board.change('complete', child.id, {}, actor())
      await board.remove(task.id, { status: 'todo', assignee: 'alpha' }, actor('ada'))
      expect(await board.find(task.id)).toBeUndefined()
      expect(await board.list({ statuses: ['todo', 'ready', 'done'], limit: 9 })).toHaveLength(2)
      expect(await board.parents(child.id)).toEqual([])
      const details = await board.details(parent.id, { runs: 9, events: 9 })
      expect(details.children).toEqual([])
      // The numbers of its events are a gap now, at which a reader of a database waits for some seconds.
      const left = await waitFor('the event that stays', async () => {
        const events = await board.events(0, 100, task.id)
        return events.length > 0 && events
      })
      expect(left).toMatchObject([{ kind: 'deleted', payload: { by: 'ada', title: 'a mistake', from: 'todo' } }])
      await expect(board.remove(task.id, null, actor())).rejects.toMatchObject({ code: 'FAILED' })
    })

    test('does not remove a running task, nor one that open tasks follow', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board, { assignee: 'alpha' })
      const child = await create(board, { parents: [task.id] })
      await expect(board.remove(task.id, null, actor())).rejects.toMatchObject({
        code: 'REFUSED',
        message: `cannot delete ${task.id}: ${child.id} (todo) follows it`,
      })
      await board.unlink(task.id, child.id, actor())
      await claim(board, task.id)
      await expect(board.remove(task.id, null, actor())).rejects.toMatchObject({
        code: 'REFUSED',
        message: `cannot delete ${task.id}: it is running`,
      })
      await board.change('reclaim', task.id, {}, actor())
      await board.remove(task.id, null, actor())
      expect(await board.find(task.id)).toBeUndefined()
    })

    test('the worker of a task that was removed is a leftover of this board', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board, { assignee: 'alpha' })
      const runId = await claim(board, task.id)
      const slot = `job-${task.id}-${runId}`
      await board.change('complete', task.id, {}, actor())
      expect(await board.attempt(task.id, runId, slot)).toMatchObject({ currentRun: null, outcome: 'completed' })
      await board.remove(task.id, null, actor())
      expect(await board.attempt(task.id, runId, slot)).toMatchObject({ currentRun: null, outcome: 'reclaimed' })
      expect(await board.attempt('t_00000000', runId, slot)).toBeUndefined()
    })

    test('changes or removes a task only as it was seen', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board, { assignee: 'alpha' })
      const seen = { status: task.status, assignee: task.assignee }
      await board.change('block', task.id, {}, actor())
      const refused = {
        code: 'REFUSED',
        message: `cannot archive ${task.id}: it was ready, for alpha, and is blocked, for alpha by now`,
      }
      await expect(board.change('archive', task.id, { expected: seen }, actor())).rejects.toMatchObject(refused)
      await expect(board.remove(task.id, seen, actor())).rejects.toMatchObject({ code: 'REFUSED' })
      await board.change('archive', task.id, { expected: { status: 'blocked', assignee: 'alpha' } }, actor())
      expect(await board.require(task.id)).toMatchObject({ status: 'archived' })
    })

    test('lists the tasks to which nothing has happened for a time', async () => {
      await using scene = await open()
      const { board } = scene
      const [old, commented, started] = [
        await create(board),
        await create(board),
        await create(board, { assignee: 'alpha' }),
      ]
      // A database has a clock of its own.
      const clock = { ...systemClock(), wallMs: () => actor().wallMs }
      const createdMs = Math.max(...[old, commented, started].map(({ createdAtMs }) => createdAtMs))
      const sinceMs = createdMs + 1
      await waitFor('the clock of the board to go on', async () => (await board.wallMs(clock)) > sinceMs)
      await board.comment(commented.id, 'still wanted', actor())
      expect(await steps(board).claim(started.id, 'alpha', WHERE, actor().wallMs)).toBeDefined()
      const list = (quietSinceMs: number) =>
        board
          .list({ statuses: ['ready', 'running'], quietSinceMs, limit: 9 })
          .then((tasks) => tasks.map(({ id }) => id))
      expect(await list(sinceMs)).toEqual([old.id])
      expect(await list(Number.MAX_SAFE_INTEGER)).toHaveLength(3)
    })
  })
}
