/** Claim and completion of ready tasks on a board in PostgreSQL, beside queues for PostgreSQL. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { offeredFor, Performer } from '../../src/kanban/dispatch/perform.ts'
import { runTick } from '../../src/kanban/dispatch/run-tick.ts'
import { TickProblems } from '../../src/kanban/dispatch/tick-problems.ts'
import { NO_POOLS } from '../../src/kanban/pools.ts'
import type { Board, TickReadings } from '../../src/kanban/port/board.ts'
import { toRunning } from '../../src/kanban/port/rows.ts'
import type { TickWrite } from '../../src/kanban/port/tick-writes.ts'
import { openPostgres } from '../../src/kanban/postgres/database-boards.ts'
import type { Rules } from '../../src/kanban/rules.ts'
import { readyPage, type TickFacts } from '../../src/kanban/tick.ts'
import { systemClock } from '../../src/system/clock.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../support/kanban/postgres.ts'
import { type Cell, cell, type Effort, type Row } from './row.ts'

interface Load {
  readonly tasks: number
  readonly consumers: number
  /** Tasks that a consumer takes at once. */
  readonly batch: number
  /** A profile has a cap, as many tasks as all consumers take at once. */
  readonly hasCap: boolean
}

const MODES: readonly Omit<Load, 'tasks'>[] = [
  ...[1, 4, 16].map((consumers) => ({ consumers, batch: 1, hasCap: false })),
  ...[1, 4, 16].map((consumers) => ({ consumers, batch: 10, hasCap: false })),
  ...[1, 4, 16].map((consumers) => ({ consumers, batch: 1, hasCap: true })),
  ...[1, 4, 16].map((consumers) => ({ consumers, batch: 10, hasCap: true })),
]

/** Tasks of each consumer and place before the time is taken. */
const WARM = 3

/** @returns tasks per second, from the first claim to the last completion @throws Error if one was left */
type Measure = (server: PostgresServer, load: Load) => Promise<number>

/**
 * Every server has fsync and synchronous_commit on, and a database of its own for each measurement.
 * @param dir where `npm install pg-boss@12 graphile-worker@0.18` was run; undefined: ours alone
 */
export async function queues(dir: string | undefined, { quick, say }: Effort): Promise<Row[]> {
  const why = whyNoPostgres()
  if (why !== undefined) throw new Error(why)
  const subjects: readonly (readonly [string, Measure])[] = [
    ['hermes', ours],
    ...(dir === undefined
      ? []
      : ([
          ['pg-boss', await pgBoss(dir)],
          ['graphile-worker', await graphileWorker(dir)],
        ] as const)),
  ]
  await using server = await startPostgres({ durable: true })
  const rows: Row[] = []
  for (const mode of MODES) {
    const { consumers, batch, hasCap } = mode
    const how = `${consumers} ${consumers === 1 ? 'consumer' : 'consumers'}, ${batch} at once${hasCap ? ', with a cap' : ''}`
    const samples = new Map<string, number[]>(subjects.map(([name]) => [name, []]))
    const tasks = quick ? 30 : (batch === 1 ? 200 : 1000) * Math.min(4, consumers)
    for (let round = 0; round < (quick ? 1 : 3); round++)
      for (const [name, measure] of round % 2 === 0 ? subjects : subjects.toReversed()) {
        say(`${name}: ${how}`)
        samples.get(name)?.push(await measure(server, { ...mode, tasks }))
      }
    const cells = [...samples].map(([name, list]): readonly [string, Cell] => [name, cell(list)])
    rows.push({
      title: `kanban claim and completion in PostgreSQL, ${how}`,
      unit: 'tasks/s',
      budget: null,
      more: true,
      cells: Object.fromEntries(cells),
    })
  }
  return rows
}

