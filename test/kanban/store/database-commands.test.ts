// `hermes kanban …` on a board in a file, in PostgreSQL, and in PostgreSQL through the dispatcher's socket.
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { board } from '../../../src/cli/checks/board.ts'
import { makeContext } from '../../../src/cli/context/context.ts'
import { serveBoards } from '../../../src/kanban/dispatch/board-server.ts'
import { databaseBoards } from '../../../src/kanban/postgres/database-boards.ts'
import { VERSION } from '../../../src/kanban/postgres/schema.ts'
import { ServedBoards } from '../../../src/kanban/store/served-boards.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { type KanbanCli, kanbanCli } from '../../support/kanban/cli.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { freePort } from '../../support/port.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()
const clock = systemClock()

/** Ids become the order in which they are first seen, and instants `TIME`. */
function comparable(texts: readonly string[], home: string): string {
  const ids = new Map<string, string>()
  return texts
    .join('')
    .replaceAll(home, 'HOME')
    .replaceAll(/t_[0-9a-f]{8}/g, (id) => {
      if (!ids.has(id)) ids.set(id, `t_${ids.size}`)
      return ids.get(id) ?? id
    })
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?/g, 'TIME')
    .replaceAll(/no board yet \([^)]*\)/g, 'no board yet (PLACE)')
    .replaceAll(/(no board \\?"\w+\\?")(: \S+ does not exist| in the database( at [^\s"]+)?)/g, '$1 PLACE')
    .replaceAll(/: (HOME\/\S*kanban\.db|the database\S*( at \S+)?)$/gm, ': PLACE')
    .replaceAll(/(it is kept as |"kept": ")[^\n]*/g, '$1PLACE')
    .replaceAll(/"file": ("[^"]*"|null)/g, '"file": PLACE')
    .replaceAll(/\b\d+ (s|min) ago|\b[0-9]s\b/g, 'AGO')
}

/** Every verb that needs no worker, in its text and its JSON. */
async function session(cli: KanbanCli): Promise<readonly string[]> {
  const seen: string[] = []
  const say = async (...args: readonly string[]): Promise<void> => {
    for (const form of [[], ['--json']]) {
      const { code, out, err } = await cli.kanban(...args, ...form)
      seen.push(`$ ${args.join(' ')} ${form} -> ${code}\n${out}${err}`)
    }
  }
  await say('list')
  await say('init')
  await say('boards', 'create', 'side')
  await say('boards', 'list')
  await say('boards', 'use', 'sid')
  const parent = await cli.create('first', '--assignee', 'coder', '--priority', '3', '--body', 'long “text” \u{1f600}')
  const child = await cli.create('second', '--parent', parent)
  const later = await cli.create('third', '--triage')
  const side = (await cli.json<{ id: string }>('create', 'aside', '--board', 'side')).id
  await say('list', '--board', 'side')
  await say('show', side)
  await say('boards', 'use', 'side')
  await say('boards', 'rename', 'side', 'default')
  await say('boards', 'rename', 'default', 'other')
  await say('boards', 'rename', 'side', 'other')
  await say('boards', 'list')
  await say('show', side)
  await say('edit', side, '--title', 'a better title')
  await say('delete', side, '--yes')
  await say('boards', 'remove', 'other')
  await say('boards', 'remove', 'other', '--yes')
  await say('boards', 'list')
  await say('list')
  await say('show', child)
  await say('comment', parent, 'a word')
  await say('link', parent, later)
  await say('link', later, parent)
  await say('unlink', parent, later)
  await say('promote', later)
  await say('schedule', later, '--at', '2999-01-01T00:00:00Z')
  await say('assign', later, 'coder')
  await say('reassign', later, 'nobody-here')
  await say('block', later, '--reason', 'a person')
  await say('unblock', later)
  await say('heartbeat', parent)
  await say('reclaim', parent)
  await say('why', child)
  await say('dispatch', '--dry-run')
  await say('dispatch-status')
  await say('complete', parent, '--result', 'did it')
  await say('list', '--status', 'ready')
  await say('runs', parent)
  await say('stats')
  await say('tail', parent, '--no-follow')
  await say('watch', '--no-follow')
  await say('archive', parent)
  await say('gc', '--older', '1ms')
  await say('list', '--board', 'missing')
  await say('show', 't_00000000')
  return seen
}

describe.skipIf(why !== undefined)(`commands on a board in PostgreSQL (${why ?? 'a server of our own'})`, () => {
  let server: PostgresServer
  let port: number
  beforeAll(async () => {
    port = await freePort()
    server = await startPostgres({ tcp: { host: '127.0.0.1', port, password: 'hush' } })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })
  const database = (name: string): string => {
    server.psql(`CREATE DATABASE ${name}`)
    return server.url.replace(/\/postgres$/, `/${name}`)
  }
  const direct = (url: string): KanbanCli => {
    const cli = kanbanCli()
    cli.env.HERMES_KANBAN_DATABASE = url
    return cli
  }
  /** A dispatcher's socket for the commands of `cli`, which do not know the address. */
  const serve = async (cli: KanbanCli, url: string): Promise<AsyncDisposable> => {
    const boards = await databaseBoards(url)
    mkdirSync(join(cli.home, 'run', 'board'), { recursive: true })
    const path = join(cli.home, 'run', 'board', 'sock')
    const serving = await serveBoards({ boards, path, clock, warn: (text) => expect.fail(text) })
    return {
      async [Symbol.asyncDispose]() {
        serving.close()
        await boards.close()
      },
    }
  }

  test('every command has the same answers as on a board in a file, also through the dispatcher', {
    timeout: 300_000,
  }, async () => {
    using files = kanbanCli()
    const expected = comparable(await session(files), files.home)
    using own = direct(database('own'))
    expect(comparable(await session(own), own.home)).toBe(expected)
    using served = kanbanCli()
    await using _ = await serve(served, database('served'))
    expect(comparable(await session(served), served.home)).toBe(expected)
  })

  test('the ticks of a board are held through the dispatcher as long as the holder lives', async () => {
    using cli = kanbanCli()
    const url = database('held')
    await using _ = await serve(cli, url)
    await cli.kanban('init')
    const path = join(cli.home, 'run', 'board', 'sock')
    const boards = [new ServedBoards(path, clock), new ServedBoards(path, clock)] as const
    const place = boards[0].place('default')
    const lock = await boards[0].holdTicks(place, clock, 0)
    expect(lock?.isHeld()).toBe(true)
    expect(await boards[1].holdTicks(place, clock, 0)).toBeUndefined()
    await lock?.release()
    await waitFor('the lock to be free', async () => (await boards[1].holdTicks(place, clock, 0)) !== undefined)
    for (const one of boards) await one.close()
  })

  test.each<[what: string, url: (own: string) => string, says: RegExp, next: RegExp]>([
    [
      'a password',
      (url) => url.replace('hush', 'wrong'),
      /refuses: password authentication failed/,
      /correct HERMES_KANBAN_DATABASE/,
    ],
    [
      'a database',
      (url) => url.replace(/\/\w+$/, '/nowhere'),
      /refuses: database "nowhere" does not exist/,
      /create the database/,
    ],
    [
      'a host',
      (url) => url.replace('127.0.0.1', 'no-such-host.invalid'),
      /does not answer: getaddrinfo/,
      /check that it runs/,
    ],
    ['a form', () => 'mysql://me:hush@db/board', /is not an address of PostgreSQL/, /correct it/],
    [
      'a file it names',
      () => 'postgres://me:hush@db/board?sslrootcert=/no/such/file',
      /cannot be read: ENOENT.*\/no\/such\/file/,
      /check the files that it names/,
    ],
  ])('a wrong address, in %s, is one line with what to do and without the password', async (_, url, says, next) => {
    using cli = direct(url(server.url))
    const { code, out, err } = await cli.kanban('list')
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(says)
    expect(err).toMatch(next)
    expect(err.trim().split('\n')).toHaveLength(2)
    expect(err).not.toContain('hush')
  })

  test('a user without rights reads which one is missing', async () => {
    const url = database('poor')
    server.psql("CREATE ROLE poor LOGIN PASSWORD 'hush'")
    using cli = direct(url.replace('//postgres:', '//poor:'))
    const { code, err } = await cli.kanban('init')
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/refuses: permission denied for database poor\n.*GRANT the user CREATE/),
    ])
  })

  test('a server that is too old is named, with what is needed', async () => {
    await using relay = await renaming(port, '15', '12')
    using cli = direct(database('old').replace(`:${port}/`, `:${relay.port}/`))
    const { code, err } = await cli.kanban('create', 'x')
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/runs PostgreSQL 12\n {2}next: use PostgreSQL 15 or newer\n$/),
    ])
  })

  test('a board of a newer version is read, which the commands say, and not written', async () => {
    const url = database('newer')
    using cli = direct(url)
    const id = await cli.create('kept')
    server.psqlIn('newer', 'UPDATE hermes.boards SET schema_version = 99')
    const says = `the board "default" has schema generation 99; this version supports ${VERSION}`
    const read = await cli.kanban('show', id)
    expect([read.code, read.err]).toEqual([0, `hermes: warning: ${says}; it is only read\n`])
    const written = await cli.kanban('create', 'x')
    expect([written.code, written.err]).toEqual([1, expect.stringContaining(says)])
  })

  test('a board of an older version gets what it lacks with the first command', async () => {
    const url = database('older')
    using cli = direct(url)
    const id = await cli.create('kept')
    server.psqlIn(
      'older',
      `ALTER TABLE hermes_default.tasks DROP COLUMN once, DROP COLUMN needs, DROP COLUMN result_schema;
       DROP TABLE hermes_default.settings; UPDATE hermes.boards SET schema_version = 1`,
    )
    const written = await cli.kanban('create', 'x', '--once')
    expect([written.code, written.err]).toEqual([0, ''])
    expect((await cli.kanban('show', id)).out).toContain('kept')
    expect(server.psqlIn('older', 'SELECT schema_version FROM hermes.boards').trim()).toBe(String(VERSION))
  })

  test('a task is for a profile of another node as for one on this disk, and a wrong name is refused', async () => {
    const url = database('nodes')
    using cli = direct(url)
    await cli.kanban('init')
    const boards = await databaseBoards(url, () => 'h2')
    const leases = boards.leases()
    const card = { ...{ id: 'h2', name: 'h2', instance: 'life', volume: 'v', host: 'h' }, version: '1', labels: {} }
    await leases?.take({ ...card, apiUrl: null, leaseMs: 60_000 }, undefined)
    await leases?.register('h2', ['writer-of-h2'])
    try {
      const id = await cli.create('far', '--assignee', 'writer-of-h2')
      expect((await cli.kanban('assign', id, 'writer-of-h2')).out).toContain('for writer-of-h2')
      const wrong = await cli.kanban('create', 'far', '--assignee', 'writer-of-h3')
      expect([wrong.code, wrong.err]).toEqual([3, expect.stringContaining('no profile "writer-of-h3"')])
    } finally {
      await leases?.close()
      await boards.close()
    }
  })

  test('settings of a board in a database count for all nodes, and another value in a config.yaml is named', async () => {
    const url = database('settings')
    using cli = direct(url)
    using other = direct(url)
    for (const home of [cli.home, other.home])
      writeFileSync(
        join(home, 'config.yaml'),
        JSON.stringify({ kanban: { max_in_progress: home === cli.home ? 5 : 7 } }),
      )
    for (let n = 0; n < 3; n++) await cli.create('x', '--assignee', 'coder')
    expect(await cli.json('settings', 'max_in_progress')).toEqual({
      key: 'max_in_progress',
      value: 5,
      source: 'config.yaml',
    })
    expect((await cli.json<{ spawned: unknown[] }>('dispatch', '--dry-run')).spawned).toHaveLength(3)
    expect(await cli.kanban('settings', 'kanban.max_in_progress', '2')).toEqual({
      code: 0,
      out: 'max_in_progress is 2 (board), from the next tick on\n',
      err: '',
    })
    expect((await other.kanban('settings', 'max_in_progress')).out).toBe('2\n')
    expect((await cli.json<{ spawned: unknown[] }>('dispatch', '--dry-run')).spawned).toHaveLength(2)
    const output = { out: () => undefined, err: () => undefined, closed: false }
    const bundleDir = join(other.home, 'lib')
    const context = makeContext({ env: other.env, bundleDir, profile: undefined, json: false, output })
    expect((await board(context)).filter(({ state }) => state === 'warn')).toMatchObject([
      {
        text: 'board "default": kanban.max_in_progress in config.yaml is 7, and is ignored: the board has 2 (hermes kanban settings max_in_progress)',
      },
    ])
    for (const [key, value] of [
      ['require_review', 'true'],
      ['default_assignee', 'coder'],
      ['max_in_progress_per_profile', 'null'],
      ['pools', '{gpu: 2}'],
    ] as const)
      expect((await cli.kanban('settings', key, value)).code, key).toBe(0)
    const lines = (await cli.kanban('settings')).out.split('\n').map((line) => line.replaceAll(/ +/g, ' ').trim())
    expect(lines).toEqual([
      'KEY VALUE FROM',
      'default_assignee coder board',
      'max_in_progress 2 board',
      'max_in_progress_per_profile null board',
      'pools {"gpu":2} board',
      'failure_limit 2 config.yaml',
      'require_review true board',
      'dispatch_stale_timeout_seconds 14400 config.yaml',
      '',
    ])
    expect((await cli.kanban('settings', 'max_in_progress', '--unset')).out).toBe(
      'max_in_progress is 5 (config.yaml), from the next tick on\n',
    )
    await using _ = await serve(other, url)
    delete other.env.HERMES_KANBAN_DATABASE
    expect((await other.kanban('settings', 'failure_limit', '4')).code).toBe(0)
    expect((await other.kanban('settings', 'require_review', '--unset')).out).toContain('false (config.yaml)')
    expect((await cli.kanban('settings', 'failure_limit')).out).toBe('4\n')
  })

  test.each([
    [['settings', 'max_in_progres'], 2, 'did you mean "max_in_progress"?'],
    [['settings', 'max_in_progress', '0'], 2, 'expected a whole number from 1 to 1000000, or null, got "0"'],
    [
      ['settings', 'pools', '{gpu: 0}'],
      2,
      'pools: expected names and whole numbers from 1 to 1000000, such as {gpu: 2}',
    ],
    [['settings', 'pools', '{gpu: 2'], 2, 'the value for pools is not YAML'],
    [['settings', 'require_review', 'yes'], 2, 'require_review: expected true or false, got "yes"'],
    [['settings', '--unset'], 2, '--unset needs a KEY'],
    [['settings', 'failure_limit', '3', '--unset'], 2, 'VALUE and --unset cannot be used together'],
    [['settings', 'failure_limit', '3'], 1, 'next: hermes config set kanban.failure_limit 3'],
  ])('%j is refused by one line, also on a board in a file', async (args, code, text) => {
    using cli = kanbanCli()
    await cli.kanban('init')
    const answer = await cli.kanban(...args)
    expect([answer.code, answer.err]).toEqual([code, expect.stringContaining(text)])
  })

  test('doctor tells whether the database answers, and nothing about boards in files', async () => {
    const findings = async (cli: KanbanCli) => {
      const output = { out: () => undefined, err: () => undefined, closed: false }
      const bundleDir = join(cli.home, 'lib')
      return board(makeContext({ env: cli.env, bundleDir, profile: undefined, json: false, output }))
    }
    using files = kanbanCli()
    await files.kanban('init')
    expect(await findings(files)).toEqual([])
    using own = direct(database('checked'))
    await own.kanban('init')
    expect(await findings(own)).toEqual([{ check: 'board', state: 'ok', text: 'the database answers and has a board' }])
    using away = direct('postgres://me:hush@127.0.0.1:1/none')
    expect(await findings(away)).toEqual([
      {
        check: 'board',
        state: 'fail',
        text: expect.stringMatching(/^the database at 127\.0\.0\.1:1\/none does not answer: .*ECONNREFUSED/),
        next: expect.stringContaining('check that it runs'),
      },
    ])
  })

  test('a board without a dispatcher to lead there is one line with what to do', async () => {
    using cli = kanbanCli()
    mkdirSync(join(cli.home, 'run', 'board'), { recursive: true })
    const { code, err } = await cli.kanban('list')
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/the dispatcher, which leads there, does not run \(ENOENT\)\n.*hermes logs dispatcher\n$/),
    ])
  })
})

/** A way to a server of PostgreSQL on which its version reads differently. */
async function renaming(port: number, from: string, to: string): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const one of [client, upstream]) {
      sockets.add(one)
      one.on('error', () => undefined).on('close', () => (one === client ? upstream.destroy() : client.destroy()))
    }
    client.pipe(upstream)
    // server_version_num, as text: six digits.
    upstream.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1').replaceAll(new RegExp(`${from}(\\d{4})(?!\\d)`, 'g'), `${to}$1`)
      client.write(Buffer.from(text, 'latin1'))
    })
  })
  const own = await freePort()
  await new Promise<void>((resolve) => server.listen(own, '127.0.0.1', resolve))
  return {
    port: own,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
