// The times for which a routine makes tasks: after downtime, in the hours of summer time, and if a clock jumps.
import { expect, test } from 'vitest'
import { runRoutines } from '../../../src/kanban/routines/make.ts'
import { dueTimes, MOST_AT_ONCE, ON_TIME_MS } from '../../../src/kanban/routines/routine.ts'
import { cronTimes } from '../../../src/system/text/cron.ts'
import { testBoard } from '../../support/kanban/board.ts'
import { kanbanCli } from '../../support/kanban/cli.ts'

const at = (text: string): number => Date.parse(text)
const due = (cron: string, catchUp: 'none' | 'one' | 'all', since: string, now: string, tz = 'UTC') => {
  const found = dueTimes({ catchUp, isPaused: false, settledUntilMs: at(since) }, cronTimes(cron, tz), at(now))
  return { ...found, due: found.due.map((ms) => new Date(ms).toISOString().slice(0, 16)) }
}

test('a time that is looked at in time is due once, whatever the catch-up is, also at its very instant', () => {
  for (const catchUp of ['none', 'one', 'all'] as const) {
    expect(due('0 9 * * *', catchUp, '2026-01-01T10:00Z', '2026-01-02T09:00:00Z').due).toEqual(['2026-01-02T09:00'])
    expect(due('0 9 * * *', catchUp, '2026-01-01T10:00Z', '2026-01-02T08:59:59.999Z').due).toEqual([])
    expect(due('0 9 * * *', catchUp, '2026-01-02T09:00Z', '2026-01-02T09:00:30Z').due).toEqual([])
  }
})

test('of missed times, none makes no task, one the last and all each', () => {
  const found = (catchUp: 'none' | 'one' | 'all') => due('0 9 * * *', catchUp, '2026-01-01T10:00Z', '2026-01-04T12:00Z')
  expect(found('none').due).toEqual([])
  expect(found('one').due).toEqual(['2026-01-04T09:00'])
  expect(found('all').due).toEqual(['2026-01-02T09:00', '2026-01-03T09:00', '2026-01-04T09:00'])
  for (const catchUp of ['none', 'one', 'all'] as const)
    expect(found(catchUp).settledUntilMs).toBe(at('2026-01-04T09:00Z'))
  const late = at('2026-01-02T09:00Z') + ON_TIME_MS
  const times = cronTimes('0 9 * * *', 'UTC')
  const since = { catchUp: 'none', isPaused: false, settledUntilMs: at('2026-01-01T10:00Z') } as const
  expect([late, late + 1].map((nowMs) => dueTimes(since, times, nowMs).due.length)).toEqual([1, 0])
})

test('all makes the newest hundred of more missed times', () => {
  const found = due('* * * * *', 'all', '2026-01-01T00:00Z', '2026-02-01T00:00Z').due
  expect([found.length, found.at(0), found.at(-1)]).toEqual([MOST_AT_ONCE, '2026-01-31T22:21', '2026-02-01T00:00'])
})

test('a paused routine has no time, and no field names a time twice', () => {
  const times = cronTimes('* * * * *', 'UTC')
  expect(dueTimes({ catchUp: 'all', isPaused: true, settledUntilMs: 0 }, times, at('2026-01-01T00:00Z'))).toEqual({
    due: [],
    settledUntilMs: 0,
  })
})

test('in the night that leaves an hour out, a time in that hour comes at its end, and no time comes twice', () => {
  const night = (cron: string) => due(cron, 'all', '2026-03-28T12:00Z', '2026-03-29T12:00Z', 'Europe/Berlin').due
  expect(night('30 2 * * *')).toEqual(['2026-03-29T01:00'])
  expect(night('0 3 * * *')).toEqual(['2026-03-29T01:00'])
  expect(night('0 9 * * *')).toEqual(['2026-03-29T07:00'])
  expect(night('30 * * * *')).toHaveLength(24)
})

test('in the night that has an hour twice, a fixed time comes once, and one of every hour in both', () => {
  const night = (cron: string) => due(cron, 'all', '2026-10-24T12:00Z', '2026-10-25T12:00Z', 'Europe/Berlin').due
  expect(night('30 2 * * *')).toEqual(['2026-10-25T00:30'])
  expect(night('30 2,3 * * *')).toEqual(['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30'])
  expect(night('0 9 * * *')).toEqual(['2026-10-25T08:00'])
  expect(night('30 * * * *')).toHaveLength(24)
})

const daily = {
  name: 'daily',
  cron: '0 9 * * *',
  tz: 'UTC',
  catchUp: 'one',
  task: { title: 'Report', body: 'with figures', assignee: 'alpha', priority: 3 },
} as const

