// A tick's decisions on running tasks (docs/kanban.md, "The tick", steps 1 to 3), on a real SQLite file.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CLAIM_TTL_MS } from '../../src/kanban/running.ts'
import { change } from '../../src/kanban/sqlite/changes.ts'
import { eventsAfter, runsOf } from '../../src/kanban/sqlite/queries.ts'
import { HermesError } from '../../src/system/errors.ts'
import { type TestBoard, testBoard } from '../support/kanban/board.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

async function started(board: TestBoard, assignee = 'alpha', input: object = {}): Promise<string> {
  const { id } = board.create({ assignee, ...input })
  const { report } = await board.dispatch()
  expect(report.spawned.map(({ task_id }) => task_id)).toContain(id)
  return id
}
const kinds = (board: TestBoard, id: string): string[] => eventsAfter(board.tables, 0, 1000, id).map(({ kind }) => kind)

test('a worker that ends with 0 completes its task, with the last it wrote as the summary', async () => {
  using board = testBoard()
  const id = await started(board)
  const now = new Date(board.clock.wallMs()).toISOString()
  mkdirSync(join(board.home, 'kanban', 'logs'), { recursive: true })
  writeFileSync(
    join(board.home, 'kanban', 'logs', `${id}.log`),
    `2020-01-01T00:00:00.000Z an earlier run\n${now} working\n${now} all is well\n`,
  )
  board.jobs.end(id, { exitCode: 0 })
  await board.dispatch()
  expect(board.task(id)).toMatchObject({ status: 'done', result: 'working\nall is well', failures: 0, workerPid: null })
  expect(runsOf(board.tables, id, 9)).toMatchObject([
    { outcome: 'completed', exitCode: 0, summary: 'working\nall is well' },
  ])
  expect(board.jobs.states.size).toBe(0)
})

test('with kanban.require_review it goes to review instead', async () => {
  using board = testBoard()
  board.configure({ require_review: true })
  const id = await started(board)
  board.jobs.end(id, { exitCode: 0 })
  await board.dispatch()
  expect(board.task(id).status).toBe('review')
  expect((await board.dispatch()).report.spawned).toEqual([])
})

test('a worker that ends with another code is a failure, and the second one in a row blocks the task', async () => {
  using board = testBoard()
  const id = await started(board)
  board.jobs.end(id, { exitCode: 3 })
  const first = await board.dispatch()
  expect(first.report.crashed).toEqual([id])
  expect(first.report.auto_blocked).toEqual([])
  expect(
    first.report.spawned.map(({ task_id }) => task_id),
    'tried again in the same tick',
  ).toEqual([id])
  board.jobs.end(id, { exitCode: 3 })
  const second = await board.dispatch()
  expect(second.report.crashed).toEqual([id])
  expect(second.report.auto_blocked).toEqual([id])
  expect(board.task(id)).toMatchObject({ status: 'blocked', failures: 2, lastError: 'exit code 3' })
})

test.each([
  ['the task', { maxRetries: 1 }, { failureLimit: 5 }, { failure_limit: 7 }, 1],
  ['the option', {}, { failureLimit: 3 }, { failure_limit: 7 }, 3],
  ['the configuration', {}, {}, { failure_limit: 4 }, 4],
  ['the default', {}, {}, {}, 2],
])('the failure limit is that of %s', async (_, task, options, kanban, limit) => {
  using board = testBoard()
  board.configure(kanban)
  const { id } = board.create({ assignee: 'alpha', ...task })
  await board.dispatch(options)
  for (let failure = 1; failure < limit; failure++) {
    board.jobs.end(id, { exitCode: 1 })
    await board.dispatch(options)
    expect(board.task(id)).toMatchObject({ status: 'running', failures: failure })
  }
  board.jobs.end(id, { signal: 'SEGV' })
  await board.dispatch(options)
  expect(board.task(id)).toMatchObject({ status: 'blocked', failures: limit, lastError: 'killed by SIGSEGV' })
})

test('a success forgets the failures', async () => {
  using board = testBoard()
  const id = await started(board)
  board.jobs.end(id, { exitCode: 1 })
  await board.dispatch()
  board.jobs.end(id, { exitCode: 0 })
  await board.dispatch()
  expect(board.task(id)).toMatchObject({ status: 'done', failures: 0 })
})

