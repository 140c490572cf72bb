// The board with the real programs: init, supervisor, dispatcher, workers.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createTask } from '../../../src/kanban/sqlite/changes.ts'
import { requireTask } from '../../../src/kanban/sqlite/queries.ts'
import type { Tables } from '../../../src/kanban/sqlite/tables.ts'
import { takeTickLock } from '../../../src/kanban/sqlite/tick-lock.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { hermes as hermesCommand } from '../../support/cli.ts'
import { startDashboard } from '../../support/dashboard/dashboard.ts'
import { startUpstream } from '../../support/dashboard/openai-upstream.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { waitFor } from '../../support/wait.ts'

const agent = join(import.meta.dirname, '../../support/programs/kanban-agent')
const PROFILES = ['alpha', 'beta', 'gamma'] as const
const CAP = 2
const actor = () => ({ name: 'test', wallMs: Date.now() })

interface Stage extends AsyncDisposable {
  readonly home: string
  readonly board: Tables
  readonly journal: string
  start(): Promise<RunningHermes>
}

/** A home with three profiles whose agent works for `seconds`, and a board that runs two of each at a time. */
function stage(seconds: string): Stage {
  const home = quickDir('hermes-board-run-')
  const journal = join(home, 'journal')
  writeFileSync(journal, '')
  writeFileSync(
    join(home, 'config.yaml'),
    JSON.stringify({
      gateway: { command: ['sleep', '100000'] },
      kanban: {
        max_in_progress_per_profile: CAP,
        dispatch_interval_seconds: 1,
        failure_limit: 5,
        default_assignee: 'gamma',
      },
    }),
  )
  for (const name of PROFILES) {
    mkdirSync(join(home, 'profiles', name), { recursive: true })
    const config = {
      gateway: { command: ['sleep', '100000'] },
      agent: { command: [agent, journal, seconds, '{task}'] },
    }
    writeFileSync(join(home, 'profiles', name, 'config.yaml'), JSON.stringify(config))
  }
  const board = openTables(boardPlace(home, 'default'), { mode: 'create', warn: () => undefined })
  return {
    home,
    board,
    journal,
    start: () => startHermes({ profiles: [], home, keepHome: true }),
    async [Symbol.asyncDispose]() {
      board.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** Living workers by profile, from the process table. */
function workers(journal: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      if (!argv.includes(agent) || !argv.includes(journal)) continue
      // A fork of the worker that has not become `sleep` yet looks like a second one; workers lead their process group.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2] !== pid) continue
      const profile = /(?:^|\0)HERMES_PROFILE=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1] ?? '?'
      counts.set(profile, (counts.get(profile) ?? 0) + 1)
    } catch {
      // It has ended since.
    }
  }
  return counts
}

/**
 * Kills a worker that has not written down the end of its task. It is stopped first: one that is killed between that
 * line and its own end has done the task, which the board cannot know.
 * @returns false: it has ended, or is about to
 */
async function killedAtWork(pid: number, task: string, journal: string): Promise<boolean> {
  const state = (): string => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? ''
    } catch {
      return 'gone'
    }
  }
  try {
    process.kill(pid, 'SIGSTOP')
    await waitFor('the worker to be stopped', () => ['T', 'Z', 'X', 'gone'].includes(state()))
    const isAtWork = state() === 'T' && !journalLines(journal).some(([kind, id]) => kind === 'end' && id === task)
    process.kill(pid, isAtWork ? 'SIGKILL' : 'SIGCONT')
    return isAtWork
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false
  }
}

const journalLines = (journal: string): string[][] =>
  readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '))

const dispatcherLog = ({ home }: Stage): string =>
  readFileSync(join(home, 'logs', 'helpers', 'dispatcher', 'current'), 'utf8')

const count = (board: Tables, status: string): number =>
  board.get<{ n: number }>('SELECT count(*) AS n FROM tasks WHERE status = ?', status)?.n ?? -1

/** The most tasks of one profile that the events say were running at once. */
function mostAtOnce(board: Tables): number {
  const running = new Map<string, string>()
  let most = 0
  for (const { kind, task_id, payload } of board.all<{ kind: string; task_id: string; payload: string }>(
    'SELECT kind, task_id, payload FROM events ORDER BY id',
  )) {
    if (kind === 'claimed') running.set(task_id, (JSON.parse(payload) as { assignee: string }).assignee)
    else if (['completed', 'crashed', 'reclaimed', 'timed_out', 'stale', 'rate_limited', 'spawn_failed'].includes(kind))
      running.delete(task_id)
    for (const profile of PROFILES) most = Math.max(most, [...running.values()].filter((one) => one === profile).length)
  }
  return most
}

