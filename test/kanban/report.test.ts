import { expect, test } from 'vitest'
import { MAX_PROMPT_ARGUMENT_BYTES, workerCommand } from '../../src/kanban/handover/worker.ts'
import { tickLine } from '../../src/kanban/log-line.ts'
import { type DispatchReport, emptyReport, reportText } from '../../src/kanban/report.ts'
import { verdictOf } from '../../src/kanban/verdict.ts'

const full: DispatchReport = {
  reclaimed: 1,
  promoted: 2,
  spawned: [{ task_id: 't_1', assignee: 'coder', workspace: '/w/t_1' }],
  skipped_budget_spent: [{ task_id: 't_15', assignee: 'coder' }],
  skipped_missing_labels: [{ task_id: 't_14', missing: ['gpu', 'region=eu'] }],
  skipped_per_profile_capped: [
    { task_id: 't_2', assignee: 'coder', current: 2 },
    { task_id: 't_3', assignee: 'writer', current: 1 },
    { task_id: 't_4', assignee: 'coder', current: 2 },
  ],
  skipped_pool_capped: [{ task_id: 't_15', assignee: 'coder', pool: 'gpu', current: 2 }],
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
    'Deferred (pool gpu at cap, 2 running): t_15',
    'Deferred (this node lacks gpu, region=eu): t_14',
    'Deferred (the budget of coder is spent): t_15',
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

const facts = {
  id: 't_1',
  title: 'Do it',
  prompt: 'Do it\n\nwith {task} and $& care',
  promptFile: '/p/t_1.txt',
  contextFile: '/c/job-t_1-1.json',
}

test('{task}, {prompt} and {context} are filled in, wherever they stand, and only once', () => {
  expect(workerCommand(['a', '--id={task}', '{prompt}', '--context', '{context}'], facts)).toEqual({
    command: ['a', '--id=t_1', 'Do it\n\nwith {task} and $& care', '--context', '/c/job-t_1-1.json'],
    stdin: null,
  })
})

test('without {prompt} the prompt comes on stdin', () => {
  expect(workerCommand(['a', '{task}'], facts)).toEqual({ command: ['a', 't_1'], stdin: facts.prompt })
})

test('a prompt above 96 KiB goes to stdin, and the argument says where it is', () => {
  const atMost = { ...facts, prompt: 'ä'.repeat(MAX_PROMPT_ARGUMENT_BYTES / 2) }
  expect(workerCommand(['a', '{prompt}'], atMost)).toEqual({ command: ['a', atMost.prompt], stdin: null })
  const long = { ...atMost, prompt: `${atMost.prompt}!` }
  expect(workerCommand(['a', '-p', '{prompt}'], long)).toEqual({
    command: [
      'a',
      '-p',
      'Do it\n\nThe prompt has 98305 bytes, too many for an argument. It is on the standard input, and in the file /p/t_1.txt.',
    ],
    stdin: long.prompt,
  })
  expect(workerCommand(['a'], long)).toEqual({ command: ['a'], stdin: long.prompt })
})

test('an argument that the kernel would refuse is refused with a message', () => {
  const twice = { ...facts, prompt: 'x'.repeat(70_000) }
  expect(workerCommand(['a', '{prompt}{prompt}'], twice)).toMatch(/has 140000 bytes, more than an argument can hold/)
})
