import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { emptyReport } from '../../src/kanban/report.ts'
import { openDatabase } from '../../src/system/files/sqlite.ts'
import { type KanbanCli, kanbanCli } from '../support/kanban/cli.ts'

const NO_SUCH = 't_00000000'

test('a task goes from create to done, and show lists its history', async () => {
  using cli = kanbanCli()
  const made = await cli.kanban(
    'create',
    'Say',
    'hello',
    '--body',
    'to everybody',
    '--assignee',
    ' Coder ',
    '--priority',
    '3',
  )
  expect(made).toMatchObject({ code: 0, err: '' })
  expect(made.out).toMatch(/^t_[0-9a-f]{8} created: ready, for coder\n$/)
  const id = made.out.slice(0, 10)
  expect((await cli.kanban('comment', id, 'in', 'three languages')).code).toBe(0)
  expect((await cli.kanban('block', id, '--reason', 'which ones?')).out).toBe(`${id} ready -> blocked\n`)
  expect((await cli.kanban('why', id)).out).toBe(`${id} (blocked): blocked: which ones?; hermes kanban unblock ${id}\n`)
  expect((await cli.kanban('unblock', id)).out).toBe(`${id} blocked -> ready\n`)
  expect((await cli.kanban('complete', id, '--result', 'hello, hola, salut')).out).toBe(`${id} ready -> done\n`)
  const shown = await cli.json<Record<string, unknown> & { events: { kind: string }[] }>('show', id)
  expect(shown).toMatchObject({
    id,
    title: 'Say hello',
    body: 'to everybody',
    assignee: 'coder',
    status: 'done',
    priority: 3,
    created_by: 'tester',
    result: 'hello, hola, salut',
    comments: [{ author: 'tester', body: 'in three languages' }],
  })
  expect(shown.events.map(({ kind }) => kind)).toEqual(['created', 'commented', 'blocked', 'unblocked', 'completed'])
  expect((await cli.kanban('show', id)).out).toContain('hello, hola, salut')
})

test('a child waits for its parents and goes on when the last one is done', async () => {
  using cli = kanbanCli()
  const [a, b] = [await cli.create('a'), await cli.create('b')]
  const child = await cli.create('child', '--parent', `${a},${b}`)
  expect((await cli.kanban('why', child)).out).toBe(`${child} (todo): waits for ${a} (ready), ${b} (ready)\n`)
  await cli.kanban('complete', a)
  expect(await cli.json('show', child)).toMatchObject({ status: 'todo', parents: [a, b] })
  await cli.kanban('archive', b)
  expect(await cli.json('show', child)).toMatchObject({ status: 'ready' })
})

test('a triage task leaves by promote or assign', async () => {
  using cli = kanbanCli()
  const [a, b] = [await cli.create('a', '--triage'), await cli.create('b', '--triage')]
  expect((await cli.kanban('promote', a)).out).toBe(`${a} triage -> ready\n`)
  expect((await cli.kanban('assign', b, 'coder')).out).toBe(`${b} triage -> ready, for coder\n`)
})

test('list shows 50 by default, the newest first, and archived ones only on request', async () => {
  using cli = kanbanCli()
  const ids: string[] = []
  for (let i = 0; i < 52; i++) ids.push(await cli.create(`task ${i}`))
  await cli.kanban('archive', ids[51] ?? '')
  const listed = async (...args: string[]) => (await cli.json<{ id: string }[]>('list', ...args)).map(({ id }) => id)
  const newest = ids.slice(0, 51).reverse()
  expect(await listed()).toEqual(newest.slice(0, 50))
  expect(await listed('--limit', '60')).toEqual(newest)
  expect(await listed('--all', '--limit', '60')).toHaveLength(52)
  expect(await listed('--status', 'archived')).toEqual([ids[51]])
  expect((await cli.kanban('list')).out).toContain('(the newest 50; --limit N shows more)')
})

test('list finds the tasks of a profile and the unassigned ones', async () => {
  using cli = kanbanCli()
  const [mine, free] = [await cli.create('mine', '-a', 'coder'), await cli.create('free')]
  expect(await cli.json('list', '-a', 'Coder')).toMatchObject([{ id: mine }])
  expect(await cli.json('list', '--unassigned')).toMatchObject([{ id: free }])
})

test('an idempotency key makes one task of two', async () => {
  using cli = kanbanCli()
  const first = await cli.json('create', 'once', '--key', 'k1')
  const second = await cli.json('create', 'once more', '--key', 'k1')
  expect([first.created, second.created]).toEqual([true, false])
  expect(second.id).toBe(first.id)
})

