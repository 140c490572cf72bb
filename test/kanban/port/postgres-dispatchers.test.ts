// Several dispatchers on one board in PostgreSQL, each with a volume of its own.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DispatchOptions, dispatchOnce } from '../../../src/kanban/dispatch/dispatch.ts'
import { NO_POOLS } from '../../../src/kanban/pools.ts'
import type { Board } from '../../../src/kanban/port/board.ts'
import type { RunningRow } from '../../../src/kanban/port/rows.ts'
import type { TickWrite } from '../../../src/kanban/port/tick-writes.ts'
import { openPostgres } from '../../../src/kanban/postgres/database-boards.ts'

import { systemClock } from '../../../src/system/clock.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { FakeJobs } from '../../support/kanban/board.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { scratchDir } from '../../support/scratch.ts'
import { size } from '../../support/size.ts'

const why = whyNoPostgres()
const actor = { name: 'tester', wallMs: 0 }

/** The supervisor of one volume. */
class NodeJobs extends FakeJobs {
  constructor(host: string) {
    super()
    this.instance = `life-of-${host}`
  }
}

describe.skipIf(why !== undefined)(`dispatchers on one board in PostgreSQL (${why ?? 'a server of our own'})`, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  let boards = 0
  const node = async (slug: string, host: string, kanban: object): Promise<DispatchOptions & { jobs: NodeJobs }> => {
    const home = scratchDir('hermes-node-')
    writeFileSync(join(home, 'config.yaml'), JSON.stringify({ kanban }))
    const agent = { command: ['agent'], ...('pools' in kanban && { pool: 'gpu' }) }
    for (const name of ['alpha', 'beta']) {
      mkdirSync(join(home, 'profiles', name), { recursive: true })
      writeFileSync(join(home, 'profiles', name, 'config.yaml'), JSON.stringify({ agent }))
    }
    const board = await openPostgres({ slug }, server.url, { mode: 'create', warn: () => undefined })
    const warn = (text: string): never => {
      throw new Error(text)
    }
    return { board, home, jobs: new NodeJobs(host), clock: systemClock(), host, builtIn: () => ['built-in'], warn }
  }
  const freshSlug = (): string => `dispatchers-${++boards}`

  /** The most runs at once, of each profile and of all, by the event log. */
  async function mostAtOnce(board: Board): Promise<Readonly<Record<string, number>>> {
    const running = new Map<string, string>()
    const most: Record<string, number> = {}
    for (const { kind, runId, payload } of await board.events(0, 100_000)) {
      const run = String(runId)
      if (kind === 'claimed') running.set(run, String(payload.assignee))
      if (kind === 'completed') running.delete(run)
      const now: Record<string, number> = { all: running.size }
      for (const profile of running.values()) now[profile] = (now[profile] ?? 0) + 1
      for (const [name, n] of Object.entries(now)) most[name] = Math.max(most[name] ?? 0, n)
    }
    return most
  }

  test.each([
    ['a profile', { max_in_progress_per_profile: 2 }, { alpha: 2, beta: 2, all: 4 }],
    ['a pool of two profiles', { pools: { gpu: 3 } }, { all: 3 }],
    ['the board', { max_in_progress: 3 }, { all: 3 }],
    ['both', { max_in_progress_per_profile: 2, max_in_progress: 3 }, { alpha: 2, beta: 2, all: 3 }],
  ])('two that tick at the same time never pass the cap of %s, and all is done once', async (_, kanban, caps) => {
    const slug = freshSlug()
    const nodes = [await node(slug, 'h1', kanban), await node(slug, 'h2', kanban)]
    const board = nodes[0]?.board as Board
    const tasks = size(40, 400)
    for (let n = 0; n < tasks; n++)
      await board.create({ title: `task ${n}`, assignee: n % 2 === 0 ? 'alpha' : 'beta' }, actor)
    const started: string[] = []
    await Promise.all(
      nodes.map(async (options) => {
        for (;;) {
          const { report } = await dispatchOnce(options)
          for (const { task_id } of report.spawned) {
            started.push(task_id)
            options.jobs.end(task_id, { exitCode: 0 })
          }
          if ((await board.statusCounts()).done === tasks) return
        }
      }),
    )
    expect(new Set(started).size).toBe(tasks)
    expect(started).toHaveLength(tasks)
    const most = await mostAtOnce(board)
    for (const [name, cap] of Object.entries(caps)) expect(most[name], name).toBeLessThanOrEqual(cap)
    expect(most.all).toBeGreaterThan(1)
    for (const one of nodes) await one.board.close()
  })

  test('without a cap, two at the same time share what is ready, and nothing is started twice', {
    timeout: 120_000,
  }, async () => {
    const slug = freshSlug()
    const nodes = [await node(slug, 'h1', {}), await node(slug, 'h2', {})]
    const board = nodes[0]?.board as Board
    for (let n = 0; n < 120; n++) await board.create({ title: `task ${n}`, assignee: 'alpha' }, actor)
    const reports = await Promise.all(nodes.map(async (options) => (await dispatchOnce(options)).report))
    const started = reports.flatMap(({ spawned }) => spawned.map(({ task_id }) => task_id))
    expect(new Set(started).size).toBe(started.length)
    for (const one of nodes) for (const { report } of [await dispatchOnce(one)]) expect(report.crashed).toEqual([])
    expect(await board.statusCounts()).toEqual({ running: 120 })
    for (const one of nodes) await one.board.close()
  })

  test('who claims keeps out the claims of the same profile or of a board with a cap, and nothing else', async () => {
    const slug = freshSlug()
    const board = await openPostgres({ slug }, server.url, { mode: 'create', warn: () => undefined })
    const limits = {
      place: { host: 'h1', instance: 'i1' },
      most: 10,
      perProfile: 2,
      board: null,
      pools: NO_POOLS,
      waitMs: 200,
    }
    const claim = async (assignee: string): Promise<TickWrite> => {
      const { task } = await board.create({ title: 'x', assignee }, actor)
      return { type: 'claim', id: task.id, assignee }
    }
    await board.write([await claim('alpha')], limits, 0)
    const [row] = await board.running()
    const completed = { outcome: 'completed', failure: false, stop: false } as const
    const settlement = { status: 'done', failures: 0, pauses: 0, pausedUntilMs: null, autoBlocked: false } as const
    const end = (): TickWrite => ({ type: 'end', row: row as RunningRow, end: completed, settlement })
    const other = new pg.Client({ connectionString: server.url })
    await other.connect()
    const key = `hashtextextended('hermes.tick.${slug}', 1)`
    await other.query(`BEGIN; SELECT pg_advisory_xact_lock_shared(${key});
      SELECT pg_advisory_xact_lock(hashtextextended('alpha', ${key}))`)
    const alpha = await claim('alpha')
    expect(await board.write([alpha], limits, 0)).toBeUndefined()
    expect(await board.write([end(), alpha], limits, 0)).toEqual([{ state: 'done' }, { state: 'full' }])
    const pools = { caps: { gpu: 9 }, of: {} }
    for (const whole of [{ board: 9 }, { pools }])
      expect(await board.write([await claim('beta')], { ...limits, perProfile: null, ...whole }, 0)).toBeUndefined()
    for (const without of [limits, { ...limits, perProfile: null }])
      expect(await board.write([await claim('beta')], without, 0)).toMatchObject([{ state: 'done' }])
    await other.query('COMMIT')
    await other.end()
    expect(await board.write([alpha], limits, 0)).toMatchObject([{ state: 'done' }])
    expect(await board.write([await claim('beta')], limits, 0)).toEqual([{ state: 'full' }])
    await board.close()
  })

  test('a claim that was answered survives a crash of the server, with a cap and without', {
    timeout: 120_000,
  }, async () => {
    await using durable = await startPostgres({ durable: true })
    // A record that nothing waits for is on the disk too late.
    durable.psql("ALTER SYSTEM SET wal_writer_delay = '10s'")
    durable.psql('SELECT pg_reload_conf()')
    const place = { host: 'h1', instance: 'i1' }
    for (const caps of [
      { perProfile: 5, board: null },
      { perProfile: null, board: 5 },
      { perProfile: null, board: null, pools: { caps: { gpu: 5 }, of: {} } },
      { perProfile: null, board: null },
    ]) {
      const board = await openPostgres({ slug: 'crash' }, durable.url, { mode: 'create', warn: () => undefined })
      const { task } = await board.create({ title: 'x', assignee: 'alpha' }, actor)
      const limits = { place, most: 1, pools: NO_POOLS, ...caps, waitMs: 2000 }
      const written = await board.write([{ type: 'claim', id: task.id, assignee: 'alpha' }], limits, 0)
      await durable.crash()
      await board.close()
      await durable.again()
      const after = await openPostgres({ slug: 'crash' }, durable.url, { mode: 'create', warn: () => undefined })
      expect(written).toMatchObject([{ state: 'done', claimed: { runId: expect.any(Number) } }])
      expect(await after.require(task.id)).toMatchObject({ status: 'running' })
      await after.close()
    }
  })

  test('while one starts its workers, others write: no lock is held', async () => {
    const slug = freshSlug()
    const kanban = { max_in_progress_per_profile: 1 }
    const [one, two] = [await node(slug, 'h1', kanban), await node(slug, 'h2', kanban)]
    await one.board.create({ title: 'x', assignee: 'alpha' }, actor)
    const { task } = await one.board.create({ title: 'y', assignee: 'beta' }, actor)
    const start = one.jobs.start.bind(one.jobs)
    let meanwhile: readonly string[] = []
    one.jobs.start = async (spec) => {
      // alpha's task is claimed and has no worker yet; beta's was claimed with it, or is there for the other one.
      const { report } = await dispatchOnce(two)
      meanwhile = [...meanwhile, ...(report.skipped_locked ? ['locked'] : [])]
      await start(spec)
    }
    await dispatchOnce(one)
    expect(meanwhile).toEqual([])
    expect(await one.board.statusCounts()).toEqual({ running: 2 })
    expect((await one.board.runs(task.id, 10)).length).toBe(1)
    for (const { board } of [one, two]) await board.close()
  })

  test('a claim whose worker does not start is given back, with those that were claimed with it', async () => {
    const options = await node(freshSlug(), 'h1', {})
    const { board, jobs } = options
    for (let n = 0; n < 5; n++) await board.create({ title: `task ${n}`, assignee: 'alpha' }, actor)
    const start = jobs.start.bind(jobs)
    jobs.start = async (spec) => {
      if (jobs.started.length === 2) throw new HermesError('STOPPING', 'the container stops')
      await start(spec)
    }
    const { report } = await dispatchOnce(options)
    expect(report.spawned).toHaveLength(2)
    expect(await board.statusCounts()).toEqual({ running: 2, ready: 3 })
    const kinds = (await board.events(0, 1000)).map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'reclaimed')).toHaveLength(3)
    await board.close()
  })

  test('of what it ends, a tick asks only for the children that there are', async () => {
    const options = await node(freshSlug(), 'h1', {})
    const { board, jobs } = options
    const tasks: string[] = []
    for (let n = 0; n < 5; n++) tasks.push((await board.create({ title: `t ${n}`, assignee: 'alpha' }, actor)).task.id)
    const [parent = ''] = tasks
    const { task: child } = await board.create({ title: 'child', assignee: 'alpha', parents: [parent] }, actor)
    await dispatchOnce(options)
    for (const id of tasks) jobs.end(id, { exitCode: 0 })
    const asked: string[] = []
    const ask = board.waitingChildren
    board.waitingChildren = (id) => {
      asked.push(id)
      return ask(id)
    }
    const { report } = await dispatchOnce(options)
    expect(asked).toEqual([parent])
    expect(report.spawned.map(({ task_id }) => task_id)).toEqual([child.id])
    await board.close()
  })

  test('what a trigger of another tool refuses costs its task alone', async () => {
    const slug = freshSlug()
    const warnings: string[] = []
    const options = { ...(await node(slug, 'h1', {})), warn: (text: string) => void warnings.push(text) }
    const { board } = options
    const ids: string[] = []
    for (let n = 0; n < 3; n++) ids.push((await board.create({ title: `task ${n}`, assignee: 'alpha' }, actor)).task.id)
    server.psql(`CREATE FUNCTION "hermes_${slug}".no() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF new.task_id = '${ids[1]}' THEN RAISE EXCEPTION 'not this one' USING ERRCODE = '23514'; END IF; RETURN new; END $$;
      CREATE TRIGGER no BEFORE INSERT ON "hermes_${slug}".runs FOR EACH ROW EXECUTE FUNCTION "hermes_${slug}".no()`)
    const { report } = await dispatchOnce(options)
    expect(report.spawned.map(({ task_id }) => task_id)).toEqual([ids[0], ids[2]])
    expect(warnings).toEqual([expect.stringContaining(`${ids[1]} could not be started: not this one`)])
    await board.close()
  })
})