test('the dispatcher comes up with the first board, and a task without an assignee is done', {
  timeout: 300_000,
}, async () => {
  await using s = stage('0.01')
  await using hermes = await s.start()
  const { id } = createTask(s.board, { title: 'say hello' }, actor()).task
  await waitFor('the task to be done', () => requireTask(s.board, id).status === 'done', { deadlineMs: 60_000 })
  expect(requireTask(s.board, id)).toMatchObject({ assignee: 'gamma', result: 'did: say hello', failures: 0 })
  expect(await hermes.slot('dispatcher')).toMatchObject({ state: 'up', ready: true })
  for (const line of [
    " kanban dispatcher: default_assignee='gamma' (unassigned ready tasks will route to this profile)\n",
    ' kanban dispatcher: max_in_progress_per_profile=2\n',
  ])
    await waitFor('its first lines', () => dispatcherLog(s).includes(line) || dispatcherLog(s))
  await waitFor(
    'the job to be forgotten',
    async () => !(await hermes.status()).slots.some(({ slot }) => slot.startsWith('job-')),
  )
  expect(readFileSync(join(s.home, 'kanban', 'logs', `${id}.log`), 'utf8')).toMatch(/^\S+Z did: say hello\n$/)
  expect(hermes.stdout()).not.toContain('did: say hello')
  expect(await hermes.stop()).toBe(0)
})

test('200 tasks with links and priorities: every one is done once, in order, and no cap is ever passed; killed workers and supervisors included', {
  timeout: 400_000,
}, async () => {
  await using s = stage('0.05')
  const ids: string[] = []
  s.board.write(() => {
    for (let i = 0; i < 200; i++) {
      const parents = i % 5 === 4 ? [ids[i - 1] ?? '', ids[i - 3] ?? ''] : []
      const task = { title: `task ${i}`, assignee: PROFILES[i % 3] ?? 'alpha', priority: i % 4, parents }
      ids.push(createTask(s.board, task, actor()).task.id)
    }
  })
  await using hermes = await s.start()
  let most = 0
  let supervisorKills = 0
  let workerKills = 0
  await waitFor(
    'all tasks to be done',
    async () => {
      for (const n of workers(s.journal).values()) most = Math.max(most, n)
      const done = count(s.board, 'done')
      if (supervisorKills < 3 && done > 40 * (supervisorKills + 1)) {
        supervisorKills += 1
        process.kill(await hermes.supervisorPid(), 'SIGKILL')
      }
      if (workerKills < 3 && done > 30 * (workerKills + 1)) {
        const victim = s.board.get<{ id: string; worker_pid: number }>(
          "SELECT id, worker_pid FROM tasks WHERE status = 'running' AND worker_pid IS NOT NULL",
        )
        if (victim && (await killedAtWork(victim.worker_pid, victim.id, s.journal))) workerKills += 1
      }
      return done === 200 && 'done'
    },
    { deadlineMs: 300_000 },
  )
  expect(supervisorKills).toBe(3)
  expect(workerKills).toBe(3)
  expect(most).toBeGreaterThan(0)
  expect(most, 'by the process table').toBeLessThanOrEqual(CAP)
  expect(mostAtOnce(s.board), 'by the events').toBe(CAP)
  const ends = journalLines(s.journal).filter(([kind]) => kind === 'end')
  expect(ends.map(([, task]) => task).sort()).toEqual([...ids].sort())
  const others = s.board.all<{ outcome: string; error: string }>(
    "SELECT outcome, error FROM runs WHERE outcome <> 'completed'",
  )
  const seen = others.map(({ outcome, error }) => `${outcome}: ${error}`).join('\n')
  expect(others.filter(({ outcome }) => outcome === 'crashed').length, seen).toBeLessThanOrEqual(3)
  // A start whose answer died with a supervisor, and that had not begun.
  expect(
    others.every(({ outcome }) => outcome === 'crashed' || outcome === 'reclaimed'),
    seen,
  ).toBe(true)
  // Within a profile, what was ready when the first tick looked went by priority, then age.
  const claims = s.board
    .all<{ task_id: string }>("SELECT task_id FROM events WHERE kind = 'claimed' ORDER BY id")
    .map(({ task_id }) => task_id)
  for (const profile of PROFILES) {
    const free = ids.filter((_, i) => i % 5 !== 4 && PROFILES[i % 3] === profile)
    const wanted = [...free].sort(
      (a, b) => (ids.indexOf(b) % 4) - (ids.indexOf(a) % 4) || ids.indexOf(a) - ids.indexOf(b),
    )
    expect(
      [...new Set(claims)].filter((id) => free.includes(id)),
      profile,
    ).toEqual(wanted)
  }
  expect(await hermes.stop()).toBe(0)
})

