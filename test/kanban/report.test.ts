import { expect, test } from 'vitest'
import { tickLine } from '../../src/kanban/log-line.ts'
import { type DispatchReport, emptyReport, reportText } from '../../src/kanban/report.ts'
import { verdictOf } from '../../src/kanban/verdict.ts'
import { promptOf, workerCommand } from '../../src/kanban/worker.ts'

const full: DispatchReport = {
  reclaimed: 1,
  promoted: 2,
  spawned: [{ task_id: 't_1', assignee: 'coder', workspace: '/w/t_1' }],
  skipped_per_profile_capped: [
    { task_id: 't_2', assignee: 'coder', current: 2 },
    { task_id: 't_3', assignee: 'writer', current: 1 },
    { task_id: 't_4', assignee: 'coder', current: 2 },
  ],
  auto_assigned_default: ['t_1'],
  skipped_unassigned: ['t_5'],
  skipped_nonspawnable: ['t_6'],
  skipped_unconfigured: ['t_7', 't_8'],
  crashed: ['t_9'],
  timed_out: ['t_10'],
  stale: ['t_11'],
  auto_blocked: ['t_9'],
  rate_limited: ['t_12'],
  respawn_guarded: [
    { task_id: 't_12', reason: 'quota_or_auth_error' },
    { task_id: 't_13', reason: 'recent_success' },
  ],
  skipped_locked: true,
}
const context = { dryRun: false, defaultAssignee: 'coder', assigneeOf: () => 'bare' }

test('the text of a tick has every line in its order', () => {
  expect(reportText(full, context).split('\n')).toEqual([
    'Reclaimed: 1',
    'Promoted: 2',
    'Spawned: 1',
    '  - t_1 -> coder @ /w/t_1',
    "Auto-assigned to kanban.default_assignee='coder': t_1",
    'Skipped (unassigned): t_5',
    'Deferred (coder at per-profile cap, 2 running): t_2',
    'Deferred (writer at per-profile cap, 1 running): t_3',
    'Deferred (coder at per-profile cap, 2 running): t_4',
    'Skipped (non-spawnable assignee — terminal lane, OK): t_6',
    'Skipped (no agent configured): t_7, t_8 (bare)',
    'Deferred (respawn guard, quota_or_auth_error): t_12',
    'Deferred (respawn guard, recent_success): t_13',
    'Crashed: t_9',
    'Timed out: t_10',
    'Stale: t_11',
    'Auto-blocked: t_9',
    'Rate limited: t_12',
    'Skipped: another dispatcher holds this board',
    '',
  ])
})

test('an empty tick is three lines of text and none in the log', () => {
  expect(reportText(emptyReport(), context)).toBe('Reclaimed: 0\nPromoted: 0\nSpawned: 0\n')
  expect(tickLine('default', emptyReport())).toBeUndefined()
})

test('tasks that merely wait are not logged', () => {
  const waiting = {
    ...emptyReport(),
    skipped_unassigned: ['t_1'],
    skipped_per_profile_capped: full.skipped_per_profile_capped.slice(),
  }
  expect(tickLine('default', waiting)).toBeUndefined()
})

test.each([
  [false, 0, false, 'idle'],
  [true, 0, false, 'busy'],
  [false, 2, false, 'idle'],
  [false, 3, false, 'stuck'],
  [true, 0, true, 'stuck'],
] as const)('busy %j, %i starved ticks, overdue %j: %s', (busy, starved, overdue, verdict) => {
  expect(verdictOf(busy, starved, overdue)).toBe(verdict)
})

const task = { id: 't_1', title: 'Do it', body: 'with {task} and $& care' }
const bytes = (text: string): number => Buffer.byteLength(text)

test('{task} and {prompt} are filled in, wherever they stand, and only once', () => {
  expect(workerCommand(['a', '--id={task}', '{prompt}'], task, bytes)).toEqual({
    command: ['a', '--id=t_1', 'Do it\n\nwith {task} and $& care'],
    stdin: null,
  })
})

test('without {prompt} the prompt comes on stdin', () => {
  expect(workerCommand(['a', '{task}'], task, bytes)).toEqual({ command: ['a', 't_1'], stdin: promptOf(task) })
})

test('a prompt that no argument can hold is refused with a message; on stdin it is accepted', () => {
  const long = { ...task, body: 'ä'.repeat(70_000) }
  expect(workerCommand(['a', '{prompt}'], long, bytes)).toMatch(/140007 bytes, more than an argument can hold/)
  expect(workerCommand(['a'], long, bytes)).toMatchObject({ command: ['a'] })
})
