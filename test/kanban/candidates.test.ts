// A tick's decisions on waiting tasks (docs/kanban.md, "The tick", steps 4 and 5), on a real SQLite file.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readDispatchState } from '../../src/kanban/dispatch/dispatch-state.ts'
import { change } from '../../src/kanban/sqlite/changes.ts'
import { comment } from '../../src/kanban/sqlite/links.ts'
import { eventsAfter } from '../../src/kanban/sqlite/queries.ts'
import { takeTickLock } from '../../src/kanban/sqlite/tick-lock.ts'
import { systemClock } from '../../src/system/clock.ts'
import { HermesError } from '../../src/system/errors.ts'
import { testBoard } from '../support/kanban/board.ts'

test('higher priority goes first, then age', async () => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: 4 })
  const ids = [0, 5, 5, -1, 9].map((priority) => board.create({ assignee: 'alpha', priority }).id)
  const { report } = await board.dispatch()
  expect(report.spawned.map(({ task_id }) => task_id)).toEqual([ids[4], ids[1], ids[2], ids[0]])
})

test('a todo whose parents are all done or archived is promoted and started in the same tick', async () => {
  using board = testBoard()
  const parents = [board.create({ assignee: 'beta' }).id, board.create({ assignee: 'beta' }).id]
  const child = board.create({ assignee: 'alpha', parents, priority: 9 })
  expect(child.status).toBe('todo')
  const first = await board.dispatch()
  expect(first.report.spawned).toHaveLength(2)
  board.jobs.end(parents[0] ?? '', { exitCode: 0 })
  expect((await board.dispatch()).report.promoted).toBe(0)
  board.jobs.end(parents[1] ?? '', { exitCode: 0 })
  const last = await board.dispatch()
  expect(last.report.promoted).toBe(1)
  expect(last.report.spawned.map(({ task_id }) => task_id)).toEqual([child.id])
})

test('a task that becomes ready in a tick takes its place among the others by priority, then age', async () => {
  using board = testBoard()
  board.configure({ max_in_progress: 3 })
  const parent = board.create({ assignee: 'beta' })
  const old = board.create({ assignee: 'alpha', parents: [parent.id], priority: 1 })
  const low = board.create({ assignee: 'alpha', parents: [parent.id], priority: -1 })
  const middle = [board.create({ assignee: 'alpha' }), board.create({ assignee: 'alpha', priority: 1 })]
  const high = board.create({ assignee: 'alpha', parents: [parent.id], priority: 5 })
  board.sql("UPDATE tasks SET status = 'done' WHERE id = ?", parent.id)
  const ids = [high.id, old.id, middle[1]?.id]
  expect((await board.plan()).report.spawned.map(({ task_id }) => task_id)).toEqual(ids)
  expect((await board.dispatch()).report.spawned.map(({ task_id }) => task_id)).toEqual(ids)
  expect(board.task(low.id).status).toBe('ready')
})

test('a tick promotes what another tool has made promotable', async () => {
  using board = testBoard()
  const parent = board.create({})
  const child = board.create({ assignee: 'alpha', parents: [parent.id] })
  board.sql("UPDATE tasks SET status = 'archived' WHERE id = ?", parent.id)
  expect(board.task(child.id).status).toBe('todo')
  const { report } = await board.dispatch()
  expect([report.promoted, report.spawned.length]).toEqual([1, 1])
})

test('a scheduled task goes to ready when its time has come, or to todo while a parent is not done', async () => {
  using board = testBoard()
  const parent = board.create({})
  const at = board.clock.wallMs() + 60_000
  const free = board.create({ assignee: 'alpha', scheduledAtMs: at })
  const held = board.create({ assignee: 'alpha', scheduledAtMs: at, parents: [parent.id] })
  expect([free.status, held.status]).toEqual(['scheduled', 'scheduled'])
  board.clock.setWall(at - 1)
  expect((await board.dispatch()).report.promoted).toBe(0)
  board.clock.setWall(at)
  expect((await board.dispatch()).report).toMatchObject({ promoted: 1, spawned: [{ task_id: free.id }] })
  expect(board.task(held.id).status).toBe('todo')
})

test('a task whose time and last parent come in the same tick is started in it', async () => {
  using board = testBoard()
  const { id: parent } = board.create({ assignee: 'alpha' })
  const { id } = board.create({ assignee: 'beta', parents: [parent], scheduledAtMs: board.clock.wallMs() + 60_000 })
  const { id: later } = board.create({ parents: [parent], scheduledAtMs: board.clock.wallMs() + 120_000 })
  await board.dispatch()
  board.jobs.end(parent, { exitCode: 0 })
  board.clock.advance(60_000)
  const { report } = await board.dispatch()
  expect(report).toMatchObject({ promoted: 1, spawned: [{ task_id: id }] })
  expect(board.task(later).status).toBe('scheduled')
})

