// The board in PostgreSQL with the real programs: init, supervisor, dispatcher, workers, commands.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hermes as command, type Ran } from '../../support/cli.ts'
import { askHttp, pageToken } from '../../support/dashboard/dashboard.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { freePort } from '../../support/port.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()
/** The longest time of a command, whatever the database does. */
const COMMAND_MS = 5000

interface Stage extends AsyncDisposable {
  readonly home: string
  /** `hermes kanban ARGS` without the address of the database. */
  kanban(...args: readonly string[]): Promise<Ran>
  create(...args: readonly string[]): Promise<string>
  statusOf(id: string): Promise<string>
  /** Lines of the dispatcher's log. */
  log(): readonly string[]
  start(env?: Readonly<Record<string, string>>): Promise<RunningHermes>
}

/** A home whose profile `alpha` works by a program. */
function stage(url: string, worker: string): Stage {
  const home = quickDir('hermes-pg-run-')
  const gateway = { command: ['sleep', '100000'] }
  const kanban = { dispatch_interval_seconds: 1, default_assignee: 'alpha' }
  writeFileSync(join(home, 'config.yaml'), JSON.stringify({ gateway, kanban }))
  const profile = { name: 'alpha', gateway, agent: { command: ['sh', '-c', worker] }, desired: 'stopped' } as const
  const run = (args: readonly string[]): Promise<Ran> => command(['kanban', ...args], { home })
  const json = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await run([...args, '--json'])
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }
  return {
    home,
    kanban: (...args) => run(args),
    create: async (...args) => String((await json('create', ...args)).id),
    statusOf: async (id) => String((await json('show', id)).status),
    log: () => {
      const file = join(home, 'logs', 'helpers', 'dispatcher', 'current')
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
    },
    async start(env = {}) {
      const secret = { HERMES_KANBAN_DATABASE: url }
      const hermes = await startHermes({ profiles: [profile], home, keepHome: true, env: { ...secret, ...env } })
      await waitFor('the dispatcher', async () => (await hermes.slot('dispatcher'))?.ready === true)
      return hermes
    },
    async [Symbol.asyncDispose]() {
      rmSync(home, { recursive: true, force: true })
    },
  }
}

