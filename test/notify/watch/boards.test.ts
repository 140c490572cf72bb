import { expect, test } from 'vitest'
import type { Actor } from '../../../src/kanban/port/board.ts'
import { withBoard } from '../../../src/kanban/port/boards.ts'
import { FileBoards } from '../../../src/kanban/store/file-boards.ts'
import { FileWatch } from '../../../src/kanban/watch/board-watch.ts'
import type { Observed } from '../../../src/notify/notification.ts'
import type { Note } from '../../../src/notify/outbox/outbox.ts'
import { BoardEvents } from '../../../src/notify/watch/boards.ts'
import { quickScratchDir } from '../../support/scratch.ts'

const AT = Date.UTC(2026, 0, 1)
const actor: Actor = { name: 'someone', wallMs: AT }

/** Boards in a home, and a notifier's view of them that can start again. */
function scene() {
  const home = quickScratchDir('hermes-boards-')
  const boards = new FileBoards(home)
  const kept = new Map<string, unknown>()
  const seen: Observed[] = []
  const disk = { full: false }
  const keep = (notes: readonly Note[], observed: readonly Observed[]): void => {
    if (disk.full) throw new RangeError('the disk is full')
    for (const { subject, value } of notes) kept.set(subject.slice('board:'.length), value)
    seen.push(...observed)
  }
  const start = () =>
    new BoardEvents({
      boards,
      watch: new FileWatch(home),
      read: new Map(kept),
      begunAtMs: AT,
      wallMs: () => AT + 1000,
      keep,
      failed: (error) => expect.fail(String(error)),
    })
  const change = (slug: string, mode: 'create' | 'write', wallMs = AT) =>
    withBoard(boards, boards.place(slug), { mode, warn: (text) => expect.fail(text) }, async (board) => {
      const at = { ...actor, wallMs }
      const make = async (title: string) => (await board.create({ title, assignee: 'coder' }, at)).task.id
      const [done, blocked, open] = [await make('one'), await make('two'), await make('three')]
      await board.change('complete', done, {}, at)
      await board.change('block', blocked, { reason: 'no key' }, at)
      return { done, blocked, open }
    })
  return { start, change, seen, disk }
}

test('the ends of tasks are observed once each, also what happened while no notifier ran', async () => {
  const { start, change, seen } = scene()
  const first = await change('default', 'create')
  const events = start()
  await events.poll()
  await events.poll()
  expect(seen).toEqual([
    {
      event: 'task_done',
      atMs: AT,
      task: first.done,
      profile: 'coder',
      text: `task ${first.done} (one) is done; hermes kanban show ${first.done}`,
    },
    {
      event: 'task_blocked',
      atMs: AT,
      task: first.blocked,
      profile: 'coder',
      text: `task ${first.blocked} (two) is blocked: no key; hermes kanban show ${first.blocked}`,
    },
  ])
  await change('other', 'create')
  await events.poll()
  expect(seen).toHaveLength(4)
  await change('default', 'write')
  await start().poll()
  expect(seen).toHaveLength(6)
})

test('events from before notifications began are not reported', async () => {
  const { start, change, seen } = scene()
  await change('default', 'create', AT - 1)
  await start().poll()
  expect(seen).toEqual([])
})

test('events that could not be kept are read again', async () => {
  const { start, change, seen, disk } = scene()
  await change('default', 'create')
  const events = start()
  disk.full = true
  await expect(events.poll()).rejects.toThrow('the disk is full')
  disk.full = false
  await events.poll()
  expect(seen).toHaveLength(2)
})
