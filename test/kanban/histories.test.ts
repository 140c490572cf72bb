// Random histories of people, workers, clocks and ticks on a real SQLite file; after every event the board must make
// sense.
import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { resultFile } from '../../src/kanban/jobs/kept-results.ts'
import type { Operation } from '../../src/kanban/operations.ts'
import type { TaskRow } from '../../src/kanban/port/rows.ts'
import { change } from '../../src/kanban/sqlite/changes.ts'
import { comment, link, unlink } from '../../src/kanban/sqlite/links.ts'
import { eventsAfter, parentsOf } from '../../src/kanban/sqlite/queries.ts'
import { isClosed, type Status } from '../../src/kanban/task.ts'
import { why } from '../../src/kanban/why.ts'
import { HermesError } from '../../src/system/errors.ts'
import { type TestBoard, testBoard } from '../support/kanban/board.ts'
import { size } from '../support/size.ts'

const CAP = 2
const BOARD_CAP = 4
const MINUTE = 60_000

const at = fc.nat({ max: 1000 })
const operation = fc.constantFrom<Operation>(
  'assign',
  'reassign',
  'promote',
  'schedule',
  'block',
  'unblock',
  'complete',
  'request-changes',
  'archive',
  'reclaim',
  'heartbeat',
)
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('create' as const),
      who: fc.constantFrom('alpha', 'beta', 'lane', 'bare', null),
      priority: fc.integer({ min: -2, max: 2 }),
      parent: fc.option(at),
      triage: fc.boolean(),
      inMinutes: fc.option(fc.constantFrom(5, 15)),
      maxRuntime: fc.option(fc.constant(10 * MINUTE)),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('operate' as const),
      operation,
      task: at,
      who: fc.constantFrom('alpha', 'beta'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('link' as const), parent: at, child: at }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('unlink' as const), child: at }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('comment' as const), task: at }) },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('end' as const), task: at, code: fc.constantFrom(0, 0, 0, 1, 75) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('worker says' as const),
      task: at,
      operation: fc.constantFrom<Operation>('complete', 'block', 'heartbeat'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('vanish' as const), task: at }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      ms: fc.constantFrom(1000, MINUTE, 10 * MINUTE, 20 * MINUTE, 300 * MINUTE),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('clock jumps' as const),
      ms: fc.constantFrom(-60 * MINUTE, 600 * MINUTE),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('new life' as const), killed: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('another tool' as const),
      task: at,
      sql: fc.constantFrom(
        "claim_lock = 'a tool' WHERE status = 'ready'",
        "claim_lock = NULL WHERE claim_lock = 'a tool'",
        "status = 'running' WHERE status = 'ready'",
        "assignee = '' WHERE status = 'ready'",
      ),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('tick' as const), refuse: fc.constantFrom(false, false, false, true) }),
  },
)
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

const rowsOf = (board: TestBoard): TaskRow[] => board.tables.all<TaskRow>('SELECT * FROM tasks ORDER BY seq')

async function happen(board: TestBoard, e: Event): Promise<void> {
  const rows = rowsOf(board)
  const pick = (n: number): TaskRow | undefined => rows[n % Math.max(1, rows.length)]
  const running = rows.filter(({ status, current_run }) => status === 'running' && current_run !== null)
  const pickRunning = (n: number): TaskRow | undefined => running[n % Math.max(1, running.length)]
  board.clock.advance(1)
  switch (e.type) {
    case 'create': {
      const parent = e.parent === null ? undefined : pick(e.parent)
      board.create({
        assignee: e.who,
        priority: e.priority,
        triage: e.triage,
        parents: parent ? [parent.id] : [],
        ...(e.inMinutes === null ? {} : { scheduledAtMs: board.clock.wallMs() + e.inMinutes * MINUTE }),
        ...(e.maxRuntime === null ? {} : { maxRuntimeMs: e.maxRuntime }),
      })
      return
    }
    case 'operate': {
      const task = pick(e.task)
      const options = {
        ...(e.operation === 'assign' || e.operation === 'reassign' ? { assignee: e.who } : {}),
        ...(e.operation === 'schedule' ? { scheduledAtMs: board.clock.wallMs() + 5 * MINUTE } : {}),
      }
      if (task) change(board.tables, e.operation, task.id, options, board.actor())
      return
    }
    case 'link': {
      const [parent, child] = [pick(e.parent), pick(e.child)]
      if (parent && child) link(board.tables, parent.id, child.id, board.actor())
      return
    }
    case 'unlink': {
      const child = pick(e.child)
      const parent = child && parentsOf(board.tables, child.id)[0]
      if (parent) unlink(board.tables, parent.id, child.id, board.actor())
      return
    }
    case 'comment': {
      const task = pick(e.task)
      if (task) comment(board.tables, task.id, 'a word', board.actor())
      return
    }
    case 'end': {
      const task = pickRunning(e.task)
      if (task && board.jobs.states.has(`job-${task.id}-${task.current_run}`))
        board.jobs.end(task.id, { exitCode: e.code })
      return
    }
    case 'worker says': {
      const task = pickRunning(e.task)
      if (task) change(board.tables, e.operation, task.id, {}, board.actor(task.current_run ?? 0))
      return
    }
    case 'vanish': {
      const task = pickRunning(e.task)
      if (task) board.jobs.states.delete(`job-${task.id}-${task.current_run}`)
      if (task) board.sql('UPDATE tasks SET worker_start_time = 1 WHERE id = ? AND worker_pid IS NOT NULL', task.id)
      return
    }
    case 'wait':
      board.clock.advance(e.ms)
      return
    case 'clock jumps':
      board.clock.setWall(board.clock.wallMs() + e.ms)
      return
    case 'another tool': {
      const task = pick(e.task)
      if (task) board.sql(`UPDATE tasks SET ${e.sql} AND id = ?`, task.id)
      return
    }
    case 'new life':
      if (!e.killed) keepResults(board)
      board.jobs.instance += '+'
      board.jobs.states.clear()
      board.sql("UPDATE tasks SET worker_start_time = 1 WHERE status = 'running' AND worker_pid IS NOT NULL")
      return
    case 'tick':
      return tickAndCompare(board, e.refuse)
  }
}