test('exit 75 is a rate limit: no failure, and a pause that grows from five minutes to an hour', async () => {
  using board = testBoard()
  const id = await started(board)
  for (const minutes of [5, 10, 20, 40, 60, 60]) {
    board.jobs.end(id, { exitCode: 75 })
    const { report } = await board.dispatch()
    expect(report.rate_limited).toEqual([id])
    expect(report.crashed).toEqual([])
    expect(report.respawn_guarded).toEqual([{ task_id: id, reason: 'quota_or_auth_error' }])
    expect(board.task(id)).toMatchObject({ status: 'ready', failures: 0 })
    board.clock.advance(minutes * MINUTE - 1)
    expect((await board.dispatch()).report.spawned).toEqual([])
    board.clock.advance(1)
    expect((await board.dispatch()).report.spawned).toHaveLength(1)
  }
})

test('a failure of another kind between two rate limits begins the pauses anew', async () => {
  using board = testBoard()
  const id = await started(board, 'alpha', { maxRetries: 9 })
  for (const [exitCode, minutes] of [
    [75, 5],
    [75, 10],
    [1, 0],
    [75, 5],
  ] as const) {
    board.jobs.end(id, { exitCode })
    await board.dispatch()
    if (minutes > 0) board.clock.advance(minutes * MINUTE - 1)
    expect(board.task(id).status).toBe(minutes > 0 ? 'ready' : 'running')
    if (minutes > 0) expect((await board.dispatch()).report.spawned).toEqual([])
    board.clock.advance(1)
    await board.dispatch()
    expect(board.task(id).status).toBe('running')
  }
})

test('a failure that reads like a quota or authentication error pauses too, and counts', async () => {
  using board = testBoard()
  const id = await started(board)
  const now = new Date(board.clock.wallMs()).toISOString()
  mkdirSync(join(board.home, 'kanban', 'logs'), { recursive: true })
  writeFileSync(join(board.home, 'kanban', 'logs', `${id}.log`), `${now} Error: 401 Unauthorized\n`)
  board.jobs.end(id, { exitCode: 1 })
  const { report } = await board.dispatch()
  expect(report.crashed).toEqual([id])
  expect(report.respawn_guarded).toEqual([{ task_id: id, reason: 'quota_or_auth_error' }])
  expect(board.task(id)).toMatchObject({ failures: 1, pauses: 1 })
})

test.each([
  ['ran too long', (board: TestBoard) => board.clock.advance(430_000), { maxRuntimeMs: 429_000 }],
  [
    'never ran',
    (board: TestBoard, id: string) =>
      board.jobs.states.set(board.jobs.slotOf(id), {
        state: 'ended',
        exitCode: null,
        signal: null,
        asked: false,
        reason: 'its process (pid 429) is gone: Disk quota exceeded',
      }),
    {},
  ],
])('only a worker’s own output reads like a quota error, not our text about one that %s', async (_, happens, task) => {
  using board = testBoard()
  const id = await started(board, 'alpha', { ...task, maxRetries: 9 })
  happens(board, id)
  const { report } = await board.dispatch()
  expect(report.respawn_guarded).toEqual([])
  expect(board.task(id)).toMatchObject({ failures: 1, pauses: 0 })
})

test('a worker that we stopped does not count as a failure, whatever its exit code', async () => {
  using board = testBoard()
  for (const exitCode of [0, 1, 143]) {
    const id = await started(board)
    board.jobs.states.set(board.jobs.slotOf(id), { state: 'ended', exitCode, signal: null, asked: true })
    const { report } = await board.dispatch()
    expect(report.reclaimed).toBe(1)
    expect(board.task(id).failures).toBe(0)
    expect(kinds(board, id)).toContain('reclaimed')
    board.sql("UPDATE tasks SET status = 'archived' WHERE id = ?", id)
    board.jobs.states.clear()
  }
})