test('an assignee that is not a profile is a lane of its own', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'a-person' })
  const { report } = await board.dispatch()
  expect(report.skipped_nonspawnable).toEqual([id])
  expect(board.task(id).status).toBe('ready')
})

test('a profile without an agent is skipped as unconfigured', async () => {
  using board = testBoard()
  board.profile('bare', { agent: false })
  const { id } = board.create({ assignee: 'bare' })
  expect((await board.dispatch()).report.skipped_unconfigured).toEqual([id])
})

test.each([
  ['--max', { max: 2 }, {}],
  ['kanban.max_in_progress', {}, { max_in_progress: 2 }],
  ['the smaller of both', { max: 5 }, { max_in_progress: 2 }],
])('%s bounds running and started together; the rest is not even looked at', async (_, options, kanban) => {
  using board = testBoard()
  board.configure({ default_assignee: 'beta', ...kanban })
  const running = board.create({})
  board.sql("UPDATE tasks SET status = 'running' WHERE id = ?", running.id)
  board.create({ assignee: 'alpha' })
  const rest = board.create({})
  const { report } = await board.dispatch(options)
  expect(report.spawned).toHaveLength(1)
  expect(report.auto_assigned_default).toEqual([])
  expect(board.task(rest.id).assignee).toBe(null)
})

test('--max 0 starts nothing', async () => {
  using board = testBoard()
  board.create({ assignee: 'alpha' })
  expect((await board.dispatch({ max: 0 })).report.spawned).toEqual([])
})

test('the checks of a candidate come in their order', async () => {
  using board = testBoard()
  board.profile('bare', { agent: false })
  board.configure({ max_in_progress_per_profile: 1, default_assignee: 'bare' })
  const running = board.create({ assignee: 'bare' })
  board.sql("UPDATE tasks SET status = 'running' WHERE id = ?", running.id)
  const defaulted = board.create({})
  const { report } = await board.dispatch()
  // Assigned, then capped: its agent and its pauses are not asked for.
  expect(report.auto_assigned_default).toEqual([defaulted.id])
  expect(report.skipped_per_profile_capped).toEqual([{ task_id: defaulted.id, assignee: 'bare', current: 1 }])
  expect(report.skipped_unconfigured).toEqual([])
})

test('a success within the last hour with nothing changed since is guarded, for an hour at most', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  board.clock.advance(1000)
  board.sql('UPDATE tasks SET succeeded_at = ?', board.clock.wallMs())
  expect((await board.dispatch()).report.respawn_guarded).toEqual([{ task_id: id, reason: 'recent_success' }])
  board.clock.advance(3_600_000)
  expect((await board.dispatch()).report.spawned).toHaveLength(1)
})

test('a comment is a change: the success is old news', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  board.clock.advance(1000)
  board.sql('UPDATE tasks SET succeeded_at = ?', board.clock.wallMs())
  board.clock.advance(1)
  comment(board.tables, id, 'the other one, please', board.actor())
  expect((await board.dispatch()).report.spawned).toHaveLength(1)
})

test('a pause that was written under another clock comes to an end', async () => {
  using board = testBoard()
  board.create({ assignee: 'alpha' })
  board.sql('UPDATE tasks SET paused_until = ?', board.clock.wallMs() + 365 * 86_400_000)
  expect((await board.dispatch()).report.spawned).toHaveLength(1)
})

test('a start that fails is counted, and at the limit the task is blocked with the reason', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  board.jobs.refuse = new HermesError('BAD_REQUEST', 'job: command: expected at least one word')
  const first = await board.dispatch()
  expect(first.report.auto_blocked).toEqual([])
  expect(board.task(id)).toMatchObject({ status: 'ready', failures: 1, claimLock: null, currentRun: null })
  const second = await board.dispatch()
  expect(second.report.auto_blocked).toEqual([id])
  expect(board.task(id)).toMatchObject({ status: 'blocked', lastError: 'job: command: expected at least one word' })
  const { kind, payload } = eventsAfter(board.tables, 0, 100, id).at(-1) ?? {}
  expect([kind, payload]).toEqual(['auto_blocked', { failures: 2, reason: 'job: command: expected at least one word' }])
})

