// The cases every build of this board must pass, each on a real SQLite file.
import { expect, test } from 'vitest'
import { eventsAfter } from '../../src/kanban/sqlite/queries.ts'
import { type TestBoard, testBoard } from '../support/kanban/board.ts'

const fill = (board: TestBoard, counts: Readonly<Record<string, number>>): void => {
  for (const [assignee, n] of Object.entries(counts)) for (let i = 0; i < n; i++) board.create({ assignee })
}
const spawnedOn = (report: { spawned: readonly { assignee: string }[] }, assignee: string): number =>
  report.spawned.filter((one) => one.assignee === assignee).length
const cappedOn = (report: { skipped_per_profile_capped: readonly { assignee: string }[] }, assignee: string): number =>
  report.skipped_per_profile_capped.filter((one) => one.assignee === assignee).length

test('without a default, unassigned tasks are skipped and untouched', async () => {
  using board = testBoard()
  const { id } = board.create({})
  const before = board.dump()
  const { report } = await board.dispatch()
  expect(report.skipped_unassigned).toEqual([id])
  expect(report.spawned).toEqual([])
  expect(board.dump()).toBe(before)
})

test('the default assignee is applied, the task is started in the same tick, and an event says so', async () => {
  using board = testBoard()
  board.configure({ default_assignee: ' Alpha ' })
  const { id } = board.create({})
  const { report } = await board.dispatch()
  expect(report.auto_assigned_default).toEqual([id])
  expect(report.skipped_unassigned).toEqual([])
  expect(report.spawned).toEqual([
    { task_id: id, assignee: 'alpha', workspace: `${board.home}/profiles/alpha/workspace/${id}` },
  ])
  expect(board.task(id)).toMatchObject({ assignee: 'alpha', status: 'running' })
  const events = eventsAfter(board.tables, 0, 100, id).filter(({ kind }) => kind === 'assigned')
  expect(events.map(({ payload }) => payload)).toEqual([{ assignee: 'alpha', source: 'kanban.default_assignee' }])
})

test('a dry run reports the same and writes nothing', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'alpha', max_in_progress_per_profile: 1 })
  const parent = board.create({ assignee: 'beta' })
  const ids = [board.create({}).id, board.create({}).id, board.create({ parents: [parent.id] }).id]
  board.sql("UPDATE tasks SET status = 'done' WHERE id = ?", parent.id)
  const before = board.dump()
  const { report } = await board.plan()
  expect(board.dump()).toBe(before)
  expect(report.promoted).toBe(1)
  expect(report.spawned).toEqual([{ task_id: ids[0], assignee: 'alpha', workspace: '' }])
  expect(report.auto_assigned_default).toEqual(ids)
  const real = await board.dispatch()
  expect({ ...real.report, spawned: real.report.spawned.map((one) => ({ ...one, workspace: '' })) }).toEqual(report)
})

test.each(['', '   ', null, undefined])('a blank default assignee (%j) counts as unset', async (value) => {
  using board = testBoard()
  board.configure({ default_assignee: value })
  const { id } = board.create({})
  const { report, warnings } = await board.dispatch()
  expect(report.skipped_unassigned).toEqual([id])
  expect(warnings).toEqual([])
})

test('an explicit assignee is untouched by the default', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'alpha' })
  const { id } = board.create({ assignee: 'beta' })
  const { report } = await board.dispatch()
  expect(report.auto_assigned_default).toEqual([])
  expect(board.task(id).assignee).toBe('beta')
})

test('the result carries every bucket, empty ones too', async () => {
  using board = testBoard()
  const { report } = await board.dispatch()
  expect(report).toEqual({
    reclaimed: 0,
    promoted: 0,
    spawned: [],
    skipped_per_profile_capped: [],
    auto_assigned_default: [],
    skipped_unassigned: [],
    skipped_nonspawnable: [],
    skipped_unconfigured: [],
    crashed: [],
    timed_out: [],
    stale: [],
    auto_blocked: [],
    rate_limited: [],
    respawn_guarded: [],
    skipped_locked: false,
  })
})

test('no cap and 5 + 3 ready: all eight are started', async () => {
  using board = testBoard()
  fill(board, { alpha: 5, beta: 3 })
  const { report } = await board.dispatch()
  expect(report.spawned).toHaveLength(8)
})

test('5 alpha and 3 beta, cap 2: 2 + 2 are started, 3 + 1 are deferred', async () => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: 2 })
  fill(board, { alpha: 5, beta: 3 })
  const { report } = await board.dispatch()
  expect([spawnedOn(report, 'alpha'), spawnedOn(report, 'beta')]).toEqual([2, 2])
  expect([cappedOn(report, 'alpha'), cappedOn(report, 'beta')]).toEqual([3, 1])
  expect(report.skipped_per_profile_capped.every(({ current }) => current === 2)).toBe(true)
})

