/** The hand-over to the next worker of a task, on every adapter. */
import { describe, expect, test } from 'vitest'
import { HANDOVER_LIMITS } from '../../../src/kanban/handover/facts.ts'
import type { Actor, Board } from '../../../src/kanban/port/board.ts'
import type { RunningRow } from '../../../src/kanban/port/rows.ts'
import type { RunEnd } from '../../../src/kanban/running.ts'
import { steps } from '../../support/kanban/steps.ts'
import type { ContractScene } from './contract.ts'

const WHERE = { host: 'this-host', instance: 'this-life' }
const ready = { status: 'ready', failures: 1, pauses: 0, pausedUntilMs: null, autoBlocked: false } as const

/** @param open makes an empty board */
export function handoverContract(name: string, open: () => Promise<ContractScene>): void {
  let wallMs = Date.now()
  const actor = (): Actor => {
    wallMs += 1
    return { name: 'ada', wallMs }
  }
  const attempt = async (board: Board, id: string, end: Omit<RunEnd, 'stop'>): Promise<number> => {
    const claimed = await steps(board).claim(id, 'alpha', WHERE, wallMs)
    const row = (await board.running()).find((one) => one.id === id) as RunningRow
    const settled = end.outcome === 'completed' ? ({ ...ready, status: 'review', failures: 0 } as const) : ready
    expect(await steps(board).endRun(row, { stop: false, ...end }, settled, actor().wallMs)).toBe(true)
    return claimed?.runId ?? 0
  }

  describe(`the hand-over of a board in ${name}`, () => {
    test('parents with results, attempts that have ended, comments and requests for changes, oldest first', async () => {
      await using scene = await open()
      const { board } = scene
      const parents = []
      for (const title of ['first', 'second', 'third']) parents.push((await board.create({ title }, actor())).task.id)
      const [first = '', second = '', third = ''] = parents
      await board.change('complete', second, { result: 'of the second “one”' }, actor())
      await board.change('complete', first, { result: 'of the first' }, actor())
      await board.change('archive', third, {}, actor())
      const { task } = await board.create({ title: 'child', assignee: 'alpha', parents }, actor())
      await board.comment(task.id, 'mind the\ngap', actor())
      const failed = await attempt(board, task.id, { outcome: 'crashed', failure: true, exitCode: 3, error: 'no disk' })
      const done = await attempt(board, task.id, { outcome: 'completed', failure: false, exitCode: 0, summary: '42' })
      expect(await board.change('request-changes', task.id, { reason: 'name the unit' }, actor())).toMatchObject({
        status: 'ready',
        result: '42',
      })
      await steps(board).claim(task.id, 'alpha', WHERE, wallMs)
      const { attempts, comments, requests, ...found } = await board.handover(task.id, HANDOVER_LIMITS)
      expect(found.parents).toEqual({
        entries: [
          { id: third, title: 'third', status: 'archived', result: null, resultJson: null, completedAtMs: null },
          expect.objectContaining({ id: second, status: 'done', result: 'of the second “one”' }),
          expect.objectContaining({ id: first, title: 'first', result: 'of the first' }),
        ],
        omitted: 0,
      })
      expect(attempts).toMatchObject({
        entries: [
          { id: failed, profile: 'alpha', outcome: 'crashed', exitCode: 3, error: 'no disk', summary: null },
          { id: done, outcome: 'completed', summary: '42', error: null },
        ],
        omitted: 0,
      })
      expect(comments).toMatchObject({ entries: [{ author: 'ada', body: 'mind the\ngap' }], omitted: 0 })
      expect(requests).toEqual({
        entries: [{ by: 'ada', text: 'name the unit', atMs: expect.any(Number) }],
        omitted: 0,
      })
      await expect(board.handover('t_00000000', HANDOVER_LIMITS)).rejects.toMatchObject({ code: 'FAILED' })
    })

    test('nothing, of a task that has nothing', async () => {
      await using scene = await open()
      const { task } = await scene.board.create({ title: 'alone' }, actor())
      const none = { entries: [], omitted: 0 }
      expect(await scene.board.handover(task.id, HANDOVER_LIMITS)).toEqual({
        parents: none,
        attempts: none,
        comments: none,
        requests: none,
      })
    })

    test('the newest entries up to a number and a size, and how many more there are', async () => {
      await using scene = await open()
      const { board } = scene
      const { task } = await board.create({ title: 'talked about' }, actor())
      const bodies = ['ä'.repeat(50), 'b'.repeat(100), 'c'.repeat(100), 'd'.repeat(100)]
      for (const body of bodies) await board.comment(task.id, body, actor())
      const read = async (entries: number, bytes: number) => {
        const { comments } = await board.handover(task.id, { entries, bytes })
        return { read: comments.entries.map(({ body }) => body[0]).join(''), omitted: comments.omitted }
      }
      expect(await read(10, 1000)).toEqual({ read: 'äbcd', omitted: 0 })
      expect(await read(10, 301)).toEqual({ read: 'äbcd', omitted: 0 })
      expect(await read(10, 300)).toEqual({ read: 'bcd', omitted: 1 })
      expect(await read(10, 1)).toEqual({ read: 'd', omitted: 3 })
      expect(await read(2, 1000)).toEqual({ read: 'cd', omitted: 2 })
    })

    test('a schema for the result and the result as JSON are kept; without one, such a task is not completed', async () => {
      await using scene = await open()
      const { board } = scene
      const resultSchema = '{"type":"integer"}'
      const { task } = await board.create({ title: 'typed', assignee: 'alpha', resultSchema }, actor())
      expect(task).toMatchObject({ resultSchema, resultJson: null })
      await expect(board.change('complete', task.id, { result: '42' }, actor())).rejects.toMatchObject({
        code: 'REFUSED',
        message: `cannot complete ${task.id} without a result that fits its schema`,
      })
      const claimed = await steps(board).claim(task.id, 'alpha', WHERE, wallMs)
      expect(claimed?.row.result_schema).toBe(resultSchema)
      expect(await board.running()).toMatchObject([{ id: task.id, lacks_result: 1 }])
      const worker = { ...actor(), runId: claimed?.runId ?? 0 }
      const given = { result: 'it is 42', resultJson: '42', requireReview: true }
      expect(await board.change('complete', task.id, given, worker)).toMatchObject({
        status: 'review',
        result: 'it is 42',
        resultJson: '42',
      })
      const { task: child } = await board.create({ title: 'child', parents: [task.id] }, actor())
      const { parents } = await board.handover(child.id, HANDOVER_LIMITS)
      expect(parents.entries).toMatchObject([{ result: 'it is 42', resultJson: '42' }])
      expect(await board.change('request-changes', task.id, { reason: 'x' }, actor())).toMatchObject({
        result: 'it is 42',
        resultJson: null,
      })
      await steps(board).claim(task.id, 'alpha', WHERE, wallMs)
      expect(await board.running()).toMatchObject([{ id: task.id, lacks_result: 1 }])
      expect(await board.change('complete', task.id, { resultJson: '43' }, actor())).toMatchObject({ status: 'done' })
      expect((await board.list({ statuses: ['done'], limit: 1 }))[0]).toMatchObject({ resultSchema, resultJson: '43' })
    })

    test('changes are requested only of work that waits for a review, and while it waits for its parents it is todo', async () => {
      await using scene = await open()
      const { board } = scene
      const { task } = await board.create({ title: 'a task', assignee: 'alpha' }, actor())
      await expect(board.change('request-changes', task.id, { reason: 'x' }, actor())).rejects.toMatchObject({
        code: 'REFUSED',
        message: `cannot request-changes ${task.id}: it is ready`,
      })
      await attempt(board, task.id, { outcome: 'completed', failure: false, exitCode: 0 })
      const { task: parent } = await board.create({ title: 'later' }, actor())
      await board.link(parent.id, task.id, actor())
      expect(await board.change('request-changes', task.id, { reason: 'x' }, actor())).toMatchObject({ status: 'todo' })
    })
  })
}