test('ticks in a row that could start nothing are counted, and one that starts something ends the row', async () => {
  using board = testBoard()
  board.create({ assignee: 'alpha', maxRetries: 9 })
  const state = () => readDispatchState(board.home, 'default')
  board.jobs.refuse = new HermesError('BAD_REQUEST', 'cannot be started')
  for (const starvedTicks of [1, 2, 3]) {
    await board.dispatch()
    expect(state()).toMatchObject({ starvedTicks, lastError: 'cannot be started' })
  }
  board.jobs.refuse = null
  await board.dispatch()
  expect(state()).toMatchObject({ starvedTicks: 0, lastError: null })
})

test('unblock forgets failures and pauses', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  board.sql(
    "UPDATE tasks SET status = 'blocked', failures = 2, pauses = 3, paused_until = ?",
    board.clock.wallMs() + 60_000,
  )
  expect(change(board.tables, 'unblock', id, {}, board.actor())).toMatchObject({
    status: 'ready',
    failures: 0,
    pauses: 0,
    pausedUntilMs: null,
  })
  expect((await board.dispatch()).report.spawned).toHaveLength(1)
})

test('a container that begins to stop in the middle of a tick starts nothing more, and nothing is a failure', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  board.create({ assignee: 'beta' })
  board.jobs.refuse = new HermesError('STOPPING', 'the container is stopping')
  const { report } = await board.dispatch()
  expect(report.spawned).toEqual([])
  expect(board.task(id)).toMatchObject({ status: 'ready', failures: 0 })
})

test('the worker gets its arguments, directory, prompt and variables', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha', title: 'Say hello', body: 'in {task} languages' })
  await board.dispatch()
  const [spec] = board.jobs.started
  expect(spec).toMatchObject({
    profile: 'alpha',
    command: ['agent', id],
    cwd: join(board.home, 'profiles', 'alpha', 'workspace', id),
    logFile: join(board.home, 'kanban', 'logs', `${id}.log`),
    stdinFile: join(board.home, 'kanban', 'prompts', `${id}.txt`),
    stopTimeoutMs: 5000,
    env: {
      HERMES_KANBAN_TASK: id,
      HERMES_KANBAN_WORKSPACE: join(board.home, 'profiles', 'alpha', 'workspace', id),
      HERMES_KANBAN_RUN_ID: '1',
      HERMES_KANBAN_DB: join(board.home, 'kanban.db'),
    },
  })
  expect(existsSync(spec?.cwd ?? '')).toBe(true)
})

test('a workspace that cannot be used is a failed start with the reason', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha', workspacePath: join(board.home, 'gone') })
  await board.dispatch()
  expect(board.task(id)).toMatchObject({ status: 'ready', failures: 1, lastError: expect.stringContaining('gone') })
})

test('arguments that are too long for one request are a failed start, with a remedy', async () => {
  using board = testBoard()
  const argv = ['agent', ...Array.from({ length: 10 }, () => '{prompt}')]
  writeFileSync(join(board.home, 'profiles', 'alpha', 'config.yaml'), JSON.stringify({ agent: { command: argv } }))
  const { id } = board.create({ assignee: 'alpha', body: 'x'.repeat(95_000) })
  await board.dispatch()
  expect(board.jobs.started).toEqual([])
  expect(board.task(id)).toMatchObject({
    status: 'ready',
    failures: 1,
    lastError: expect.stringMatching(/^agent\.command .* more than 900000: remove \{prompt\} from agent\.command/),
  })
})

test('a tick whose state cannot be kept is a tick all the same, and says so once', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  mkdirSync(join(board.home, 'kanban'), { recursive: true })
  writeFileSync(join(board.home, 'kanban', 'dispatch'), 'a file where a directory should be')
  const { report } = await board.dispatch()
  expect(report.spawned).toMatchObject([{ task_id: id }])
  expect(board.task(id).status).toBe('running')
  expect(board.warnings).toEqual([
    expect.stringMatching(/^the state of the dispatch of board default cannot be kept: /),
  ])
})

test('two ticks at once: the loser writes nothing and says that it was locked out', async () => {
  using board = testBoard()
  board.create({ assignee: 'alpha' })
  const lock = await takeTickLock(board.tables.place, systemClock(), 0)
  const before = board.dump()
  // The waiting is against a real clock here: two seconds of it.
  const { report } = await board.dispatch({ clock: { ...systemClock(), wallMs: board.clock.wallMs } })
  expect(report.skipped_locked).toBe(true)
  expect(report.spawned).toEqual([])
  expect(board.dump()).toBe(before)
  lock?.release()
  expect((await board.dispatch()).report.spawned).toHaveLength(1)
})

test('a profile that is deleted between two ticks leaves its tasks in a lane', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'beta' })
  rmSync(join(board.home, 'profiles', 'beta'), { recursive: true })
  expect((await board.dispatch()).report.skipped_nonspawnable).toEqual([id])
})