test('a restart of everything in the middle loses nothing, counts no failure, and runs nothing twice to its end', {
  timeout: 300_000,
}, async () => {
  await using s = stage('1')
  const ids = Array.from(
    { length: 12 },
    (_, i) => createTask(s.board, { title: `task ${i}`, assignee: PROFILES[i % 3] ?? 'alpha' }, actor()).task.id,
  )
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await using hermes = await s.start()
    await waitFor('work to be under way', () => workers(s.journal).size > 0 && count(s.board, 'running') > 0, {
      deadlineMs: 60_000,
    })
    await hermes.stop(signal)
    await waitFor('every worker to be gone', () => workers(s.journal).size === 0, { deadlineMs: 30_000 })
  }
  await using hermes = await s.start()
  await waitFor('all tasks to be done', () => count(s.board, 'done') === ids.length, { deadlineMs: 120_000 })
  const ends = journalLines(s.journal).filter(([kind]) => kind === 'end')
  expect(new Set(ends.map(([, task]) => task)).size).toBe(ids.length)
  expect(s.board.all("SELECT id FROM events WHERE kind IN ('crashed', 'timed_out', 'spawn_failed')")).toEqual([])
  expect(s.board.all('SELECT id FROM tasks WHERE failures > 0')).toEqual([])
  expect(s.board.get<{ n: number }>("SELECT count(*) AS n FROM runs WHERE outcome = 'reclaimed'")?.n).toBeGreaterThan(0)
  expect(await hermes.stop()).toBe(0)
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'work whose result was not taken yet when %s ended everything is done, and not done again',
  {
    timeout: 300_000,
  },
  async (signal) => {
    await using s = stage('0.01')
    // Only this test dispatches, so results wait.
    writeFileSync(
      join(s.home, 'config.yaml'),
      JSON.stringify({ gateway: { command: ['sleep', '100000'] }, kanban: { dispatch_in_gateway: false } }),
    )
    const dispatch = () => hermesCommand(['kanban', 'dispatch', '--json'], { home: s.home })
    const ids = PROFILES.map((assignee) => createTask(s.board, { title: `for ${assignee}`, assignee }, actor()).task.id)
    {
      await using hermes = await s.start()
      expect(JSON.parse((await dispatch()).stdout).spawned).toHaveLength(ids.length)
      await waitFor(
        'every worker to have ended',
        async () => {
          const jobs = (await hermes.status()).slots.filter(({ slot }) => slot.startsWith('job-'))
          return jobs.length === ids.length && jobs.every(({ state }) => state === 'down')
        },
        { deadlineMs: 60_000 },
      )
      await hermes.stop(signal)
    }
    await using hermes = await s.start()
    expect(JSON.parse((await dispatch()).stdout)).toMatchObject({ reclaimed: 0, spawned: [] })
    for (const id of ids)
      expect(requireTask(s.board, id)).toMatchObject({ status: 'done', result: expect.stringMatching(/^did: for /) })
    expect(journalLines(s.journal).filter(([kind]) => kind === 'begin')).toHaveLength(ids.length)
    expect(readdirSync(join(s.home, 'kanban', 'results'))).toEqual([])
    expect(await hermes.stop()).toBe(0)
  },
)

test('a change while another dispatcher held the board is dispatched when that one lets go, and not in an hour', {
  timeout: 300_000,
}, async () => {
  await using s = stage('0.01')
  const kanban = { dispatch_interval_seconds: 3600 }
  writeFileSync(join(s.home, 'config.yaml'), JSON.stringify({ gateway: { command: ['sleep', '100000'] }, kanban }))
  await using hermes = await s.start()
  const done = (id: string) => () => requireTask(s.board, id).status === 'done'
  const { id: first } = createTask(s.board, { title: 'first', assignee: 'alpha' }, actor()).task
  await waitFor('the first tick', done(first), { deadlineMs: 60_000 })
  const lock = await takeTickLock(s.board.place, systemClock(), 30_000)
  const { id } = createTask(s.board, { title: 'second', assignee: 'alpha' }, actor()).task
  await waitFor(
    'the dispatcher to be locked out',
    () => /board default: another dispatcher holds it; asking again\n/.test(hermes.stdout()),
    { deadlineMs: 30_000 },
  )
  expect(requireTask(s.board, id).status).toBe('ready')
  lock?.release()
  await waitFor('the second task', done(id), { deadlineMs: 30_000 })
  expect(await hermes.stop()).toBe(0)
})