describe.skipIf(why !== undefined)(`the board in PostgreSQL (${why ?? 'a server of our own'})`, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })
  const database = (name: string): string => {
    server.psql(`CREATE DATABASE ${name}`)
    return server.url.replace('/postgres?', `/${name}?`)
  }

  test('tasks are done by workers that reach the board and do not get its address', { timeout: 300_000 }, async () => {
    const url = database('work')
    const worker =
      'env; hermes kanban comment "$HERMES_KANBAN_TASK" "at work" && hermes kanban complete "$HERMES_KANBAN_TASK" --result "by myself"'
    await using s = stage(url, worker)
    await using hermes = await s.start()
    const id = await s.create('say hello')
    await waitFor('the task to be done', async () => (await s.statusOf(id)) === 'done', { deadlineMs: 60_000 })
    const { stdout } = await s.kanban('show', id, '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      assignee: 'alpha',
      result: 'by myself',
      comments: [{ author: 'alpha', body: 'at work' }],
    })
    const output = readFileSync(join(s.home, 'kanban', 'logs', `${id}.log`), 'utf8')
    expect(output).toContain(`HERMES_KANBAN_TASK=${id}`)
    expect(output).not.toMatch(/HERMES_KANBAN_D|postgres:/)
    expect(readdirSync(s.home)).not.toContain('kanban.db')
    // The same board by its address, where no Hermes runs.
    const direct = await command(['kanban', 'list', '--json', '--status', 'done'], {
      home: quickDir('hermes-pg-direct-'),
      env: { HERMES_KANBAN_DATABASE: url },
    })
    expect(JSON.parse(direct.stdout)).toMatchObject([{ id, status: 'done' }])
    expect(await hermes.slot('dispatcher')).toMatchObject({ state: 'up', ready: true })
    expect(await command(['profile', 'delete', 'alpha', '--yes'], { home: s.home })).toMatchObject({
      code: 0,
      stderr: '',
    })
  })

  test('results and failures are handed over, and a result that does not fit is refused, by way of the dispatcher', {
    timeout: 300_000,
  }, async () => {
    const worker = `cat; echo; if [ ! -e failed ]; then : > failed; echo no space; exit 3; fi
      if echo '{"size": "42"}' | hermes kanban complete "$HERMES_KANBAN_TASK" --result-json -; then exit 4; fi
      echo '{"size": 42}' | hermes kanban complete "$HERMES_KANBAN_TASK" --result-json -`
    await using s = stage(database('handed'), worker)
    const schema = join(s.home, 'schema.json')
    writeFileSync(schema, '{"type":"object","properties":{"size":{"type":"integer"}}}')
    await using hermes = await s.start()
    const first = await s.create('measure', '--result-schema', schema)
    const second = await s.create('report', '--parent', first, '--result-schema', schema)
    await waitFor('both to be done', async () => (await s.statusOf(second)) === 'done', { deadlineMs: 60_000 })
    const log = (id: string): string => readFileSync(join(s.home, 'kanban', 'logs', `${id}.log`), 'utf8')
    expect(log(first)).toContain('exit code 3: no space')
    expect(log(first)).toContain('/size must be integer, but is "42"')
    expect(log(second)).toContain('{"size":42}')
    expect(JSON.parse((await s.kanban('show', second, '--json')).stdout)).toMatchObject({ result_json: { size: 42 } })
    await waitFor('their files to be gone', () => readdirSync(join(s.home, 'kanban', 'contexts')).length === 0)
    expect(await hermes.stop()).toBe(0)
  })

  test('a database that crashes and one that hangs cost no task, one line each, and no command more than five seconds', {
    timeout: 300_000,
  }, async () => {
    const url = database('away')
    await using s = stage(url, 'exit 0')
    await using hermes = await s.start()
    const quick = async (...args: readonly string[]): Promise<Ran> => {
      const beganMs = performance.now()
      const ran = await s.kanban(...args)
      expect(performance.now() - beganMs).toBeLessThan(stretchedMs(COMMAND_MS))
      return ran
    }
    const done = (id: string): Promise<unknown> =>
      waitFor(`${id} to be done`, async () => (await s.statusOf(id)) === 'done', { deadlineMs: 60_000 })
    await done(await s.create('before'))

    await server.crash()
    expect(await quick('create', 'lost')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^hermes: the database at .* does not answer: .*\n {2}next: .*\n$/),
    })
    expect((await command(['status'], { home: s.home })).code).toBe(0)
    await waitFor('the dispatcher to notice', () => news(s).length === 1)
    await server.again()
    await done(await s.create('between'))

    server.signal('SIGSTOP')
    try {
      expect(await quick('list')).toMatchObject({ code: 1, stderr: expect.stringContaining('does not answer') })
      expect(await quick('why', 't_1')).toMatchObject({ code: 1, stderr: expect.stringContaining('does not answer') })
      expect(await hermes.slot('gateway-default')).toBeDefined()
      await waitFor('the dispatcher to notice', () => news(s).length === 3)
    } finally {
      server.signal('SIGCONT')
    }
    await done(await s.create('after'))
    await waitFor('its return to be logged', () => news(s).length === 4)
    // A server that ends may still say so.
    const [away, back] = [/ (does not answer|refuses): /, / answers again after \d+ s$/]
    expect(news(s)).toEqual([away, back, away, back].map((text) => expect.stringMatching(text)))
  })

  test('workers that end while the database is down are not run again, and neither are those that go on', {
    timeout: 300_000,
  }, async () => {
    // Ends when the test says so.
    await using s = stage(
      database('down'),
      'while [ ! -e "$HERMES_HOME/end" ]; do sleep 0.1; done; echo "$HERMES_KANBAN_TASK" >>"$HERMES_HOME/ran"',
    )
    await using hermes = await s.start()
    const ids = [await s.create('one'), await s.create('two'), await s.create('three')]
    await waitFor('the workers to run', async () => {
      const states = await Promise.all(ids.map((id) => s.statusOf(id)))
      return states.every((state) => state === 'running')
    })
    await server.crash()
    writeFileSync(join(s.home, 'end'), '')
    await waitFor('the workers to end', async () => {
      const { slots } = await hermes.status()
      return !slots.some(({ slot, state }) => slot.startsWith('job-') && state !== 'down')
    })
    await server.again()
    for (const id of ids)
      await waitFor(`${id} to be done`, async () => (await s.statusOf(id)) === 'done', { deadlineMs: 60_000 })
    expect(readFileSync(join(s.home, 'ran'), 'utf8').trim().split('\n').sort()).toEqual([...ids].sort())
  })

  test('a dispatcher that is not to dispatch leads commands to the board all the same', async () => {
    await using s = stage(database('idle'), 'exit 0')
    const config = { kanban: { dispatch_in_gateway: false, default_assignee: 'alpha' } }
    writeFileSync(join(s.home, 'config.yaml'), JSON.stringify(config))
    await using _ = await s.start()
    const id = await s.create('waits')
    const { stdout } = await s.kanban('why', id)
    expect(stdout).toContain('kanban.dispatch_in_gateway is false')
    await waitFor('the lease', () => server.psqlIn('idle', 'SELECT count(*) FROM hermes.nodes').trim() === '1')
    expect((await s.kanban('dispatch')).code).toBe(0)
    await waitFor('the task to run by hand', async () => (await s.statusOf(id)) !== 'ready')
  })

  test('the dispatcher starts while the database is away, and commands tell what to do', {
    timeout: 300_000,
  }, async () => {
    await using s = stage('postgres://me:hush@127.0.0.1:1/none', 'exit 0')
    await using _ = await s.start()
    const { code, stderr } = await s.kanban('list')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^hermes: the database at 127\.0\.0\.1:1\/none does not answer: .*ECONNREFUSED.*\n {2}next: check that it runs/,
    )
    await waitFor('it to be logged', () => news(s).length === 1)
    expect(s.log().join()).not.toContain('hush')
  })

  test('the dashboard shows boards of the database, says when it is away, and serves everything else', {
    timeout: 300_000,
  }, async () => {
    const port = await freePort()
    await using s = stage(database('page'), 'exit 0')
    await using _ = await s.start({
      HERMES_DASHBOARD: '1',
      HERMES_DASHBOARD_HOST: '127.0.0.1',
      HERMES_DASHBOARD_PORT: String(port),
      HERMES_DASHBOARD_INSECURE: '1',
    })
    const id = await s.create('seen by the page')
    const token = await waitFor('the dashboard', async () => pageToken((await askHttp(port, '/')).body))
    const headers = { Origin: `http://127.0.0.1:${port}`, 'X-Hermes-Token': token }
    const asking = (path: string) => askHttp(port, path, { headers })
    const ask = async (path: string) => (await asking(path)).code
    expect((await asking('/api/kanban/tasks')).json()).toMatchObject({ tasks: [{ id, title: 'seen by the page' }] })
    expect((await asking('/api/metrics')).body).toContain('hermes_kanban_tasks{board="default"')
    await server.crash()
    try {
      const away = await asking('/api/kanban/tasks')
      expect([away.code, away.json()]).toMatchObject([503, { error: 'no_database' }])
      expect([await ask('/api/status'), await ask('/api/metrics')]).toEqual([200, 200])
    } finally {
      await server.again()
    }
    await waitFor('the board to be back', async () => (await ask('/api/kanban/tasks')) === 200)
  })
})

/** Lines of the dispatcher about the database. */
const news = (s: Stage): readonly string[] =>
  s.log().filter((line) => / database .*(does not answer|refuses|answers again)/.test(line))
