// Two nodes with one board in PostgreSQL: init, supervisor, dispatcher and workers of each are the real programs.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VERSION } from '../../../src/kanban/postgres/schema.ts'
import { readProcess } from '../../../src/system/programs/proc.ts'
import { hermes as command, type Ran } from '../../support/cli.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { type CutLine, cutLine } from '../../support/kanban/cut-line.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { freePort } from '../../support/port.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()
const LONG = { timeout: 300_000 }
const DEADLINE = { deadlineMs: 120_000 }

/** Does not obey TERM, says that it lives, and ends well once the file `end` is there. */
const STUBBORN = `trap '' TERM; while [ ! -e "$HERMES_HOME/end" ]; do date +%s%3N >"$HERMES_HOME/beat"; sleep 0.02; done
echo "$HERMES_KANBAN_TASK" >>"$HERMES_HOME/done"`

interface Stage extends AsyncDisposable {
  readonly home: string
  readonly line: CutLine
  start(): Promise<RunningHermes>
  kanban(...args: readonly string[]): Promise<Ran>
  log(): string
  /** Unix ms of the worker's last sign of life. */
  beat(): number
}

describe.skipIf(why !== undefined)(`nodes with one board (${why ?? 'PostgreSQL of our own'})`, () => {
  let server: PostgresServer
  let port: number
  beforeAll(async () => {
    port = await freePort()
    server = await startPostgres({ tcp: { host: '127.0.0.1', port, password: 'hush' } })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  const made: string[] = []
  const database = (): string => {
    const name = `nodes_${made.length}`
    made.push(name)
    server.psql(`CREATE DATABASE ${name}`)
    return name
  }
  const sql = (database: string, text: string): string => server.psqlIn(database, text).trim()

  /** A node with a profile of its name, in a home of its own, behind a line of its own. */
  const stage = async (
    database: string,
    name: string,
    from?: string,
    rules: Readonly<Record<string, unknown>> = {},
  ): Promise<Stage> => {
    const home = quickDir(`hermes-${name}-`)
    if (from !== undefined) cpSync(join(from, 'node.id'), join(home, 'node.id'))
    const line = await cutLine(port)
    const gateway = { command: ['sleep', '100000'] }
    const kanban = { dispatch_interval_seconds: 1, node_lease: '6s', ...rules }
    writeFileSync(join(home, 'config.yaml'), JSON.stringify({ gateway, kanban }))
    const agent = { command: ['sh', '-c', STUBBORN] }
    const env = {
      HERMES_KANBAN_DATABASE: `postgres://postgres:hush@127.0.0.1:${line.port}/${database}`,
      HERMES_NODE: name,
    }
    const running: RunningHermes[] = []
    return {
      home,
      line,
      async start() {
        const profiles = [{ name, gateway, agent, desired: 'running' } as const]
        const hermes = await startHermes({ profiles, home, keepHome: true, env })
        running.push(hermes)
        await waitFor('the dispatcher', async () => (await hermes.slot('dispatcher'))?.ready === true, DEADLINE)
        return hermes
      },
      kanban: (...args) => command(['kanban', ...args], { home }),
      log: () => {
        const file = join(home, 'logs', 'helpers', 'dispatcher', 'current')
        return existsSync(file) ? readFileSync(file, 'utf8') : ''
      },
      beat: () => Number(readFileSync(join(home, 'beat'), 'utf8')) || 0,
      async [Symbol.asyncDispose]() {
        writeFileSync(join(home, 'end'), '')
        for (const hermes of running) await hermes[Symbol.asyncDispose]()
        await line[Symbol.asyncDispose]()
        rmSync(home, { recursive: true, force: true })
      },
    }
  }
  const holdsLease = (database: string, name: string): Promise<unknown> =>
    waitFor(
      `${name} to have its lease`,
      () =>
        sql(
          database,
          `SELECT lease_until > extract(epoch FROM clock_timestamp()) * 1000 FROM hermes.nodes WHERE name = '${name}'`,
        ) === 't',
      DEADLINE,
    )
  const create = async (on: Stage, ...args: readonly string[]): Promise<string> => {
    const { code, stdout } = await on.kanban('create', 'work', '--lane', ...args, '--json')
    expect(code).toBe(0)
    return String(JSON.parse(stdout).id)
  }
  const shown = async (
    on: Stage,
    id: string,
  ): Promise<{ readonly status: string; readonly runs: readonly { outcome: string; error: string | null }[] }> =>
    JSON.parse((await on.kanban('show', id, '--json')).stdout)
  const until = (on: Stage, id: string, status: string): Promise<unknown> =>
    waitFor(`${id} to be ${status}`, async () => (await shown(on, id)).status === status, DEADLINE)
  const beating = (on: Stage): Promise<unknown> =>
    waitFor('the worker to run', () => existsSync(join(on.home, 'beat')) && on.beat() > 0, DEADLINE)

  test('two dispatchers make one task for each time of a routine, and leave none out', LONG, async () => {
    const db = database()
    await using a = await stage(db, 'a')
    await using b = await stage(db, 'b')
    await using _ = await a.start()
    await using __ = await b.start()
    for (const name of ['a', 'b']) await holdsLease(db, name)
    const every = ['--cron', '* * * * * *', '--catch-up', 'all', '--title', 'tick']
    expect(await a.kanban('routine', 'create', 'second', ...every)).toMatchObject({ code: 0 })
    const times = (): readonly number[] =>
      sql(db, "SELECT substr(idempotency_key, 16) FROM hermes_default.tasks WHERE title = 'tick' ORDER BY 1")
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => Date.parse(line))
    await waitFor('tasks', () => times().length >= 12, DEADLINE)
    expect(await b.kanban('routine', 'pause', 'second')).toMatchObject({ code: 0 })
    const found = times()
    const [first = Number.NaN] = found
    expect(found).toEqual(found.map((_, at) => first + at * 1000))
  })

  test(
    'a node whose database is gone ends its workers before its lease does, keeps its gateways, and comes back by itself',
    LONG,
    async () => {
      const db = database()
      await using a = await stage(db, 'a')
      await using b = await stage(db, 'b')
      await using _ = await a.start()
      await using hermes = await b.start()
      for (const name of ['a', 'b']) await holdsLease(db, name)
      const id = await create(a, '--assignee', 'b')
      await beating(b)
      const gateway = (await hermes.slot('gateway-b'))?.pid

      b.line.cut()
      await until(a, id, 'ready')
      const lastBeatMs = b.beat()
      const leaseUntilMs = Number(sql(db, "SELECT lease_until FROM hermes.nodes WHERE name = 'b'"))
      const marginMs = leaseUntilMs - lastBeatMs
      console.log(`the last sign of life of the worker came ${marginMs} ms before the end of the lease`)
      expect(marginMs).toBeGreaterThan(0)
      expect(await shown(a, id)).toMatchObject({
        runs: [
          { outcome: 'reclaimed', error: expect.stringMatching(/^node b has not been heard of for \d+ (s|min)$/) },
        ],
      })
      expect((await hermes.slot('gateway-b'))?.pid).toBe(gateway)
      expect(readFileSync(join(b.home, 'logs', 'supervisor.log'), 'utf8')).toMatch(
        /a worker is ended before other nodes/,
      )
      const answer = await a.kanban('why', id)
      expect(answer.stdout).toMatch(
        /waits for node b, which has the profile "b" and has not been heard of for \d+ (s|min)/,
      )

      b.line.join()
      await until(a, id, 'running')
      writeFileSync(join(b.home, 'end'), '')
      await until(a, id, 'done')
      expect(readFileSync(join(b.home, 'done'), 'utf8').trim().split('\n')).toEqual([id])
      expect((await hermes.slot('gateway-b'))?.pid).toBe(gateway)
    },
  )

  test(
    'a node that was paused longer than its lease ends the workers of before, and starts the task again',
    LONG,
    async () => {
      const db = database()
      await using a = await stage(db, 'a')
      await using b = await stage(db, 'b')
      await using _ = await a.start()
      await using hermes = await b.start()
      for (const name of ['a', 'b']) await holdsLease(db, name)
      const [id, once] = [await create(a, '--assignee', 'b'), await create(a, '--assignee', 'b', '--once')]
      for (const one of [id, once]) await until(a, one, 'running')
      await beating(b)
      const all = tree(hermes.init.pid ?? 0)
      signalAll(all, 'SIGSTOP')
      await until(a, id, 'ready')
      await until(a, once, 'blocked')
      signalAll(all.reverse(), 'SIGCONT')
      await waitFor('the second run', async () => (await shown(a, id)).runs.length >= 2, DEADLINE)
      const old = await waitFor(
        'the first run to have no process',
        async () => (await hermes.status()).slots.every(({ slot, state }) => !slot.endsWith('-1') || state === 'down'),
        DEADLINE,
      )
      expect(old).toBe(true)
      writeFileSync(join(b.home, 'end'), '')
      await until(a, id, 'done')
      expect(await shown(a, once)).toMatchObject({ status: 'blocked', runs: [{ outcome: 'reclaimed' }] })
      const completed = sql(
        db,
        `SELECT count(*) FROM hermes_default.events WHERE kind = 'completed' AND task_id = '${id}'`,
      )
      expect(completed).toBe('1')
    },
  )

  test(
    'a node that is killed and started again goes on at once, and a copy of its volume is refused',
    LONG,
    async () => {
      const db = database()
      await using b = await stage(db, 'b')
      const first = await b.start()
      await holdsLease(db, 'b')
      const id = await create(b, '--assignee', 'b')
      await beating(b)
      signalAll(tree(first.init.pid ?? 0).reverse(), 'SIGKILL')
      await first.exit()
      rmSync(join(b.home, 'beat'))
      await using second = await b.start()
      await waitFor('the second run', async () => (await shown(b, id)).runs.length === 2, DEADLINE)
      expect(await shown(b, id)).toMatchObject({ runs: [{}, { outcome: 'reclaimed' }] })
      await beating(b)

      await using copy = await stage(db, 'b', b.home)
      await using _ = await copy.start()
      await waitFor('the copy to be refused', () => /another node lives that has the id/.test(copy.log()), DEADLINE)
      expect(sql(db, 'SELECT count(*) FROM hermes.nodes WHERE rival IS NOT NULL')).toBe('1')
      expect(
        (await second.status()).slots.filter(({ slot, state }) => slot.startsWith('job-') && state !== 'down'),
      ).toHaveLength(1)
      expect((await copy.kanban('list')).code).toBe(0)
      mkdirSync(join(copy.home, 'kanban'), { recursive: true })
      expect(readdirSync(join(copy.home, 'kanban'))).not.toContain('results')
      writeFileSync(join(b.home, 'end'), '')
      await until(b, id, 'done')
    },
  )

  test('a dispatcher accepts a default assignee of another node, and its task is done there', LONG, async () => {
    const db = database()
    await using a = await stage(db, 'a')
    await using b = await stage(db, 'b', undefined, { default_assignee: 'a' })
    await using _a = await a.start()
    const { code, stdout } = await a.kanban('create', 'work', '--json')
    expect(code).toBe(0)
    await waitFor(
      'the profile on the board',
      () => sql(db, "SELECT count(*) FROM hermes.profiles WHERE name = 'a'") === '1',
      DEADLINE,
    )
    await using _b = await b.start()
    const note = "default_assignee='a' (unassigned ready tasks will route to this profile)"
    await waitFor('the start-up line', () => b.log().includes(note), DEADLINE)
    expect(b.log()).not.toContain('names no profile')
    writeFileSync(join(a.home, 'end'), '')
    await until(b, String(JSON.parse(stdout).id), 'done')
  })

  test(
    'a dispatcher whose board a newer version has changed says so once, and starts nothing until it is back',
    LONG,
    async () => {
      const db = database()
      await using b = await stage(db, 'b')
      writeFileSync(join(b.home, 'end'), '')
      await using _ = await b.start()
      await until(b, await create(b, '--assignee', 'b'), 'done')
      sql(db, `UPDATE hermes.boards SET schema_version = ${VERSION + 1}`)
      const says = `the board "default" has schema generation ${VERSION + 1}; this version supports ${VERSION}`
      const inLog = (): number => b.log().split(says).length - 1
      await waitFor('the dispatcher to say so', () => inLog() > 0, DEADLINE)
      const read = await b.kanban('list')
      expect([read.code, read.stderr]).toEqual([0, `hermes: warning: ${says}; it is only read\n`])
      const written = await b.kanban('create', 'more')
      expect([written.code, written.stderr]).toEqual([
        1,
        `hermes: ${says}\n  next: use the version that wrote it, or a newer one\n`,
      ])

      // A task that the newer version makes waits for it; each look at the board asks for its generation.
      sql(
        db,
        `INSERT INTO hermes_default.tasks (id, title, assignee, status, created_at)
       VALUES ('t_0000beef', 'new', 'b', 'ready', ${Date.now()})`,
      )
      const now = (): number => Number(sql(db, 'SELECT extract(epoch FROM clock_timestamp()) * 1000'))
      const asks = "query LIKE 'SELECT schema_version FROM hermes.boards%'"
      for (let look = 0; look < 3; look++) {
        const sinceMs = now()
        const asked = `SELECT count(*) FROM pg_stat_activity WHERE ${asks} AND query_start > to_timestamp(${sinceMs / 1000})`
        await waitFor('the dispatcher to look', () => sql(db, asked) !== '0', DEADLINE)
      }
      expect(inLog()).toBe(1)
      const backAtMs = now()
      sql(db, `UPDATE hermes.boards SET schema_version = ${VERSION}`)
      await until(b, 't_0000beef', 'done')
      const startedAtMs = Number(sql(db, "SELECT started_at FROM hermes_default.runs WHERE task_id = 't_0000beef'"))
      expect(startedAtMs).toBeGreaterThanOrEqual(Math.floor(backAtMs))
    },
  )

  test('a supervisor that is killed while the database is away ends the workers all the same', LONG, async () => {
    const db = database()
    // Long enough for a supervisor to start again on a busy machine.
    await using b = await stage(db, 'b', undefined, { node_lease: '20s' })
    await using hermes = await b.start()
    await holdsLease(db, 'b')
    const id = await create(b, '--assignee', 'b')
    await beating(b)
    b.line.cut()
    process.kill(await hermes.supervisorPid(), 'SIGKILL')
    const dispatcher = (await hermes.slot('dispatcher'))?.pid
    if (dispatcher !== undefined) process.kill(dispatcher, 'SIGSTOP')
    await waitFor(
      'the worker to be ended',
      async () =>
        (await hermes.status()).slots.every(({ slot, state }) => !slot.startsWith('job-') || state === 'down'),
      DEADLINE,
    )
    const leaseUntilMs = Number(sql(db, "SELECT lease_until FROM hermes.nodes WHERE name = 'b'"))
    expect(leaseUntilMs - b.beat()).toBeGreaterThan(0)
    if (dispatcher !== undefined) process.kill(dispatcher, 'SIGCONT')
    b.line.join()
    writeFileSync(join(b.home, 'end'), '')
    await until(b, id, 'done')
  })
})

/** Signals each process that still lives: programs of a worker may have ended since they were seen. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** A process and everything below it. */
function tree(root: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const found = /^\d+$/.test(entry) ? readProcess(Number(entry)) : undefined
    if (found !== undefined) parents.set(found.pid, found.ppid)
  }
  const below = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
      if (at === root) return true
    return false
  }
  return [...parents.keys()].filter(below).sort((x, y) => x - y)
}