test('one alpha running, cap 1, 2 + 2 ready: none for alpha, one for beta, 2 + 1 are deferred', async () => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: 1 })
  const running = board.create({ assignee: 'alpha' })
  // Set by hand: no worker, no claim. It counts and is left alone.
  board.sql("UPDATE tasks SET status = 'running' WHERE id = ?", running.id)
  fill(board, { alpha: 2, beta: 2 })
  const { report } = await board.dispatch()
  expect([spawnedOn(report, 'alpha'), spawnedOn(report, 'beta')]).toEqual([0, 1])
  expect([cappedOn(report, 'alpha'), cappedOn(report, 'beta')]).toEqual([2, 1])
  expect(board.task(running.id)).toMatchObject({ status: 'running', workerPid: null, claimLock: null })
})

test('cap 1 and three alphas: when the running one is done, the next tick starts another', async () => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: 1 })
  fill(board, { alpha: 3 })
  const started: string[] = []
  for (let i = 0; i < 3; i++) {
    const { report } = await board.dispatch()
    expect(report.spawned).toHaveLength(1)
    expect(report.skipped_per_profile_capped).toHaveLength(2 - i)
    const id = report.spawned[0]?.task_id ?? ''
    started.push(id)
    expect((await board.dispatch()).report.spawned).toEqual([])
    board.jobs.end(id, { exitCode: 0 })
  }
  expect(new Set(started).size).toBe(3)
})

test.each([
  [0, 'kanban dispatcher: kanban.max_in_progress_per_profile=0 is below 1; ignoring'],
  [-1, 'kanban dispatcher: kanban.max_in_progress_per_profile=-1 is below 1; ignoring'],
  [1.5, "kanban dispatcher: invalid kanban.max_in_progress_per_profile='1.5'; ignoring"],
  ['abc', "kanban dispatcher: invalid kanban.max_in_progress_per_profile='abc'; ignoring"],
  [true, "kanban dispatcher: invalid kanban.max_in_progress_per_profile='true'; ignoring"],
  [null, undefined],
  [undefined, undefined],
])('a cap of %j means that there is no cap', async (value, warning) => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: value })
  fill(board, { alpha: 4 })
  const { report, warnings } = await board.dispatch()
  expect(report.spawned).toHaveLength(4)
  expect(warnings).toEqual(warning === undefined ? [] : [warning])
  expect(JSON.stringify(report)).not.toContain('kanban')
})

test('the text of a whole number is a cap', async () => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: '2' })
  fill(board, { alpha: 4 })
  const { report, warnings, notes } = await board.dispatch()
  expect(report.spawned).toHaveLength(2)
  expect(warnings).toEqual([])
  expect(notes).toEqual(['kanban dispatcher: max_in_progress_per_profile=2'])
})

test('a default that names no profile is off, with one warning', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'nobody' })
  const { id } = board.create({})
  const { report, warnings } = await board.dispatch()
  expect(report.skipped_unassigned).toEqual([id])
  expect(warnings).toEqual(["kanban dispatcher: kanban.default_assignee='nobody' names no profile; ignoring"])
})

test('a default that is not a text is off too, with the same message', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 5 })
  board.create({})
  const { report, warnings } = await board.dispatch()
  expect(report.auto_assigned_default).toEqual([])
  expect(warnings).toEqual(["kanban dispatcher: kanban.default_assignee='5' names no profile; ignoring"])
})

test('the default profile can always be the default assignee', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'default' })
  board.create({})
  const { report, notes } = await board.dispatch()
  expect(spawnedOn(report, 'default')).toBe(1)
  expect(notes).toEqual([
    "kanban dispatcher: default_assignee='default' (unassigned ready tasks will route to this profile)",
  ])
})

test('defaulted tasks count for the default assignee', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'alpha', max_in_progress_per_profile: 2 })
  fill(board, { alpha: 1 })
  const ids = [board.create({}).id, board.create({}).id]
  const { report } = await board.dispatch()
  expect(spawnedOn(report, 'alpha')).toBe(2)
  expect(report.auto_assigned_default).toEqual(ids)
  expect(report.skipped_per_profile_capped).toEqual([{ task_id: ids[1], assignee: 'alpha', current: 2 }])
})

test("an assignee of '' means unassigned", async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'alpha' })
  const { id } = board.create({})
  board.sql("UPDATE tasks SET assignee = '' WHERE id = ?", id)
  const { report } = await board.dispatch()
  expect(report.auto_assigned_default).toEqual([id])
  expect(board.task(id).assignee).toBe('alpha')
})