test('boards are apart: tasks, counts, and which one is meant', async () => {
  using cli = kanbanCli()
  await cli.kanban('init')
  await cli.kanban('boards', 'create', 'side')
  const here = await cli.create('here')
  const there = await cli.create('there', '--board', 'side')
  expect(existsSync(join(cli.home, 'kanban', 'boards', 'side', 'kanban.db'))).toBe(true)
  expect(await cli.json('list')).toMatchObject([{ id: here }])
  cli.env.HERMES_KANBAN_BOARD = 'side'
  expect(await cli.json('list')).toMatchObject([{ id: there }])
  delete cli.env.HERMES_KANBAN_BOARD
  await cli.kanban('boards', 'use', 'side')
  expect(await cli.json('boards', 'list')).toEqual([
    { board: 'default', active: false, tasks: 1 },
    { board: 'side', active: true, tasks: 1 },
  ])
  expect(await cli.json('list')).toMatchObject([{ id: there }])
})

test('a worker reports on its own run only', async () => {
  using cli = kanbanCli()
  const id = await cli.create('work')
  cli.env.HERMES_KANBAN_TASK = id
  cli.env.HERMES_KANBAN_RUN_ID = '7'
  expect(await cli.kanban('complete', id)).toMatchObject({
    code: 1,
    err: expect.stringContaining('run 7 is no longer its run'),
  })
  const other = await cli.create('another')
  expect((await cli.kanban('complete', other)).code).toBe(0)
})

test('dispatch prints what it would do as docs/kanban.md shows it', async () => {
  using cli = kanbanCli(['coder', 'bare'])
  writeFileSync(join(cli.home, 'profiles', 'bare', 'config.yaml'), '')
  writeFileSync(join(cli.home, 'config.yaml'), 'kanban: {max_in_progress_per_profile: 2, default_assignee: coder}\n')
  const tasks: string[] = []
  for (const who of ['coder', null, 'coder', 'bare', 'a-person']) {
    tasks.push(await cli.create('x', ...(who === null ? [] : ['-a', who, '--lane'])))
  }
  const [first, free, capped, bare, person] = tasks
  expect(await cli.kanban('dispatch', '--dry-run')).toEqual({
    code: 0,
    err: '',
    out: [
      'Reclaimed: 0',
      'Promoted: 0',
      'Spawned: 2',
      `  - ${first} -> coder @ - (dry)`,
      `  - ${free} -> coder @ - (dry)`,
      `Auto-assigned to kanban.default_assignee='coder': ${free}`,
      `Deferred (coder at per-profile cap, 2 running): ${capped}`,
      `Skipped (non-spawnable assignee — terminal lane, OK): ${person}`,
      `Skipped (no agent configured): ${bare} (bare)`,
      '',
    ].join('\n'),
  })
  expect(await cli.json('dispatch', '--dry-run', '--max', '1')).toMatchObject({
    spawned: [{ task_id: first, assignee: 'coder', workspace: '' }],
    auto_assigned_default: [],
  })
  expect(await cli.kanban('dispatch')).toMatchObject({ code: 4, out: '' })
})

test('a bad cap is one line on stderr and none in the JSON', async () => {
  using cli = kanbanCli()
  writeFileSync(join(cli.home, 'config.yaml'), 'kanban: {max_in_progress_per_profile: abc}\n')
  await cli.kanban('init')
  const { out, err } = await cli.kanban('dispatch', '--dry-run', '--json')
  expect(err).toBe("kanban dispatcher: invalid kanban.max_in_progress_per_profile='abc'; ignoring\n")
  expect(Object.keys(JSON.parse(out))).toHaveLength(15)
})

test('dispatch-status shows the settings that apply and why no tick comes by itself', async () => {
  using cli = kanbanCli()
  await cli.create('x', '-a', 'coder')
  expect(await cli.json('dispatch-status')).toMatchObject({
    board: 'default',
    enabled: true,
    dispatching: false,
    why_not: 'the supervisor is not running',
    queue: { ready: 1, running: 0 },
    caps: { max_in_progress: null, max_in_progress_per_profile: null },
    verdict: 'stuck',
  })
})

test('gc removes what was archived long ago, with its history', async () => {
  using cli = kanbanCli()
  const [old, kept] = [await cli.create('old'), await cli.create('kept')]
  await cli.kanban('link', old, kept)
  await cli.kanban('archive', old)
  expect(await cli.json('gc')).toEqual({ tasks: 0, files: 0 })
  expect(await cli.json('gc', '--older', '1ms')).toEqual({ tasks: 1, files: 0 })
  expect((await cli.kanban('show', old)).code).toBe(1)
  expect(await cli.json('show', kept)).toMatchObject({ parents: [], status: 'ready' })
})

