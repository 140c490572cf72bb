// `hermes kanban create --once`: no second start without a person, whatever ended the first run.
import { expect, test } from 'vitest'
import { CLAIM_TTL_MS } from '../../src/kanban/running.ts'
import { change } from '../../src/kanban/sqlite/changes.ts'
import { eventsAfter, runsOf } from '../../src/kanban/sqlite/queries.ts'
import { HermesError } from '../../src/system/errors.ts'
import { type TestBoard, testBoard } from '../support/kanban/board.ts'

const HOUR = 3_600_000

async function started(board: TestBoard, input: object = {}): Promise<string> {
  const { id } = board.create({ assignee: 'alpha', once: true, ...input })
  await board.dispatch()
  expect(board.task(id).status).toBe('running')
  return id
}

/** The supervisor of the next life of the container knows no job of an earlier one. */
function newLife(board: TestBoard): void {
  board.jobs.instance = 'the-next-life'
  board.jobs.states.clear()
  board.sql('UPDATE tasks SET worker_pid = 4194305 WHERE worker_pid IS NOT NULL')
}

test.each([
  [
    'its container is killed',
    newLife,
    'it is not known whether it was done: the container it ran in has ended',
    'reclaimed',
  ],
  [
    'another machine, which it ran on, is silent until its claim expires',
    (board: TestBoard) => {
      newLife(board)
      board.sql("UPDATE runs SET host = 'another-host'")
      board.clock.advance(CLAIM_TTL_MS + 1)
    },
    'it is not known whether it was done: its claim expired',
    'reclaimed',
  ],
  [
    'it is stopped with its container',
    (board: TestBoard) => {
      for (const [slot] of board.jobs.states)
        board.jobs.states.set(slot, { state: 'ended', exitCode: 0, signal: null, asked: true })
    },
    'it is not known whether it was done: its worker was stopped',
    'reclaimed',
  ],
  [
    'it is killed',
    (board: TestBoard, id: string) => board.jobs.end(id, { signal: 'KILL' }),
    'it is not known whether it was done: killed by SIGKILL',
    'crashed',
  ],
  [
    'it runs too long',
    (board: TestBoard) => board.clock.advance(2 * HOUR),
    'it is not known whether it was done: it ran longer than its 3600 s',
    'timed_out',
  ],
  [
    'it fails',
    (board: TestBoard, id: string) => board.jobs.end(id, { exitCode: 3 }),
    'exit code 3; it was created with --once, so it is not started again',
    'crashed',
  ],
  [
    'it is refused for now',
    (board: TestBoard, id: string) => board.jobs.end(id, { exitCode: 75 }),
    'exit code 75; it was created with --once, so it is not started again',
    'rate_limited',
  ],
])('a task that may start once is blocked with the reason when %s', async (_, lose, reason, outcome) => {
  using board = testBoard()
  board.configure({ failure_limit: 9 })
  const id = await started(board, { maxRuntimeMs: HOUR })
  lose(board, id)
  const { report } = await board.dispatch()
  expect([report.auto_blocked, report.spawned]).toEqual([[id], []])
  expect(board.task(id)).toMatchObject({ status: 'blocked', lastError: reason, currentRun: null })
  expect(runsOf(board.tables, id, 9)).toMatchObject([{ outcome }])
  const last = eventsAfter(board.tables, 0, 100, id).at(-1)
  expect(last).toMatchObject({ kind: 'auto_blocked', payload: { reason } })
  for (let hours = 0; hours < 48; hours += 12) {
    board.clock.advance(12 * HOUR)
    expect((await board.dispatch()).report.spawned).toEqual([])
  }
  expect(board.jobs.started).toHaveLength(1)
})

test('a person who unblocks it has it started again, once', async () => {
  using board = testBoard()
  const id = await started(board)
  newLife(board)
  await board.dispatch()
  change(board.tables, 'unblock', id, {}, board.actor())
  expect((await board.dispatch()).report.spawned).toMatchObject([{ task_id: id }])
  newLife(board)
  await board.dispatch()
  expect(board.task(id).status).toBe('blocked')
  expect(board.jobs.started).toHaveLength(2)
})

test('a worker that completes it, or ends with 0, is believed, however late', async () => {
  using board = testBoard()
  const [said, ended] = [await started(board), await started(board)]
  change(board.tables, 'complete', said, {}, board.actor(board.task(said).currentRun ?? 0))
  board.clock.advance(CLAIM_TTL_MS + 1)
  board.jobs.end(ended, { exitCode: 0 })
  await board.dispatch()
  expect([board.task(said).status, board.task(ended).status]).toEqual(['done', 'done'])
})

test('a start that did not happen does not count as one', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha', once: true })
  board.jobs.refuse = new HermesError('STOPPING', 'the container stops')
  await board.dispatch()
  expect(board.task(id)).toMatchObject({ status: 'ready', failures: 0 })
  // A dispatcher that was killed between its claim and the start.
  board.jobs.refuse = new HermesError('NO_SUPERVISOR', 'no answer')
  await board.dispatch()
  expect(board.task(id).status).toBe('running')
  board.jobs.refuse = null
  await board.dispatch()
  expect(board.task(id).status).toBe('running')
  expect(board.jobs.started).toHaveLength(1)
})

test('a dry run says that it will be blocked, and writes nothing', async () => {
  using board = testBoard()
  const id = await started(board)
  newLife(board)
  const before = board.dump()
  const { report } = await board.plan()
  expect([report.auto_blocked, report.spawned, report.reclaimed]).toEqual([[id], [], 1])
  expect(board.dump()).toBe(before)
})