test('a run of another life of this container was lost with it: back to ready, no failure', async () => {
  using board = testBoard()
  const id = await started(board)
  board.jobs.instance = 'next-life'
  board.jobs.states.clear()
  board.sql('UPDATE tasks SET worker_pid = 1, worker_start_time = 1')
  const { report } = await board.dispatch()
  expect(report.reclaimed).toBe(1)
  expect(report.crashed).toEqual([])
  expect(report.spawned).toHaveLength(1)
  expect(board.task(id)).toMatchObject({ status: 'running', failures: 0 })
  expect(runsOf(board.tables, id, 9).map(({ outcome }) => outcome)).toEqual([null, 'reclaimed'])
})

test.each([
  ['of this host', {}],
  ['of another host, as after a container was made anew', { host: 'another-host' }],
])('a result that an earlier life %s left in the volume is taken, and the task is not done again', async (_, where) => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  await board.dispatch(where)
  const [spec] = board.jobs.started
  writeFileSync(String(spec?.resultFile), '{"state":"ended","ending":{"exitCode":0},"at":"2026-01-01T00:00:00.000Z"}\n')
  board.jobs.states.clear()
  board.jobs.instance = 'the-next-life'
  const before = board.dump()
  const dry = await board.plan({ jobs: null })
  expect(dry.decision.ends.get(id)?.end.outcome).toBe('completed')
  expect(board.dump()).toBe(before)
  expect(existsSync(String(spec?.resultFile))).toBe(true)
  await board.dispatch()
  expect(board.task(id)).toMatchObject({ status: 'done', failures: 0 })
  expect(existsSync(String(spec?.resultFile))).toBe(false)
})

test.each(['', '{"state":"ended"', '{"state":"ended","ending":null}', '[]'])(
  'a file in its place that holds %j says nothing: the run was lost with its container',
  async (text) => {
    using board = testBoard()
    const { id } = board.create({ assignee: 'alpha' })
    await board.dispatch()
    writeFileSync(String(board.jobs.started[0]?.resultFile), text)
    board.jobs.states.clear()
    board.jobs.instance = 'the-next-life'
    board.sql('UPDATE tasks SET worker_pid = 1, worker_start_time = 1')
    const { report } = await board.dispatch()
    expect(report).toMatchObject({ reclaimed: 1, spawned: [{ task_id: id }] })
  },
)

test('a worker that was stopped with its container does not count as a failure, and starts again in a new container', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  await board.dispatch({ host: 'another-host' })
  const stopped = { state: 'ended', ending: { signal: 'TERM' }, at: '2026-01-01T00:00:00.000Z', asked: true }
  writeFileSync(String(board.jobs.started[0]?.resultFile), JSON.stringify(stopped))
  board.jobs.states.clear()
  board.jobs.instance = 'the-next-life'
  const { report } = await board.dispatch()
  expect(report).toMatchObject({ reclaimed: 1, spawned: [{ task_id: id }] })
  expect(board.task(id).failures).toBe(0)
})

test('a result of a run that is over is removed', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  await board.dispatch()
  const file = String(board.jobs.started[0]?.resultFile)
  writeFileSync(file, '{"state":"ended","ending":{"exitCode":0},"at":"2026-01-01T00:00:00.000Z"}\n')
  change(board.tables, 'complete', id, {}, board.actor())
  board.jobs.states.clear()
  board.jobs.instance = 'the-next-life'
  await board.plan()
  expect(existsSync(file)).toBe(true)
  await board.dispatch()
  expect(existsSync(file)).toBe(false)
  expect(board.task(id).status).toBe('done')
})

test('a worker whose process is gone without a result has crashed: pid and start time decide', async () => {
  using board = testBoard()
  const id = await started(board)
  board.jobs.states.clear()
  // Our own pid lives, but it is not the process that was started then.
  board.sql('UPDATE tasks SET worker_start_time = 1 WHERE id = ?', id)
  const { report } = await board.dispatch()
  expect(report.crashed).toEqual([id])
  expect(board.task(id).failures).toBe(1)
})

test('a claimed task whose dispatcher died before it started anything is taken back at once, without a failure', async () => {
  using board = testBoard()
  const id = await started(board)
  board.jobs.states.clear()
  board.sql('UPDATE tasks SET worker_pid = NULL, worker_start_time = NULL')
  const { report } = await board.dispatch()
  expect(report.reclaimed).toBe(1)
  expect(board.task(id).failures).toBe(0)
})