/** Leaves the results of ended jobs in the volume, as the supervisor does. */
function keepResults(board: TestBoard): void {
  for (const [slot, state] of board.jobs.states) {
    if (state.state !== 'ended' || state.exitCode === null) continue
    const result = { state: 'ended', ending: { exitCode: state.exitCode }, at: '2026-01-01T00:00:00.000Z' }
    writeFileSync(resultFile(board.home, slot), JSON.stringify(result))
  }
}

/** A tick does what the dry run before it announced, and `why` predicts for each task what the tick does with it. */
async function tickAndCompare(board: TestBoard, refuse: boolean): Promise<void> {
  const before = board.dump()
  const plan = await board.plan()
  const answers = rowsOf(board).map((row) =>
    why({
      task: board.task(row.id),
      openParents: parentsOf(board.tables, row.id).filter(({ status }) => !isClosed(status)),
      decision: plan.decision,
      defaultAssignee: plan.rules.defaultAssignee,
      noDispatcher: null,
      intervalSeconds: 60,
    }),
  )
  expect(board.dump(), 'a dry run writes nothing').toBe(before)
  if (refuse) board.jobs.refuse = new HermesError('BAD_REQUEST', 'cannot be started')
  const { report, decision } = await board.dispatch()
  board.jobs.refuse = null
  if (refuse && plan.report.spawned.length > 0) return // what failed was not foreseen
  expect({ ...report, spawned: report.spawned.map((one) => ({ ...one, workspace: '' })) }).toEqual(plan.report)
  expect([...(decision?.reasons ?? [])]).toEqual([...plan.decision.reasons])
  for (const { task_id, reason, text } of answers) {
    const { status } = board.task(task_id)
    const spawned = report.spawned.some((one) => one.task_id === task_id)
    expect(/\bit starts on /.test(text), `${text}, and then: ${status}`).toBe(spawned)
    if (reason === 'unassigned') expect(report.skipped_unassigned).toContain(task_id)
    if (reason === 'nonspawnable') expect(report.skipped_nonspawnable).toContain(task_id)
    if (reason === 'unconfigured') expect(report.skipped_unconfigured).toContain(task_id)
    if (reason === 'guarded') expect(report.respawn_guarded.map((one) => one.task_id)).toContain(task_id)
    if (reason === 'per_profile_cap')
      expect(report.skipped_per_profile_capped.map((one) => one.task_id)).toContain(task_id)
    if (reason === 'board_full') expect(status, text).toBe('ready')
    if (reason === 'scheduled' && !/then it waits/.test(text)) expect(status, text).toBe('scheduled')
    if (/waits for t_/.test(text)) expect(status, text).toBe('todo')
  }
}

const FAILURES = new Set(['crashed', 'timed_out', 'spawn_failed'])
const FORGIVEN = new Set(['completed', 'review', 'unblocked'])

function check(board: TestBoard, seenDone: Set<string>): void {
  const rows = rowsOf(board)
  const openRuns = board.tables.all<{ id: number; task_id: string }>(
    'SELECT id, task_id FROM runs WHERE ended_at IS NULL',
  )
  expect(openRuns.map(({ id }) => id).sort()).toEqual(rows.flatMap(({ current_run }) => current_run ?? []).sort())
  for (const row of rows) {
    const dispatched = row.current_run !== null
    expect(dispatched, `${row.id}: a run is a claim`).toBe(row.claim_lock !== null && row.claim_lock !== 'a tool')
    if (dispatched) expect(row.status).toBe('running')
    const open = parentsOf(board.tables, row.id).filter(({ status }) => !isClosed(status)).length
    expect(row.open_parents).toBe(open)
    if (row.status === 'ready') expect(open, `${row.id} is ready`).toBe(0)
    if (seenDone.has(row.id)) expect(['done', 'archived'] satisfies Status[]).toContain(row.status)
    if (row.status === 'done') seenDone.add(row.id)
    const failures = eventsAfter(board.tables, 0, 10_000, row.id).reduce(
      (n, { kind }) => (FAILURES.has(kind) ? n + 1 : FORGIVEN.has(kind) ? 0 : n),
      0,
    )
    expect(row.failures, `${row.id}: failures are what its events say`).toBe(failures)
  }
  // Tasks that another tool has set running count towards the caps, but only the dispatcher obeys the caps.
  const dispatched = rows.filter(({ current_run }) => current_run !== null)
  for (const who of ['alpha', 'beta'])
    expect(dispatched.filter(({ assignee }) => assignee === who).length).toBeLessThanOrEqual(CAP)
  expect(dispatched.length).toBeLessThanOrEqual(BOARD_CAP)
}

test('whatever happens, the board makes sense, a dry run says what the tick then does, and so does why', {
  timeout: size(240_000, 0),
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 25, maxLength: 60, size: 'max' }), async (history) => {
      using board = testBoard()
      board.profile('bare', { agent: false })
      board.configure({ default_assignee: 'alpha', max_in_progress_per_profile: CAP, max_in_progress: BOARD_CAP })
      const done = new Set<string>()
      for (const e of history) {
        try {
          await happen(board, e)
        } catch (error) {
          if (!(error instanceof HermesError && error.code === 'REFUSED')) throw error
        }
        check(board, done)
      }
    }),
    { numRuns: size(60, 2_000) },
  )
})
