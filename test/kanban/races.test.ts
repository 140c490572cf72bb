// Between what a tick has read and what it writes, others write too: every step changes the row only if it is still the
// same.
import { expect, test } from 'vitest'
import type { RunEnd, Settlement } from '../../src/kanban/running.ts'
import { change } from '../../src/kanban/sqlite/changes.ts'
import { readRunning } from '../../src/kanban/sqlite/tick-facts.ts'
import { assignDefault, claim, endRun, extendClaim, promote, recordWorker } from '../../src/kanban/sqlite/tick-steps.ts'
import { HermesError } from '../../src/system/errors.ts'
import { HOST, INSTANCE, type TestBoard, testBoard } from '../support/kanban/board.ts'

const WHERE = { host: HOST, instance: INSTANCE }
const CRASHED: RunEnd = { outcome: 'crashed', failure: true, stop: false, error: 'exit code 1' }
const READY: Settlement = { status: 'ready', failures: 1, pauses: 0, pausedUntilMs: null, autoBlocked: false }

function nothing(board: TestBoard, attempt: () => unknown): void {
  const before = board.dump()
  expect(attempt()).toBeFalsy()
  expect(board.dump()).toBe(before)
}

test.each([
  ['is blocked', "UPDATE tasks SET status = 'blocked'"],
  ['has another assignee', "UPDATE tasks SET assignee = 'beta'"],
  ['was claimed by another tool', "UPDATE tasks SET claim_lock = 'other'"],
])('a task that %s by now is not claimed', (_, sql) => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  board.sql(sql)
  nothing(board, () => claim(board.tables, id, 'alpha', WHERE, board.clock.wallMs()))
})

test('one of two claims wins', () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  expect(claim(board.tables, id, 'alpha', WHERE, board.clock.wallMs())).toBeDefined()
  nothing(board, () => claim(board.tables, id, 'alpha', WHERE, board.clock.wallMs()))
})

test('a run that its worker has completed in the meantime is not ended again', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  await board.dispatch()
  const [row] = readRunning(board.tables)
  if (row === undefined) throw new Error('nothing runs')
  change(board.tables, 'complete', id, { result: 'done' }, board.actor(row.run_id ?? 0))
  nothing(board, () => endRun(board.tables, row, CRASHED, READY, board.clock.wallMs()))
  nothing(board, () => extendClaim(board.tables, row, board.clock.wallMs()))
  nothing(board, () => recordWorker(board.tables, id, row.run_id ?? 0, { pid: 1, startTime: 1 }, '/tmp', 1))
  expect(board.task(id)).toMatchObject({ status: 'done', result: 'done', failures: 0 })
})

test('a run that was replaced by another one is not ended in its place', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  await board.dispatch()
  const [row] = readRunning(board.tables)
  if (row === undefined) throw new Error('nothing runs')
  change(board.tables, 'reclaim', id, {}, board.actor())
  await board.dispatch()
  expect(board.task(id).currentRun).not.toBe(row.run_id)
  nothing(board, () => endRun(board.tables, row, CRASHED, READY, board.clock.wallMs()))
})

test('a task that was assigned in the meantime keeps its assignee', () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'beta' })
  nothing(board, () => assignDefault(board.tables, id, 'alpha', board.clock.wallMs()))
})

test('a task that got another parent in the meantime is not promoted', () => {
  using board = testBoard()
  const parent = board.create({})
  const { id } = board.create({ parents: [parent.id] })
  nothing(board, () => promote(board.tables, id, 'todo', 'ready', board.clock.wallMs()))
})

test('a worker that was taken for dead can neither complete, block nor keep alive what another one has', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  await board.dispatch()
  const old = board.task(id).currentRun ?? 0
  change(board.tables, 'reclaim', id, {}, board.actor())
  await board.dispatch()
  const before = board.dump()
  for (const operation of ['complete', 'block', 'heartbeat'] as const) {
    expect(() => change(board.tables, operation, id, {}, board.actor(old))).toThrow(HermesError)
  }
  expect(board.dump()).toBe(before)
})