test('each time makes one task, also if the clock is put back, or the dispatcher is killed before it has settled it', async () => {
  using board = testBoard()
  await board.board.addRoutine(daily, board.actor())
  const before = await board.board.routines()
  board.clock.advance(86_400_000)
  const first = await runRoutines(board.board, board.clock)
  expect(first.made).toEqual([expect.stringMatching(/^routine daily, .*T09:00:00.000Z: t_\w+$/)])
  const [task] = await board.board.list({ statuses: ['ready'], limit: 10 })
  expect(task).toMatchObject({ title: 'Report', body: 'with figures', assignee: 'alpha', priority: 3 })
  expect(task?.createdBy).toBe('routine daily')
  expect((await runRoutines(board.board, board.clock)).made).toEqual([])
  // As if it had been killed between the task and the note that its time is settled.
  board.sql('UPDATE routines SET settled_until = ?', before[0]?.settledUntilMs ?? 0)
  expect((await runRoutines(board.board, board.clock)).made).toEqual([])
  const back = { ...board.clock, wallMs: () => board.clock.wallMs() - 7_200_000 }
  expect((await runRoutines(board.board, back)).made).toEqual([])
  board.clock.advance(86_400_000)
  expect((await runRoutines(board.board, board.clock)).made).toHaveLength(1)
})

test('a time during a pause makes no task, and a routine that cannot be read costs the others nothing', async () => {
  using board = testBoard()
  await board.board.addRoutine(daily, board.actor())
  await board.board.addRoutine({ ...daily, name: 'broken', tz: 'Nowhere/X' }, board.actor())
  await board.board.changeRoutine('daily', { isPaused: true }, board.clock.wallMs())
  board.clock.advance(3 * 86_400_000)
  expect((await runRoutines(board.board, board.clock)).made).toEqual([])
  await board.board.changeRoutine('daily', { isPaused: false }, board.clock.wallMs())
  expect((await runRoutines(board.board, board.clock)).made).toEqual([])
  board.clock.advance(86_400_000)
  const { made, warnings, nextAtMs } = await runRoutines(board.board, board.clock)
  expect(made).toHaveLength(1)
  expect(warnings).toEqual([expect.stringMatching(/^routine broken: .*Nowhere\/X/)])
  expect(new Date(nextAtMs ?? 0).toISOString()).toContain('T09:00:00.000Z')
})

test('the command makes, shows, pauses, runs and deletes a routine', async () => {
  using cli = kanbanCli()
  const create = ['routine', 'create', 'daily', '--cron', '0 9 * * 1-5', '--title', 'Report', '--assignee', 'coder']
  const made = await cli.kanban(...create, '--tz', 'Europe/Berlin', '--catch-up', 'none', '--body', 'b')
  expect(made).toMatchObject({
    code: 0,
    out: expect.stringMatching(
      /^routine daily: Report \(coder\), "0 9 \* \* 1-5" in Europe\/Berlin, catch-up none; next at /,
    ),
  })
  expect(await cli.kanban(...create)).toMatchObject({
    code: 1,
    err: expect.stringContaining('a routine "daily" already'),
  })
  expect(await cli.json('routine', 'list')).toMatchObject([
    { name: 'daily', catch_up: 'none', paused: false, title: 'Report', body: 'b', assignee: 'coder', priority: 0 },
  ])
  expect((await cli.kanban('routine', 'pause', 'daily')).out).toContain('; paused')
  expect((await cli.kanban('routine', 'list')).out).toMatch(
    /daily +0 9 \* \* 1-5 +Europe\/Berlin +paused +coder +Report/,
  )
  expect((await cli.kanban('routine', 'resume', 'daily')).out).toContain('; next at ')
  const { task_id } = await cli.json<{ task_id: string }>('routine', 'run', 'daily')
  expect(await cli.json('show', task_id)).toMatchObject({ title: 'Report', created_by: 'routine daily' })
  expect((await cli.kanban('routine', 'delete', 'daily')).out).toBe('routine daily is deleted; its tasks stay\n')
  expect((await cli.kanban('routine', 'list')).out).toBe('no routines\n')
})

test.each([
  [['create', 'x', '--title', 't'], 2, 'requires --cron'],
  [['create', 'x', '--cron', '0 9 * * *'], 2, 'requires --title'],
  [['create', 'x', '--cron', '0 25 * * *', '--title', 't'], 2, '--cron must be cron fields'],
  [['create', 'x', '--cron', '0 9 * * *', '--title', 't', '--tz', 'Mars'], 2, '--tz must be a time zone such as'],
  [
    ['create', 'x', '--cron', '0 9 * * *', '--title', 't', '--catch-up', 'two'],
    2,
    '--catch-up must be none, one or all',
  ],
  [['create', 'X!', '--cron', '0 9 * * *', '--title', 't'], 2, 'is not a name of a routine'],
  [['create', 'x', '--cron', '0 9 * * *', '--title', 't', '--assignee', 'carol'], 3, 'carol'],
  [['pause'], 2, 'requires a NAME'],
  [['pause', 'none'], 1, 'has no routine "none"'],
])('routine %j is refused by one line', async (args, code, text) => {
  using cli = kanbanCli()
  await cli.kanban('init')
  const answer = await cli.kanban('routine', ...args)
  expect([answer.code, answer.err]).toEqual([code, expect.stringContaining(text)])
})