const bad: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ['an unknown id', ['show', NO_SUCH], 1, /no task "t_00000000" on board "default"/],
  ['an id that cannot be one', ['complete', '../../etc'], 1, /an id such as t_1a2b3c4d/],
  ['a self-link', ['link', 'A', 'A'], 1, /cannot link .* to itself/],
  ['a cycle', ['link', 'B', 'A'], 1, /would close a cycle: .* -> .* -> /],
  ['an empty title', ['create', ' \t '], 2, /a task needs a title/],
  ['no title', ['create'], 2, /a task needs a title/],
  ['a title that is a page', ['create', 'x'.repeat(501)], 2, /501 characters, more than 500/],
  ['a body of 10 MB', ['create', 'x', '--body', 'x'.repeat(10_000_000)], 2, /10000000 bytes, more than 1000000/],
  ['a NUL in a body', ['create', 'x', '--body', 'a\0b'], 2, /NUL byte/],
  ['an unknown assignee', ['create', 'x', '-a', 'codr'], 3, /did you mean "coder".*--lane/],
  ['an assignee that is no name', ['assign', 'A', '../x'], 2, /is not a valid assignee/],
  ['nobody to assign to', ['assign', 'A'], 2, /name one assignee, or --none/],
  ['a wrong duration', ['create', 'x', '--max-runtime', 'soon'], 2, /--max-runtime must be a duration/],
  ['a duration of nothing', ['create', 'x', '--max-runtime', '0'], 2, /--max-runtime must be a duration/],
  ['a wrong priority', ['create', 'x', '--priority', 'high'], 2, /--priority must be a whole number/],
  ['a wrong limit', ['list', '--limit', '0'], 2, /--limit must be a whole number from 1/],
  ['a wrong status', ['list', '--status', 'finished'], 2, /unknown status "finished"/],
  ['a wrong time', ['schedule', 'A', '--at', 'tomorrow'], 2, /--at must be a time/],
  ['no time', ['schedule', 'A'], 2, /needs --at/],
  ['a workspace that is not there', ['create', 'x', '--workspace', '/no/such/dir'], 2, /is not a directory/],
  ['an unknown parent', ['create', 'x', '--parent', NO_SUCH], 1, /no task/],
  ['an operation from the wrong status', ['unblock', 'A'], 1, /cannot unblock .*: it is ready/],
  ['a promotion against its parents', ['promote', 'B'], 1, /1 of its parents is not done/],
  ['an unknown board', ['list', '--board', 'defualt'], 1, /did you mean "default"/],
  ['a board that is no name', ['list', '--board', '../x'], 1, /is not a valid board name/],
  ['an empty comment', ['comment', 'A', ' '], 2, /a comment must not be empty/],
  ['a day that is none', ['create', 'x', '--at', '2026-02-31'], 2, /--at must be a time/],
  ['a body file that is not there', ['create', 'x', '--body-file', '/no/such'], 2, /cannot read \/no\/such \(ENOENT\)/],
  ['a body file that is a directory', ['create', 'x', '--body-file', '/tmp'], 2, /cannot read \/tmp \(EISDIR\)/],
  ['a body file without end', ['create', 'x', '--body-file', '/dev/zero'], 2, /\/dev\/zero is longer than 1000000/],
  ['an empty idempotency key', ['create', 'x', '--key', ''], 2, /1 to 200 characters, not 0/],
  ['a key that would have to be cut', ['create', 'x', '--key', 'k'.repeat(201)], 2, /1 to 200 characters, not 201/],
  ['an unknown command', ['craete', 'x'], 2, /Did you mean hermes kanban create/],
  ['an unknown option', ['create', 'x', '--prio', '1'], 2, /unknown option/],
  ['a negative --max', ['dispatch', '--max', '-1'], 2, /--max/],
  ['a failure limit of 0', ['dispatch', '--failure-limit', '0'], 2, /--failure-limit must be a whole number from 1/],
]

async function twoTasks(cli: KanbanCli): Promise<(name: string) => string> {
  const a = await cli.create('a')
  const b = await cli.create('b', '--parent', a)
  return (name) => (name === 'A' ? a : name === 'B' ? b : name)
}

