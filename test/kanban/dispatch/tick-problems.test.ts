// A failure of one task in a tick affects that task only: all others continue.
import { expect, test } from 'vitest'
import { HermesError } from '../../../src/system/errors.ts'
import { type TestBoard, testBoard } from '../../support/kanban/board.ts'

/** From now on the board does not take such a write; another tool's trigger, say. */
const refuse = (board: TestBoard, write: string, when: string): void =>
  board.sql(`CREATE TRIGGER refuse BEFORE ${write} WHEN ${when} BEGIN SELECT RAISE(ABORT, 'not this one'); END`)
const warnings = (board: TestBoard, about: RegExp): void => {
  expect(board.warnings).toHaveLength(1)
  expect(board.warnings[0]).toMatch(about)
}

test('a default assignee that cannot be written leaves that task unassigned, with one warning; all others start', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'beta' })
  const tasks = [{}, {}, { assignee: 'alpha' }, {}].map((input) => board.create(input).id)
  const [, bad = ''] = tasks
  refuse(board, 'UPDATE OF assignee ON tasks', `old.id = '${bad}'`)
  const { report } = await board.dispatch()
  expect(report.skipped_unassigned).toEqual([bad])
  expect(report.auto_assigned_default).toEqual(tasks.filter((id, at) => id !== bad && at !== 2))
  expect(report.spawned.map(({ task_id }) => task_id)).toEqual(tasks.filter((id) => id !== bad))
  expect(board.task(bad)).toMatchObject({ assignee: null, status: 'ready' })
  warnings(board, new RegExp(`^board "default": ${bad} could not be assigned: not this one; .*next tick`))
})

test('when no default assignee can be written there is one warning for all of them', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'beta' })
  const tasks = Array.from({ length: 40 }, () => board.create({}).id)
  refuse(board, 'UPDATE OF assignee ON tasks', 'true')
  const { report } = await board.dispatch()
  expect(report.skipped_unassigned).toEqual(tasks)
  warnings(board, /and 39 more could not be assigned: not this one/)
})

test('a task that cannot be claimed stays ready, and all others start', async () => {
  using board = testBoard()
  const [bad = '', good = ''] = [0, 1].map(() => board.create({ assignee: 'alpha' }).id)
  refuse(board, 'INSERT ON runs', `new.task_id = '${bad}'`)
  const { report } = await board.dispatch()
  expect(report.spawned.map(({ task_id }) => task_id)).toEqual([good])
  expect(board.task(bad)).toMatchObject({ status: 'ready', currentRun: null })
  warnings(board, new RegExp(`${bad} could not be started: not this one`))
})

test('a result that cannot be written is taken by a later tick; until then the task counts as running', async () => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: 2 })
  const [bad = '', good = '', next = ''] = [0, 1, 2].map(() => board.create({ assignee: 'alpha' }).id)
  await board.dispatch()
  for (const id of [bad, good]) board.jobs.end(id, { exitCode: 0 })
  refuse(board, 'UPDATE OF status ON tasks', `old.id = '${bad}' AND old.status = 'running'`)
  const later = board.create({ assignee: 'alpha' }).id
  const { report } = await board.dispatch()
  expect(board.task(good).status).toBe('done')
  expect(board.task(bad).status).toBe('running')
  expect(report.spawned.map(({ task_id }) => task_id)).toEqual([next])
  expect(report.skipped_per_profile_capped).toEqual([{ task_id: later, assignee: 'alpha', current: 2 }])
  warnings(board, new RegExp(`the end of ${bad} could not be recorded: not this one`))
  board.sql('DROP TRIGGER refuse')
  await board.dispatch()
  expect(board.task(bad).status).toBe('done')
})

test('a task that cannot be promoted waits, and all others are promoted', async () => {
  using board = testBoard()
  const parent = board.create({ assignee: 'alpha' }).id
  const [bad = '', good = ''] = [0, 1].map(() => board.create({ assignee: 'beta', parents: [parent] }).id)
  board.sql("UPDATE tasks SET status = 'done' WHERE id = ?", parent)
  refuse(board, 'UPDATE OF status ON tasks', `old.id = '${bad}'`)
  const { report } = await board.dispatch()
  expect(report.promoted).toBe(1)
  expect(report.spawned.map(({ task_id }) => task_id)).toEqual([good])
  warnings(board, new RegExp(`${bad} could not be promoted: not this one`))
})

test('a worker whose process cannot be noted runs, and so do all others', async () => {
  using board = testBoard()
  const tasks = [0, 1].map(() => board.create({ assignee: 'alpha' }).id)
  refuse(board, 'UPDATE OF worker_pid ON tasks', `old.id = '${tasks[0]}' AND new.worker_pid IS NOT NULL`)
  const { report } = await board.dispatch()
  expect(report.spawned.map(({ task_id }) => task_id)).toEqual(tasks)
  warnings(board, new RegExp(`the process of ${tasks[0]} could not be recorded: not this one`))
})

test('a worker that cannot be stopped keeps its task, and the others over their time are stopped', async () => {
  using board = testBoard()
  const [bad = '', good = ''] = [0, 1].map(() => board.create({ assignee: 'alpha', maxRuntimeMs: 1000 }).id)
  await board.dispatch()
  board.clock.advance(2000)
  const stop = board.jobs.stop.bind(board.jobs)
  const stuck = board.jobs.slotOf(bad)
  board.jobs.stop = async (slot) => {
    if (slot === stuck) throw new HermesError('TIMED_OUT', `${slot} did not stop`)
    return stop(slot)
  }
  const { report } = await board.dispatch()
  expect(report.timed_out).toEqual([good])
  expect(board.task(bad).status).toBe('running')
  warnings(board, new RegExp(`${stuck} did not stop`))
})

test('a full disk costs one warning, and the next tick with room does what was left', async () => {
  using board = testBoard()
  board.configure({ default_assignee: 'beta' })
  const tasks = Array.from({ length: 200 }, () => board.create({}).id)
  const pages = board.tables.get<{ page_count: number }>('PRAGMA page_count')?.page_count ?? 0
  board.tables.get(`PRAGMA max_page_count = ${pages}`)
  const { report } = await board.dispatch()
  expect(report.skipped_unassigned.length).toBeGreaterThan(0)
  expect(board.warnings.length).toBeGreaterThan(0)
  expect(board.warnings.length).toBeLessThan(4)
  board.tables.get('PRAGMA max_page_count = 1000000')
  const done = new Set(report.spawned.map(({ task_id }) => task_id))
  const again = await board.dispatch()
  for (const { task_id } of again.report.spawned) done.add(task_id)
  expect(done.size).toBeGreaterThan(0)
  expect(tasks.filter((id) => board.task(id).status !== 'running')).toEqual([])
})
