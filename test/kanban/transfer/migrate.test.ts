import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KanbanCli, kanbanCli } from '../../support/kanban/cli.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()
const DATABASE = 'HERMES_KANBAN_DATABASE'

describe.skipIf(why !== undefined)(`hermes kanban migrate (${why ?? 'a server of our own'})`, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  /** A database of its own for each test. */
  let databases = 0
  const freshUrl = (): string => {
    databases += 1
    server.psql(`CREATE DATABASE moved_${databases}`)
    return server.url.replace('/postgres?', `/moved_${databases}?`)
  }
  const filled = async (): Promise<KanbanCli> => {
    const cli = kanbanCli()
    const parent = await cli.create('parent', '--assignee', 'coder')
    await cli.create('child', '--parent', parent)
    await cli.kanban('boards', 'create', 'second')
    await cli.create('another', '--board', 'second')
    return cli
  }
  const bothTexts = async (cli: KanbanCli) => [
    (await cli.kanban('export')).out,
    (await cli.kanban('export', '--board', 'second')).out,
  ]

  test('every board moves to the database, and back into the volume, and says what to do next', async () => {
    using cli = await filled()
    const url = freshUrl()
    const before = await bothTexts(cli)
    const moved = await cli.kanban('migrate', '--to', url)
    expect(moved).toMatchObject({ code: 0, err: '' })
    expect(moved.out).toBe(
      'board "default" moved: 2 tasks, 1 links, 0 runs, 0 comments, 3 events\n' +
        'board "second" moved: 1 tasks, 0 links, 0 runs, 0 comments, 1 events\n' +
        `  next: set ${DATABASE} to the same address, and start the container again\n`,
    )
    const refused = await cli.kanban('create', 'forgotten')
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.err).toMatch(/^hermes: the board "default" has moved to the database at .*\n {2}next: set HERMES_K/)
    expect((await cli.kanban('list')).err).toMatch(/has moved to .*; this is what it was then/)
    expect((await cli.kanban('migrate', '--to', url)).out).toMatch(/^board "default" had been moved before\n/)

    cli.env[DATABASE] = url
    expect(await bothTexts(cli)).toEqual(before)
    await cli.create('made there')
    const after = await bothTexts(cli)
    expect(await cli.json('migrate', '--to', 'sqlite')).toMatchObject({
      boards: [
        { board: 'default', moved: true, tasks: 3 },
        { board: 'second', moved: true, tasks: 1 },
      ],
      failed: 0,
    })
    expect((await cli.kanban('create', 'forgotten')).err).toMatch(/has moved to .*kanban\.db\n {2}next: unset HERMES_K/)
    delete cli.env[DATABASE]
    expect(await bothTexts(cli)).toEqual(after)
    await cli.create('made here')
  })

  test('routines go with their board, and attachments stay in the volume, which the command says', async () => {
    using cli = await filled()
    const id = await cli.create('with a file')
    writeFileSync(join(cli.home, 'list.csv'), '1,2')
    await cli.json('attach', id, join(cli.home, 'list.csv'))
    await cli.json('routine', 'create', 'daily', '--cron', '0 9 * * *', '--title', 'Report')
    const url = freshUrl()
    const stay = `1 attachment left in ${join(cli.home, 'kanban', 'attachments')}; the board in the database has none`
    const moved = await cli.kanban('migrate', '--to', url)
    expect(moved.out).toContain(`, 5 events, 1 routines\n  ${stay}\nboard "second" moved: `)
    const again = await cli.json<{ boards: unknown[] }>('migrate', '--to', url)
    expect(again.boards).toEqual([
      { board: 'default', moved: false, left: stay },
      { board: 'second', moved: false },
    ])
    cli.env[DATABASE] = url
    expect(await cli.json('routine', 'list')).toMatchObject([{ name: 'daily', paused: false, title: 'Report' }])
    expect(await cli.json('attachments', id)).toEqual([])
    await cli.json('routine', 'pause', 'daily')
    expect((await cli.kanban('migrate', '--to', 'sqlite')).out).toMatch(/5 events, 1 routines\nboard "second"/)
    delete cli.env[DATABASE]
    expect(await cli.json('routine', 'list')).toMatchObject([{ name: 'daily', paused: true }])
    expect(await cli.json('attachments', id)).toMatchObject([{ name: 'list.csv', state: 'there' }])
  })

  test('a board that cannot be moved is named, and the others are moved', async () => {
    using cli = await filled()
    const url = freshUrl()
    cli.env[DATABASE] = url
    await cli.create('theirs')
    delete cli.env[DATABASE]
    const moved = await cli.kanban('migrate', '--to', url)
    expect(moved.code).toBe(1)
    expect(moved.err).toMatch(/^hermes: board "default" was not moved: the board "default" is not empty/)
    expect(moved.out).toMatch(/^board "second" moved/)
    await cli.create('the board is still in use')
  })

  test('what cannot be done is one line: no place, another place, nothing to move back from, no database', async () => {
    using cli = await filled()
    for (const [args, code, message] of [
      [[], 2, /--to is missing/],
      [['--to', 'mysql://x/y'], 2, /--to is not an address of PostgreSQL/],
      [['--to', 'sqlite'], 1, /in the volume already/],
      [['--to', server.url.replace('/postgres?', '/missing?')], 1, /"missing" does not exist/],
    ] as const) {
      const said = await cli.kanban('migrate', ...args)
      expect([said.code, said.out.includes('moved')], said.err).toEqual([code, false])
      expect(said.err).toMatch(message)
    }
    await cli.create('the board is still in use')
  })

  test('a migration that is killed goes on when it is run again', { timeout: 300_000 }, async () => {
    const program = join(import.meta.dirname, '../../support/programs/moves-boards.ts')
    for (const at of ['100', '300', 'done']) {
      using cli = await filled()
      const id = await cli.create('with many words')
      for (let n = 0; n < 150; n++) await cli.kanban('comment', id, `word ${n}`)
      const url = freshUrl()
      const before = await bothTexts(cli)
      const child = spawn(process.execPath, [program, cli.home, url, 'default', 'second'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = once(child, 'exit')
      for await (const line of createInterface(child.stdout)) if (line === at) child.kill('SIGKILL')
      await ended
      await waitFor('the migration to be done', async () => (await cli.kanban('migrate', '--to', url)).code === 0)
      cli.env[DATABASE] = url
      expect(await bothTexts(cli), `killed at ${at}`).toEqual(before)
    }
  })
})