test('a board that was put in the place of another one is dispatched', { timeout: 300_000 }, async () => {
  await using s = stage('0.01')
  await using hermes = await s.start()
  const { id: first } = createTask(s.board, { title: 'on the old board', assignee: 'alpha' }, actor()).task
  await waitFor('the first task', () => requireTask(s.board, first).status === 'done', { deadlineMs: 60_000 })
  s.board.close()
  // In one moment to the dispatcher: of two files of one board, it must not find one of each.
  const dispatcher = (await hermes.slot('dispatcher'))?.pid ?? expect.fail('it is up')
  process.kill(dispatcher, 'SIGSTOP')
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(s.home, `kanban.db${suffix}`), { force: true })
  const board = openTables(boardPlace(s.home, 'default'), { mode: 'create', warn: () => undefined })
  process.kill(dispatcher, 'SIGCONT')
  try {
    const { id } = createTask(board, { title: 'on the new board', assignee: 'alpha' }, actor()).task
    await waitFor('the second task', () => requireTask(board, id).status === 'done', { deadlineMs: 30_000 })
    expect(board.all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  } finally {
    board.close()
  }
  expect(await hermes.stop()).toBe(0)
})

test('a profile at work is counted once, and is its gateway and not its worker', { timeout: 300_000 }, async () => {
  await using s = stage('100')
  await using hermes = await s.start()
  createTask(s.board, { title: 'long', assignee: 'alpha' }, actor())
  await waitFor('its worker', () => workers(s.journal).get('alpha') === 1, { deadlineMs: 60_000 })
  const gateways = ['gateway-alpha', 'gateway-beta', 'gateway-default', 'gateway-gamma']
  const { slots } = await hermes.status()
  const worker = slots.find(({ slot }) => slot.startsWith('job-'))
  expect(worker).toMatchObject({ profile: 'alpha', state: 'up' })
  await using dashboard = await startDashboard(hermes)
  const get = async (path: string) => (await dashboard.asPage(path)).json()
  expect((await get('/api/status')).profiles).toMatchObject({ total: 4 })
  const { profiles } = await get('/api/profiles')
  expect(profiles.map(({ slot }: { slot: { slot: string } }) => slot.slot).sort()).toEqual(gateways)
  const cli = async (...args: string[]) =>
    JSON.parse(
      (await hermesCommand([...args, '--json'], { home: s.home, env: { HERMES_RUN_DIR: hermes.runDir } })).stdout,
    )
  const slotsOf = (found: readonly { slot: string }[]) => found.map(({ slot }) => slot).sort()
  expect(slotsOf(await cli('gateway', 'status', '--all'))).toEqual(gateways)
  expect(slotsOf(await cli('gateway', 'restart', '--all'))).toEqual(gateways)
  expect((await hermes.slot(worker?.slot ?? ''))?.pid).toBe(worker?.pid)
})