/** The product's own tick on the product's own board; a worker has done its work as soon as it is started. */
const ours: Measure = async (server, load) => {
  const { tasks, consumers, batch, hasCap } = load
  const { url, psql } = freshDatabase(server)
  const open = () => openPostgres({ slug: 'default' }, url, { mode: 'create', warn: () => undefined })
  const boards: Board[] = []
  for (let n = 0; n < consumers; n++) boards.push(await open())
  try {
    const add = (from: number, to: number): string =>
      psql(`INSERT INTO hermes_default.tasks (id, title, assignee, status, created_at)
        SELECT 't_' || lpad(to_hex(n), 8, '0'), 'task ' || n, 'coder', 'ready', n FROM generate_series(${from}, ${to}) n`)
    const rules: Rules = {
      defaultAssignee: null,
      maxInProgressPerProfile: hasCap ? batch * consumers : null,
      maxInProgress: null,
      pools: new Map(),
      maxSpawn: null,
      failureLimit: 2,
      staleAfterMs: 3_600_000,
      requireReview: false,
      labels: {},
    }
    const consumeAll = () => Promise.all(boards.map((board, n) => consume(board, `host-${n}`, batch, rules)))
    // As in a dispatcher that has run for a while, each connection has its plans.
    const warm = WARM * consumers * batch
    add(1, warm)
    await consumeAll()
    add(warm + 1, warm + tasks)
    const beganMs = performance.now()
    await consumeAll()
    const perSecond = (tasks * 1000) / (performance.now() - beganMs)
    const all = warm + tasks
    const done = psql(`SELECT count(*) || ' ' || (SELECT count(*) FROM hermes_default.runs WHERE outcome = 'completed')
      || ' ' || (SELECT count(*) FROM hermes_default.events WHERE kind IN ('claimed', 'spawned', 'completed'))
      FROM hermes_default.tasks WHERE status = 'done'`).trim()
    if (done !== `${all} ${all} ${3 * all}`) throw new Error(`of ${all} tasks, runs and events: ${done}`)
    return perSecond
  } finally {
    for (const board of boards) await board.close()
  }
}

/** Ticks until nothing is ready, each with one write: the ends of the tasks of the last one, and new claims. */
async function consume(board: Board, host: string, batch: number, rules: Rules): Promise<void> {
  const instance = `life-of-${host}`
  const problems = new TickProblems()
  let notes: readonly TickWrite[] = []
  for (;;) {
    const readings = await board.facts(0, offeredFor(batch))
    const own = readings.running.filter((row) => row.instance === instance)
    if (own.length === 0 && readings.ready?.length === 0) break
    const performer = new Performer(
      {
        board,
        clock: systemClock(),
        place: { host, instance },
        rules,
        pools: NO_POOLS,
        rows: new Map(readings.running.map((row) => [row.id, row])),
        unstopped: new Set(),
        atOnce: batch,
        waitMs: 20_000,
        leavesNotes: true,
        start: async () => ({ state: 'started', workspace: '/nowhere' }),
        stopProcess: async () => undefined,
        forget: async () => undefined,
        free: (work) => work(),
        problems,
        ending: () => false,
      },
      notes,
    )
    let rounds = 0
    await runTick(factsOf(readings, host, instance, rules), {
      offered: () => (rounds++ === 0 ? performer.offered() : 0),
      read: async (reading) =>
        reading.type === 'ready'
          ? { state: 'ready', ...readyPage(readings.ready ?? [], Number.POSITIVE_INFINITY) }
          : { state: 'children', tasks: await board.waitingChildren(reading.id) },
      perform: (steps) => performer.perform(steps),
    })
    notes = [...performer.notes]
    for (const line of problems.lines('default')) throw new Error(line)
  }
}

const factsOf = (readings: TickReadings, host: string, instance: string, rules: Rules): TickFacts => ({
  rules,
  now: { wallMs: readings.wallMs, afterJump: false, host, instance },
  profiles: { get: () => ({ agent: true }), names: () => ['coder'], poolOf: () => undefined },
  running: readings.running.map((row) =>
    toRunning(
      row,
      row.instance === instance
        ? { state: 'ended', exitCode: 0, signal: null, asked: false, output: '' }
        : { state: 'unknown' },
    ),
  ),
  promotable: readings.promotable,
  workerEnding: () => false,
})

