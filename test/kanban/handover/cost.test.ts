// A hand-over costs what is handed over, not what the task has.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { HANDOVER_LIMITS } from '../../../src/kanban/handover/facts.ts'
import { comment } from '../../../src/kanban/sqlite/links.ts'
import { testBoard } from '../../support/kanban/board.ts'

/** Bytes that this process has read(2) so far, by the kernel (proc_pid_io(5)). SQLite keeps 2 MB of pages. */
const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1])

async function readBy(work: () => Promise<unknown>): Promise<number> {
  const before = bytesRead()
  await work()
  return bytesRead() - before
}

test('of 40 MB of comments it reads the newest 4 MB', async () => {
  using board = testBoard()
  const { id } = board.create({})
  for (let at = 0; at < 40; at++) comment(board.tables, id, 'x'.repeat(1_000_000), board.actor())
  const { comments } = await board.board.handover(id, HANDOVER_LIMITS)
  expect([comments.entries.length, comments.omitted]).toEqual([4, 36])
  const some = await readBy(() => board.board.handover(id, HANDOVER_LIMITS))
  const all = await readBy(() => board.board.details(id, { runs: 1, events: 1 }))
  expect(all).toBeGreaterThan(30_000_000)
  expect(some).toBeLessThan(8_000_000)
})