test('an expired claim is extended while its worker lives on this host', async () => {
  using board = testBoard()
  const id = await started(board)
  board.clock.advance(CLAIM_TTL_MS + 1)
  const { report } = await board.dispatch()
  expect(report.reclaimed).toBe(0)
  expect(board.task(id)).toMatchObject({ status: 'running', claimExpiresAtMs: board.clock.wallMs() + CLAIM_TTL_MS })
})

test('an expired claim without a live worker goes back to ready, without a failure', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'nobody-here' })
  board.sql(
    "UPDATE tasks SET status = 'running', claim_lock = 'other-tool', claim_expires_at = ?, worker_pid = 2147483646 WHERE id = ?",
    board.clock.wallMs(),
    id,
  )
  const { report } = await board.dispatch()
  expect(report.reclaimed).toBe(1)
  expect(report.crashed).toEqual([])
  expect(board.task(id)).toMatchObject({ status: 'ready', failures: 0, claimLock: null })
})

test('a run on another host is left alone until its claim expires', async () => {
  using board = testBoard()
  const id = await started(board)
  board.sql("UPDATE runs SET host = 'another-host', instance = 'its-life'")
  board.jobs.states.clear()
  expect((await board.dispatch()).report.reclaimed).toBe(0)
  board.clock.advance(CLAIM_TTL_MS)
  expect((await board.dispatch()).report.reclaimed).toBe(1)
  expect(board.task(id).failures).toBe(0)
})

test('a worker over its max runtime is stopped: timed out, a failure', async () => {
  using board = testBoard()
  const id = await started(board, 'alpha', { maxRuntimeMs: 30 * MINUTE })
  const slot = board.jobs.slotOf(id)
  board.clock.advance(30 * MINUTE)
  expect((await board.dispatch()).report.timed_out).toEqual([])
  board.clock.advance(1)
  const { report } = await board.dispatch()
  expect(report.timed_out).toEqual([id])
  expect(board.jobs.stopped).toEqual([slot])
  expect(board.task(id).failures).toBe(1)
})

test('a run over four hours without a heartbeat for one is stale, and no failure', async () => {
  using board = testBoard()
  const id = await started(board)
  const slot = board.jobs.slotOf(id)
  board.clock.advance(3.5 * HOUR)
  board.sql('UPDATE tasks SET heartbeat_at = ?', board.clock.wallMs())
  board.clock.advance(0.6 * HOUR)
  expect((await board.dispatch()).report.stale).toEqual([])
  board.clock.advance(0.4 * HOUR + 1)
  const { report } = await board.dispatch()
  expect(report.stale).toEqual([id])
  expect(board.jobs.stopped).toEqual([slot])
  expect(board.task(id).failures).toBe(0)
})

test('after a jump of the wall clock nothing is called stale or expired for one TTL', async () => {
  using board = testBoard()
  const id = await started(board, 'alpha', { maxRuntimeMs: MINUTE })
  board.clock.setWall(board.clock.wallMs() + 10 * HOUR)
  for (const waitMs of [0, CLAIM_TTL_MS - 1]) {
    board.clock.advance(waitMs)
    const { report } = await board.dispatch()
    expect([report.stale, report.timed_out, report.reclaimed]).toEqual([[], [], 0])
  }
  board.clock.advance(1)
  expect((await board.dispatch()).report.timed_out).toEqual([id])
})

test('after a jump of the wall clock a claim of another host is not void either', async () => {
  using board = testBoard()
  await started(board)
  board.sql("UPDATE runs SET host = 'another-host', instance = 'its-life'")
  board.jobs.states.clear()
  board.clock.setWall(board.clock.wallMs() + 10 * HOUR)
  expect((await board.dispatch()).report.reclaimed).toBe(0)
  board.clock.advance(CLAIM_TTL_MS)
  expect((await board.dispatch()).report.reclaimed).toBe(1)
})