let databases = 0
function freshDatabase(server: PostgresServer): { readonly url: string; psql(sql: string): string } {
  databases += 1
  const name = `bench_${databases}`
  server.psql(`CREATE DATABASE ${name}`)
  return { url: server.url.replace('/postgres?', `/${name}?`), psql: (sql) => server.psqlIn(name, sql) }
}

/** A package that was installed elsewhere. */
const load = async <T>(dir: string, name: string): Promise<T> =>
  (await import(pathToFileURL(createRequire(join(dir, 'package.json')).resolve(name)).href)) as T

interface Boss {
  start(): Promise<unknown>
  stop(options: { graceful: boolean }): Promise<void>
  createQueue(name: string): Promise<void>
  insert(name: string, jobs: readonly object[]): Promise<unknown>
  fetch(name: string, options: { batchSize: number }): Promise<readonly { id: string }[]>
  complete(name: string, ids: readonly string[]): Promise<unknown>
  on(event: 'error', listener: () => void): void
}

async function pgBoss(dir: string): Promise<Measure> {
  const { PgBoss } = await load<{ PgBoss: new (options: object) => Boss }>(dir, 'pg-boss')
  return async (server, { tasks, consumers, batch }) => {
    const { url, psql } = freshDatabase(server)
    const boss = new PgBoss({ connectionString: url, max: consumers, supervise: false })
    boss.on('error', () => undefined)
    await boss.start()
    await boss.createQueue('queue')
    const add = (count: number) =>
      boss.insert(
        'queue',
        Array.from({ length: count }, (_, n) => ({ data: { n } })),
      )
    let done = 0
    const consumeAll = () =>
      Promise.all(
        Array.from({ length: consumers }, async () => {
          for (;;) {
            const jobs = await boss.fetch('queue', { batchSize: batch })
            if (jobs.length === 0) return
            const ids = jobs.map(({ id }) => id)
            await boss.complete('queue', ids)
            done += ids.length
          }
        }),
      )
    const warm = WARM * consumers * batch
    await add(warm)
    await consumeAll()
    await add(tasks)
    const beganMs = performance.now()
    await consumeAll()
    const perSecond = (tasks * 1000) / (performance.now() - beganMs)
    const all = warm + tasks
    await boss.stop({ graceful: false })
    const completed = psql("SELECT count(*) FROM pgboss.job WHERE name = 'queue' AND state = 'completed'").trim()
    if (done !== all || completed !== String(all))
      throw new Error(`pg-boss has done ${done}, and kept ${completed}, of ${all} jobs`)
    return perSecond
  }
}

interface Graphile {
  run(options: object): Promise<{ stop(): Promise<void> }>
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>
    addJobs(jobs: readonly object[]): Promise<unknown>
    release(): Promise<void>
  }>
}

/** It takes jobs one by one, or has a queue in the process that is filled with a batch at once. */
async function graphileWorker(dir: string): Promise<Measure> {
  const { run, makeWorkerUtils } = await load<Graphile>(dir, 'graphile-worker')
  return async (server, { tasks, consumers, batch }) => {
    const quiet = { scope: () => quiet, error: noop, warn: noop, info: noop, debug: noop }
    const { url, psql } = freshDatabase(server)
    const base = { connectionString: url, logger: quiet }
    const utils = await makeWorkerUtils(base)
    await utils.migrate()
    await utils.addJobs(Array.from({ length: tasks }, (_, n) => ({ identifier: 'task', payload: { n } })))
    await utils.release()
    let done = 0
    let finish: () => void = noop
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const beganMs = performance.now()
    const runner = await run({
      ...base,
      noHandleSignals: true,
      concurrency: consumers,
      preset: batch === 1 ? {} : { worker: { localQueue: { size: consumers * batch }, completeJobBatchDelay: 0 } },
      taskList: {
        task: async () => {
          done += 1
          if (done === tasks) finish()
        },
      },
    })
    await finished
    await runner.stop()
    const perSecond = (tasks * 1000) / (performance.now() - beganMs)
    const left = psql('SELECT count(*) FROM graphile_worker.jobs').trim()
    if (left !== '0') throw new Error(`graphile-worker has left ${left} of ${tasks} jobs`)
    return perSecond
  }
}

const noop = (): void => undefined
