// Each reason a task can wait for: what `why` says of it, beside what the tick after it does with the task.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { DispatchReport } from '../../src/kanban/report.ts'
import { change } from '../../src/kanban/sqlite/changes.ts'
import { link } from '../../src/kanban/sqlite/links.ts'
import { parentsOf } from '../../src/kanban/sqlite/queries.ts'
import { isClosed, type Status } from '../../src/kanban/task.ts'
import { why } from '../../src/kanban/why.ts'
import { spendBudget, type TestBoard, testBoard } from '../support/kanban/board.ts'

const HOUR = 3_600_000

interface Case {
  readonly kanban?: Readonly<Record<string, unknown>>
  /** Makes the task; the clock stands still from here to the tick. */
  readonly make: (board: TestBoard) => string | Promise<string>
  readonly reason: string
  readonly text: RegExp
  /** Where the tick leaves the task, and the list of its report that names it. */
  readonly tick: { readonly status: Status; readonly in?: keyof DispatchReport }
}

const running = async (board: TestBoard, input: object = {}): Promise<string> => {
  const { id } = board.create({ assignee: 'alpha', ...input })
  await board.dispatch()
  return id
}
const blocker = (board: TestBoard): string => {
  const { id } = board.create({ triage: true })
  return id
}

const CASES: Readonly<Record<string, Case>> = {
  'it is about to start': {
    make: (board) => board.create({ assignee: 'alpha' }).id,
    reason: 'spawn',
    text: /: it starts on alpha within 60 s$/,
    tick: { status: 'running', in: 'spawned' },
  },
  'the fallback is about to get it': {
    kanban: { default_assignee: 'beta' },
    make: (board) => board.create({}).id,
    reason: 'spawn',
    text: /: it starts on beta within 60 s \(kanban\.default_assignee\)$/,
    tick: { status: 'running', in: 'auto_assigned_default' },
  },
  'nobody is assigned': {
    make: (board) => board.create({}).id,
    reason: 'unassigned',
    text: /it has no assignee, and kanban\.default_assignee is off: hermes kanban assign t_/,
    tick: { status: 'ready', in: 'skipped_unassigned' },
  },
  'it may start once, and its container was killed': {
    make: async (board) => {
      const id = await running(board, { once: true })
      board.jobs.instance = 'the-next-life'
      board.jobs.states.clear()
      board.sql('UPDATE tasks SET worker_pid = 4194305')
      return id
    },
    reason: 'reclaimed',
    text: /: Its run is over \(reclaimed: the container it ran in has ended\); it moves to blocked within 60 s$/,
    tick: { status: 'blocked', in: 'auto_blocked' },
  },
  'it may start once, and a person has to say whether it was done': {
    make: async (board) => {
      const id = await running(board, { once: true })
      board.jobs.end(id, { signal: 'KILL' })
      await board.dispatch()
      return id
    },
    reason: 'blocked',
    text: /: it is not known whether it was done: killed by SIGKILL; hermes kanban complete t_\w+ if it was done, unblock/,
    tick: { status: 'blocked' },
  },
  'it needs a label that this node does not have': {
    kanban: { labels: 'region=us' },
    make: (board) => board.create({ assignee: 'alpha', needs: ['region=eu', 'gpu'] }).id,
    reason: 'missing_labels',
    text: /: needs gpu, region=eu, which this node does not have \(kanban\.labels, HERMES_NODE_LABELS\)$/,
    tick: { status: 'ready', in: 'skipped_missing_labels' },
  },
  'any profile may take it, and all are at their caps': {
    kanban: { max_in_progress_per_profile: 1 },
    make: async (board) => {
      for (const assignee of ['alpha', 'beta', 'default']) board.create({ assignee })
      await board.dispatch()
      return board.create({ assignee: 'any' }).id
    },
    reason: 'per_profile_cap',
    text: /: waits for any profile: the least busy one has 1 running, and each may have 1 \(kanban\.max_in_progress_per_prof/,
    tick: { status: 'ready', in: 'skipped_per_profile_capped' },
  },
  'its assignee is not a profile': {
    make: (board) => board.create({ assignee: 'carol' }).id,
    reason: 'nonspawnable',
    text: /no profile is named "carol"/,
    tick: { status: 'ready', in: 'skipped_nonspawnable' },
  },
  'its profile is at the cap': {
    kanban: { max_in_progress_per_profile: 1 },
    make: async (board) => {
      await running(board)
      return board.create({ assignee: 'alpha' }).id
    },
    reason: 'per_profile_cap',
    text: /waits for alpha: 1 running, and 1 may/,
    tick: { status: 'ready', in: 'skipped_per_profile_capped' },
  },
  'the pool of its profile is full': {
    kanban: { pools: { gpu: 1 } },
    make: async (board) => {
      for (const name of ['alpha', 'beta']) board.profile(name, { pool: 'gpu' })
      await running(board)
      return board.create({ assignee: 'beta' }).id
    },
    reason: 'pool_cap',
    text: /waits for a place in the pool gpu of beta: 1 tasks are running in it, and 1 may \(kanban\.pools\)$/,
    tick: { status: 'ready', in: 'skipped_pool_capped' },
  },
  'any profile may take it, and all are in full pools': {
    kanban: { pools: { gpu: 1 } },
    make: async (board) => {
      rmSync(join(board.home, 'profiles', 'beta'), { recursive: true })
      board.profile('alpha', { pool: 'gpu' })
      writeFileSync(join(board.home, 'config.yaml'), JSON.stringify({ kanban: { pools: { gpu: 1 } } }))
      await running(board)
      return board.create({ assignee: 'any' }).id
    },
    reason: 'pool_cap',
    text: /waits for any profile: all are in full pools, and in gpu 1 tasks are running, and 1 may \(kanban\.pools\)$/,
    tick: { status: 'ready', in: 'skipped_pool_capped' },
  },
  'the board is full': {
    kanban: { max_in_progress: 1 },
    make: async (board) => {
      await running(board)
      return board.create({ assignee: 'beta' }).id
    },
    reason: 'board_full',
    text: /waits for a place: 1 tasks are running, and 1 may/,
    tick: { status: 'ready' },
  },
  'its time has come on a full board': {
    kanban: { max_in_progress: 1 },
    make: async (board) => {
      const { id } = board.create({ assignee: 'beta', scheduledAtMs: board.clock.wallMs() + HOUR })
      await running(board)
      board.clock.advance(HOUR)
      return id
    },
    reason: 'board_full',
    text: /waits for a place/,
    tick: { status: 'ready' },
  },
  'its last parent has finished on a full board': {
    kanban: { max_in_progress: 1 },
    make: async (board) => {
      const parent = await running(board)
      const { id } = board.create({ assignee: 'beta', parents: [parent] })
      board.create({ assignee: 'alpha', priority: 9 })
      board.jobs.end(parent, { exitCode: 0 })
      return id
    },
    reason: 'board_full',
    text: /waits for a place/,
    tick: { status: 'ready' },
  },
  'another tool has claimed it on a full board': {
    kanban: { max_in_progress: 1 },
    make: async (board) => {
      await running(board)
      const { id } = board.create({ assignee: 'beta' })
      board.sql("UPDATE tasks SET claim_lock = 'a tool' WHERE id = ?", id)
      return id
    },
    reason: 'ready',
    text: /another tool has claimed it \(a tool\)/,
    tick: { status: 'ready' },
  },
  'its time comes while another tool has a claim on it': {
    make: (board) => {
      const { id } = board.create({ assignee: 'beta', scheduledAtMs: board.clock.wallMs() + 60_000 })
      board.sql("UPDATE tasks SET claim_lock = 'a tool' WHERE id = ?", id)
      board.clock.advance(60_000)
      return id
    },
    reason: 'scheduled',
    text: /its time has come; then it waits for another tool, which has claimed it \(a tool\)/,
    tick: { status: 'ready' },
  },
  'its profile has no agent': {
    make: (board) => {
      board.profile('bare', { agent: false })
      return board.create({ assignee: 'bare' }).id
    },
    reason: 'unconfigured',
    text: /profile "bare" has no agent/,
    tick: { status: 'ready', in: 'skipped_unconfigured' },
  },
  'its last run was refused for its quota': {
    make: async (board) => {
      const id = await running(board)
      board.jobs.end(id, { exitCode: 75 })
      await board.dispatch()
      return id
    },
    reason: 'guarded',
    text: /quota or authentication error; it rests until .*\(hermes kanban block and then unblock, or a new assignee/,
    tick: { status: 'ready', in: 'respawn_guarded' },
  },
  'it succeeded a moment ago': {
    make: async (board) => {
      const id = await running(board)
      board.clock.advance(1)
      board.jobs.end(id, { exitCode: 0 })
      await board.dispatch()
      board.sql("UPDATE tasks SET status = 'ready' WHERE id = ?", id)
      return id
    },
    reason: 'guarded',
    text: /it succeeded a moment ago and has not been changed since/,
    tick: { status: 'ready', in: 'respawn_guarded' },
  },
  'a worker of an earlier run has not ended': {
    make: async (board) => {
      const id = await running(board)
      change(board.tables, 'block', id, {}, board.actor(board.task(id).currentRun ?? 0))
      change(board.tables, 'unblock', id, {}, board.actor())
      return id
    },
    reason: 'guarded',
    text: /the worker of its last run has not ended yet/,
    tick: { status: 'ready', in: 'respawn_guarded' },
  },
  'its profile has spent its budget': {
    make: (board) => {
      spendBudget(board, 'alpha')
      return board.create({ assignee: 'alpha' }).id
    },
    reason: 'budget_spent',
    text: /: the budget of alpha is spent \(7 of 5 tokens\); it starts after \d{4}-\d\d-\d\dT00:00:00.*Z, or after a change of budget/,
    tick: { status: 'ready', in: 'skipped_budget_spent' },
  },
  'it waits for a parent': {
    make: (board) => board.create({ assignee: 'alpha', parents: [blocker(board)] }).id,
    reason: 'todo',
    text: /waits for t_[0-9a-f]{8} \(triage\)$/,
    tick: { status: 'todo' },
  },
  'it waits for its time': {
    make: (board) => board.create({ assignee: 'alpha', scheduledAtMs: board.clock.wallMs() + HOUR }).id,
    reason: 'scheduled',
    text: /waits for its time, \d{4}-/,
    tick: { status: 'scheduled' },
  },
  'its time has come and its parent has not': {
    make: (board) => {
      const { id } = board.create({ assignee: 'alpha', scheduledAtMs: board.clock.wallMs() + HOUR })
      link(board.tables, blocker(board), id, board.actor())
      board.clock.advance(HOUR)
      return id
    },
    reason: 'scheduled',
    text: /its time has come; then it waits for t_[0-9a-f]{8} \(triage\)$/,
    tick: { status: 'todo' },
  },
  'it is an idea': {
    make: blocker,
    reason: 'triage',
    text: /in triage/,
    tick: { status: 'triage' },
  },
  'it is blocked': {
    make: async (board) => {
      const { id } = board.create({ assignee: 'alpha' })
      change(board.tables, 'block', id, {}, board.actor())
      return id
    },
    reason: 'blocked',
    text: /blocked; hermes kanban unblock/,
    tick: { status: 'blocked' },
  },
  'its work must be looked at': {
    kanban: { require_review: true },
    make: async (board) => {
      const id = await running(board)
      board.jobs.end(id, { exitCode: 0 })
      await board.dispatch()
      return id
    },
    reason: 'review',
    text: /the work is done and waits for a review/,
    tick: { status: 'review' },
  },
  'it runs': {
    make: running,
    reason: 'running',
    text: /it is running since .*, pid \d+$/,
    tick: { status: 'running' },
  },
  'it was set running by hand': {
    make: (board) => {
      const { id } = board.create({ assignee: 'alpha' })
      board.sql("UPDATE tasks SET status = 'running' WHERE id = ?", id)
      return id
    },
    reason: 'running',
    text: /it was set running by hand/,
    tick: { status: 'running' },
  },
  'its worker has failed and it is tried again': {
    make: async (board) => {
      const id = await running(board)
      board.jobs.end(id, { exitCode: 1 })
      return id
    },
    reason: 'crashed',
    text: /: Its run is over \(crashed: exit code 1\); it starts on alpha within 60 s$/,
    tick: { status: 'running', in: 'crashed' },
  },
  'its worker has failed too often': {
    kanban: { failure_limit: 1 },
    make: async (board) => {
      const id = await running(board)
      board.jobs.end(id, { exitCode: 1 })
      return id
    },
    reason: 'crashed',
    text: /: Its run is over \(crashed: exit code 1\); it moves to blocked within 60 s$/,
    tick: { status: 'blocked', in: 'auto_blocked' },
  },
}

test.each(Object.entries(CASES))(
  '%s: why says so, and the tick does so',
  async (_, { kanban, make, reason, text, tick }) => {
    using board = testBoard()
    if (kanban !== undefined) board.configure(kanban)
    const id = await make(board)
    const { decision, rules } = await board.plan()
    const openParents = parentsOf(board.tables, id).filter(({ status }) => !isClosed(status))
    const facts = { task: board.task(id), openParents, decision, defaultAssignee: rules.defaultAssignee }
    const answer = why({ ...facts, noDispatcher: null, intervalSeconds: 60 })
    expect(answer.text).toMatch(text)
    expect(answer.reason).toBe(reason)
    const { report } = await board.dispatch()
    expect(board.task(id).status).toBe(tick.status)
    if (tick.in !== undefined) expect(JSON.stringify(report[tick.in])).toContain(id)
  },
)

test('a task whose worker has finished says where it moves, and when', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  await board.dispatch()
  board.jobs.end(id, { exitCode: 0 })
  const { decision } = await board.plan()
  const facts = { task: board.task(id), openParents: [], decision, defaultAssignee: null }
  expect(why({ ...facts, noDispatcher: null, intervalSeconds: 60 }).text).toBe(
    `${id} (running): Its worker has finished; it moves to done within 60 s`,
  )
})

test('where no tick comes by itself, a task that a tick would move says that too', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  const { decision } = await board.plan()
  const facts = { task: board.task(id), openParents: [], decision, defaultAssignee: null }
  expect(why({ ...facts, noDispatcher: 'the supervisor is not running', intervalSeconds: 60 }).text).toBe(
    `${id} (ready): it starts on alpha at the next tick. No tick comes by itself: the supervisor is not running`,
  )
})
