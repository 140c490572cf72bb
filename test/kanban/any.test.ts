// Tasks for any profile, and tasks that need labels of their node.
import { expect, test } from 'vitest'
import { spendBudget, type TestBoard, testBoard } from '../support/kanban/board.ts'

const assignees = async (board: TestBoard, options: object = {}): Promise<readonly string[]> =>
  (await board.dispatch(options)).report.spawned.map(({ assignee }) => assignee)

test('any profile takes a task: the one with the fewest running tasks, the first by name of several', async () => {
  using board = testBoard(['gamma', 'alpha', 'beta'])
  for (const assignee of ['alpha', 'alpha', 'default', 'default', 'default']) board.create({ assignee })
  await board.dispatch()
  const ids = [1, 2, 3, 4].map(() => board.create({ assignee: 'any' }).id)
  const { report } = await board.dispatch()
  expect(report.spawned.map(({ task_id, assignee }) => [ids.indexOf(task_id), assignee])).toEqual([
    [0, 'beta'],
    [1, 'gamma'],
    [2, 'beta'],
    [3, 'gamma'],
  ])
  expect(report.spawned[0]?.workspace).toContain('/profiles/beta/workspace/')
  expect(board.jobs.started.at(-1)?.profile).toBe('gamma')
})

test('a dry run says which profile it will be, and writes nothing', async () => {
  using board = testBoard()
  board.create({ assignee: 'any' })
  const before = board.dump()
  const { report } = await board.plan()
  expect(board.dump()).toBe(before)
  expect((await board.dispatch()).report.spawned[0]?.assignee).toBe(report.spawned[0]?.assignee)
})

test('the cap of each profile holds also for tasks that any profile may take', async () => {
  using board = testBoard()
  board.configure({ max_in_progress_per_profile: 2 })
  board.create({ assignee: 'alpha' })
  for (let n = 0; n < 9; n++) board.create({ assignee: 'any' })
  const { report } = await board.dispatch()
  const byProfile = Object.groupBy(report.spawned, ({ assignee }) => assignee)
  expect(Object.entries(byProfile).map(([name, tasks]) => [name, tasks?.length])).toEqual([
    ['alpha', 2],
    ['beta', 2],
    ['default', 2],
  ])
  expect(report.skipped_per_profile_capped).toHaveLength(4)
  expect(report.skipped_per_profile_capped[0]).toMatchObject({ assignee: 'any', current: 2 })
  expect(await assignees(board), 'what runs is counted by the profile that has it').toEqual([])
  // A place that becomes free is taken by the profile that it belongs to.
  const [, taken] = board.jobs.started
  board.jobs.end(taken?.slot.split('-')[1] ?? '', { exitCode: 0 })
  expect(await assignees(board)).toEqual([taken?.profile])
})

test('a task for any profile passes by those whose pool is full', async () => {
  using board = testBoard()
  board.configure({ pools: { gpu: 1 } })
  for (const name of ['alpha', 'beta']) board.profile(name, { pool: 'gpu' })
  for (let n = 0; n < 4; n++) board.create({ assignee: 'any' })
  expect(await assignees(board)).toEqual(['alpha', 'default', 'default', 'default'])
})

test('after a failure any profile may have the next attempt', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'any' })
  expect(await assignees(board)).toEqual(['alpha'])
  board.create({ assignee: 'alpha' })
  await board.dispatch()
  board.jobs.end(id, { exitCode: 1 })
  expect(await assignees(board)).toEqual(['beta'])
  expect(board.task(id).assignee).toBe('any')
})

test('a profile without an agent takes none; without any agent the task waits', async () => {
  using board = testBoard(['alpha'])
  board.profile('aardvark', { agent: false })
  board.create({ assignee: 'any' })
  expect(await assignees(board)).toEqual(['alpha'])
  board.profile('alpha', { agent: false })
  const { id } = board.create({ assignee: 'any' })
  const { report } = await board.dispatch()
  expect(report.skipped_unconfigured).toEqual([id])
})

test('a task for any profile goes to one whose budget is not spent, and waits for the first when all are', async () => {
  using board = testBoard(['alpha', 'beta'])
  spendBudget(board, 'alpha', 'month')
  spendBudget(board, 'default', 'month')
  board.create({ assignee: 'any' })
  expect(await assignees(board)).toEqual(['beta'])
  spendBudget(board, 'beta')
  const { id } = board.create({ assignee: 'any' })
  const { report } = await board.dispatch()
  expect(report.skipped_budget_spent).toEqual([{ task_id: id, assignee: 'beta' }])
  expect(report.skipped_unconfigured).toEqual([])
})

test('a task waits for a node with the labels that it needs, also if a profile is named', async () => {
  using board = testBoard()
  board.configure({ labels: 'region=eu' })
  const named = board.create({ assignee: 'beta', needs: ['gpu', 'region=eu'] }).id
  const unnamed = board.create({ needs: ['gpu'] }).id
  const fits = board.create({ needs: ['region=eu'] }).id
  const { report } = await board.dispatch()
  expect(report.skipped_missing_labels).toEqual([
    { task_id: named, missing: ['gpu'] },
    { task_id: unnamed, missing: ['gpu'] },
  ])
  expect(report.spawned).toMatchObject([{ task_id: fits, assignee: 'alpha' }])
  const next = await board.dispatch({ nodeLabels: 'gpu=a100,region=eu' })
  expect(next.report.spawned).toMatchObject([
    { task_id: named, assignee: 'beta' },
    { task_id: unnamed, assignee: 'default' },
  ])
})

test('a node whose labels cannot be read has no labels, and the tick says so', async () => {
  using board = testBoard()
  board.configure({ labels: 'a b' })
  const { id } = board.create({ needs: ['gpu'] })
  const { report, warnings } = await board.dispatch()
  expect(report.skipped_missing_labels).toEqual([{ task_id: id, missing: ['gpu'] }])
  expect(warnings).toEqual(['kanban dispatcher: kanban.labels: "a b" is not a label; this node has no labels'])
})