test('deleting a profile stops its workers and gives their tasks back to the board; those of others go on', {
  timeout: 300_000,
}, async () => {
  await using s = stage('100')
  await using hermes = await s.start()
  const [alpha, beta] = ['alpha', 'beta'].map(
    (assignee) => createTask(s.board, { title: `for ${assignee}`, assignee }, actor()).task.id,
  ) as [string, string]
  await waitFor('a worker of each', () => ['alpha', 'beta'].every((name) => workers(s.journal).get(name) === 1), {
    deadlineMs: 60_000,
  })
  const env = { HERMES_RUN_DIR: hermes.runDir }
  const { code, stdout, stderr } = await hermesCommand(['profile', 'delete', 'alpha'], {
    home: s.home,
    env,
    input: 'alpha\n',
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain(`stopped its worker on ${alpha}; the tasks are back on the board`)
  expect(workers(s.journal).get('alpha')).toBeUndefined()
  expect(workers(s.journal).get('beta')).toBe(1)
  expect(requireTask(s.board, alpha)).toMatchObject({ status: 'ready', currentRun: null, failures: 0 })
  expect(requireTask(s.board, beta).status).toBe('running')
  expect(
    s.board.get<{ error: string }>('SELECT error FROM runs WHERE task_id = ? ORDER BY id DESC', alpha)?.error,
  ).toBe('its profile "alpha" was deleted')
  // A tick later nothing has come back.
  await hermesCommand(['kanban', 'dispatch'], { home: s.home, env })
  expect(readdirSync(join(s.home, 'profiles')).filter((name) => name.includes('alpha'))).toEqual([])
  expect((await hermes.status()).slots.filter(({ profile }) => profile === 'alpha')).toEqual([])
})

test('a damaged board is set aside and reported; the others are dispatched', { timeout: 300_000 }, async () => {
  await using s = stage('0.01')
  const side = openTables(boardPlace(s.home, 'side'), { mode: 'create', warn: () => undefined })
  try {
    const { id } = createTask(side, { title: 'on another board', assignee: 'alpha' }, actor()).task
    s.board.close()
    for (const suffix of ['-wal', '-shm']) rmSync(join(s.home, `kanban.db${suffix}`), { force: true })
    writeFileSync(join(s.home, 'kanban.db'), 'no board any more '.repeat(1000))
    await using hermes = await s.start()
    await waitFor('the task to be done', () => requireTask(side, id).status === 'done', { deadlineMs: 60_000 })
    const says = / kanban: the board "default" is damaged; its file was set aside as .*, nothing was overwritten\n/
    await waitFor('the other one to be reported', () => says.test(dispatcherLog(s)))
    const aside = readdirSync(s.home).filter((name) => name.startsWith('kanban.db.corrupt-'))
    expect(aside).toHaveLength(1)
    expect(readFileSync(join(s.home, aside[0] ?? ''), 'utf8')).toBe('no board any more '.repeat(1000))
    expect(await hermes.stop()).toBe(0)
  } finally {
    side.close()
  }
})

test('a profile without agent.command is answered by its model; a rate limit does not count as a failure', {
  timeout: 300_000,
}, async () => {
  await using s = stage('0.01')
  await using upstream = await startUpstream({ do: 'answer', pieces: ['All', ' done.'] })
  const openai = { base_url: upstream.baseUrl, model: 'test', api_key_env: 'TEST_KEY' }
  const config = (kind: object) => JSON.stringify({ gateway: { command: ['sleep', '100000'] }, agent: kind })
  writeFileSync(join(s.home, 'profiles', 'alpha', 'config.yaml'), config({ openai }))
  writeFileSync(join(s.home, 'profiles', 'alpha', '.env'), 'TEST_KEY=a-secret-key\n')
  await using hermes = await s.start()
  const { id } = createTask(s.board, { title: 'Say hello', body: 'in a word', assignee: 'alpha' }, actor()).task
  await waitFor('the task to be done', () => requireTask(s.board, id).status === 'done', { deadlineMs: 60_000 })
  expect(requireTask(s.board, id).result).toBe('All done.')
  expect(upstream.requests.at(-1)?.body.messages.at(-1)).toMatchObject({
    role: 'user',
    content: 'Say hello\n\nin a word',
  })
  upstream.behave({ do: 'refuse', status: 429, error: { message: 'slow down', type: 'rate_limit' } })
  const limited = createTask(s.board, { title: 'once more', assignee: 'alpha' }, actor()).task
  await waitFor('the pause', () => requireTask(s.board, limited.id).pausedUntilMs !== null, { deadlineMs: 60_000 })
  expect(requireTask(s.board, limited.id)).toMatchObject({ status: 'ready', failures: 0 })
  expect(await hermes.stop()).toBe(0)
})

test('a worker over its max runtime that ignores TERM is killed, with what it started', {
  timeout: 300_000,
}, async () => {
  await using s = stage('0.01')
  const mark = `31415${process.pid}`
  const stubborn = ['sh', '-c', `trap '' TERM; sleep ${mark} & wait; wait`]
  writeFileSync(join(s.home, 'profiles', 'alpha', 'config.yaml'), JSON.stringify({ agent: { command: stubborn } }))
  await using hermes = await s.start()
  const input = { title: 'never ends', assignee: 'alpha', maxRuntimeMs: 1000, maxRetries: 1 }
  const { id } = createTask(s.board, input, actor()).task
  await waitFor('the task to be blocked', () => requireTask(s.board, id).status === 'blocked', { deadlineMs: 60_000 })
  expect(requireTask(s.board, id)).toMatchObject({ failures: 1, lastError: 'it ran longer than its 1 s' })
  const left = (): string[] =>
    readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark)
      } catch {
        return false // it has ended since
      }
    })
  // KILL has been sent to all of them.
  await waitFor('each process of it to be gone', () => left().length === 0)
  expect(await hermes.stop()).toBe(0)
})