test('a running task without worker and claim is counted and left alone', async () => {
  using board = testBoard()
  board.configure({ max_in_progress: 1 })
  const { id } = board.create({ assignee: 'alpha' })
  board.sql("UPDATE tasks SET status = 'running' WHERE id = ?", id)
  board.create({ assignee: 'beta' })
  board.clock.advance(100 * HOUR)
  const { report } = await board.dispatch()
  expect(report.spawned).toEqual([])
  expect(board.task(id).status).toBe('running')
})

test('the worker of a task that was taken back is stopped before the task is started again', async () => {
  using board = testBoard()
  const id = await started(board)
  const slot = board.jobs.slotOf(id)
  board.sql(
    "UPDATE tasks SET status = 'ready', current_run = NULL, claim_lock = NULL, worker_pid = NULL, worker_start_time = NULL",
  )
  board.sql("UPDATE runs SET outcome = 'reclaimed', ended_at = 1")
  const { report } = await board.dispatch()
  expect(board.jobs.stopped).toEqual([slot])
  expect(report.spawned).toHaveLength(1)
  expect([...board.jobs.states.keys()]).toEqual([board.jobs.slotOf(id)])
  expect(board.jobs.slotOf(id)).not.toBe(slot)
})

test('a worker that reported itself that it is done is given a minute to end', async () => {
  using board = testBoard()
  const id = await started(board)
  const slot = board.jobs.slotOf(id)
  board.sql("UPDATE tasks SET status = 'done', current_run = NULL, claim_lock = NULL, worker_pid = NULL")
  board.sql("UPDATE runs SET outcome = 'completed', ended_at = ?", board.clock.wallMs())
  await board.dispatch()
  board.clock.advance(59_000)
  await board.dispatch()
  expect(board.jobs.stopped).toEqual([])
  board.clock.advance(2000)
  await board.dispatch()
  expect(board.jobs.stopped).toEqual([slot])
  expect(board.jobs.states.size).toBe(0)
})

test('while the container stops, results are taken and nothing else happens', async () => {
  using board = testBoard()
  const [finished, stopped, alive] = [await started(board), await started(board), await started(board)]
  board.create({ assignee: 'beta' })
  board.jobs.end(finished, { exitCode: 0 })
  board.jobs.states.set(board.jobs.slotOf(stopped), { state: 'ended', exitCode: null, signal: 'TERM', asked: true })
  board.jobs.life = 'stopping'
  const { report } = await board.dispatch()
  expect(report.spawned).toEqual([])
  expect([finished, stopped, alive].map((id) => board.task(id).status)).toEqual(['done', 'ready', 'running'])
  expect(board.task(stopped).failures).toBe(0)
})

test('a container that does not hold its volume touches nothing', async () => {
  using board = testBoard()
  await started(board)
  board.jobs.life = 'waiting'
  const before = board.dump()
  await expect(board.dispatch()).rejects.toThrow('nothing is dispatched')
  expect(board.dump()).toBe(before)
})

test('a start whose answer was lost takes its place on the board, too', async () => {
  using board = testBoard()
  board.configure({ max_in_progress: 1 })
  const first = board.create({ assignee: 'alpha' })
  const second = board.create({ assignee: 'beta' })
  board.jobs.refuse = new HermesError('NO_SUPERVISOR', 'gone')
  await board.dispatch()
  expect([first, second].map(({ id }) => board.task(id).status)).toEqual(['running', 'ready'])
})

test('a supervisor that is lost in the middle of a start leaves the claim; the next tick knows more', async () => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: 1 })
  const first = board.create({ assignee: 'alpha' })
  board.create({ assignee: 'alpha' })
  board.jobs.refuse = new HermesError('NO_SUPERVISOR', 'gone')
  const { report } = await board.dispatch()
  expect(report.spawned).toEqual([])
  expect(report.skipped_per_profile_capped, 'it may run: it takes its place').toHaveLength(1)
  expect(board.task(first.id).status).toBe('running')
  board.jobs.refuse = null
  const next = await board.dispatch()
  expect(next.report.reclaimed).toBe(1)
  expect(next.report.spawned.map(({ task_id }) => task_id)).toEqual([first.id])
  expect(board.task(first.id).failures).toBe(0)
})