test.each(bad)('%s is refused in one line that says what and what next', async (_, args, code, message) => {
  using cli = kanbanCli()
  const named = await twoTasks(cli)
  const before = await cli.json('list')
  const said = await cli.kanban(...args.map(named))
  expect(said.code, said.err).toBe(code)
  expect(said.out).toBe('')
  expect(said.err.replaceAll('\n', ' ')).toMatch(message)
  expect(said.err.length, 'no wall of text').toBeLessThan(500)
  const json = await cli.kanban(...args.map(named), '--json')
  expect(JSON.parse(json.err)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } })
  expect(await cli.json('list')).toEqual(before)
})

test('control characters in a title do not reach the terminal', async () => {
  using cli = kanbanCli()
  const id = await cli.create('red \u001b[31m alert\u0007')
  const { out } = await cli.kanban('list')
  expect(out).toContain('red \\u001b[31m alert\\u0007')
  expect((await cli.kanban('show', id)).out).not.toContain('\u001b')
})

test.each(['ready', 'running'])(
  'nor those that another tool has put into the assignee of a %s task',
  async (status) => {
    using cli = kanbanCli()
    const id = await cli.create('x')
    const board = openDatabase(join(cli.home, 'kanban.db'))
    board.prepare("UPDATE tasks SET status = ?, assignee = 'red' || char(27) || '[31m'").run(status)
    board.close()
    for (const args of [['list'], ['show', id], ['why', id], ['dispatch', '--dry-run'], ['stats'], ['dispatch-status']])
      expect((await cli.kanban(...args)).out, args[0]).not.toContain('\u001b')
  },
)

const damages: readonly (readonly [string, (file: string) => void])[] = [
  [
    'is no database',
    (file) => writeFileSync(file, 'this was a board once, and then somebody wrote over it\n'.repeat(100)),
  ],
  [
    'has lost pages',
    (file) => {
      const bytes = readFileSync(file)
      bytes.fill(0xff, 4096, 3 * 4096)
      writeFileSync(file, bytes)
    },
  ],
]

test('before the first task the questions about a board have the answers of an empty one', async () => {
  using cli = kanbanCli()
  const dispatched = await cli.kanban('dispatch', '--json')
  expect(dispatched).toMatchObject({ code: 0, err: expect.stringMatching(/no board yet/) })
  expect(JSON.parse(dispatched.out)).toEqual(emptyReport())
  expect(await cli.json('dispatch', '--dry-run')).toEqual(emptyReport())
  expect(await cli.json('list')).toEqual([])
  expect(await cli.json('stats')).toMatchObject({ board: 'default', total: 0, running: {} })
  expect(await cli.json('dispatch-status')).toMatchObject({ board: 'default', verdict: 'idle' })
  expect((await cli.kanban('dispatch')).out).toBe('Reclaimed: 0\nPromoted: 0\nSpawned: 0\n')
  expect(readdirSync(cli.home)).not.toContain('kanban.db')
  expect(await cli.kanban('list', '--board', 'other')).toMatchObject({ code: 1 })
})

test.each(damages)('a board whose file %s is set aside, never overwritten', async (_, damage) => {
  using cli = kanbanCli()
  for (let i = 0; i < 5; i++) await cli.create(`task ${i}`)
  const file = join(cli.home, 'kanban.db')
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
  damage(file)
  const damaged = readFileSync(file)
  const said = await cli.kanban('list')
  expect(said.code).toBe(1)
  expect(said.err).toMatch(/is damaged; its file was set aside as .*kanban\.db\.corrupt-/)
  const aside = readdirSync(cli.home).filter((name) => /^kanban\.db\.corrupt-[^-]+$/.test(name))
  expect(aside).toHaveLength(1)
  expect(readFileSync(join(cli.home, aside[0] ?? '')).equals(damaged)).toBe(true)
  expect(existsSync(file)).toBe(false)
  expect((await cli.kanban('list')).err).toMatch(/no board "default"/)
  expect((await cli.kanban('init')).code).toBe(0)
  expect(await cli.json('list')).toEqual([])
})

test('another board works on while one is damaged', async () => {
  using cli = kanbanCli()
  await cli.kanban('init')
  await cli.kanban('boards', 'create', 'side')
  await cli.create('fine', '--board', 'side')
  writeFileSync(join(cli.home, 'kanban.db'), 'x'.repeat(5000))
  const boards = await cli.json<{ board: string; problem?: string }[]>('boards', 'list')
  expect(boards.map(({ board, problem }) => [board, problem === undefined])).toEqual([
    ['default', false],
    ['side', true],
  ])
  expect(await cli.json('list', '--board', 'side')).toHaveLength(1)
})
