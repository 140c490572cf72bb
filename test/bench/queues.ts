/** Claim and completion of ready tasks on a board in PostgreSQL, beside queues for PostgreSQL. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { dispatchOnce } from '../../src/kanban/dispatch/dispatch.ts'
import type { JobState, Jobs } from '../../src/kanban/jobs/jobs.ts'
import { openPostgres } from '../../src/kanban/postgres/open.ts'
import { systemClock } from '../../src/system/clock.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../support/kanban/postgres.ts'
import { type Cell, cell, type Effort, type Row } from './row.ts'

const CONSUMERS = [1, 4, 16]
const BATCHES = [1, 10]

interface Load {
  readonly tasks: number
  readonly consumers: number
  /** Tasks that a consumer takes at once. */
  readonly batch: number
}

/** @returns tasks per second, from the first claim to the last completion @throws Error if one was left */
type Measure = (server: PostgresServer, load: Load) => Promise<number>

/**
 * Every server has fsync and synchronous_commit on, and a database of its own for each measurement.
 * @param dir where `npm install pg-boss@12 graphile-worker@0.18` was run; undefined: ours alone
 */
export async function queues(dir: string | undefined, { quick, say }: Effort): Promise<Row[]> {
  const why = whyNoPostgres()
  if (why !== undefined) throw new Error(why)
  const subjects: readonly (readonly [string, Measure, number])[] = [
    ['hermes', ours, quick ? 20 : 300],
    ...(dir === undefined
      ? []
      : ([
          ['pg-boss', await pgBoss(dir), quick ? 50 : 3000],
          ['graphile-worker', await graphileWorker(dir), quick ? 50 : 3000],
        ] as const)),
  ]
  await using server = await startPostgres({ durable: true })
  const rows: Row[] = []
  for (const batch of BATCHES)
    for (const consumers of CONSUMERS) {
      const how = `${consumers} ${consumers === 1 ? 'consumer' : 'consumers'}, ${batch} at once`
      const samples = new Map<string, number[]>(subjects.map(([name]) => [name, []]))
      for (let round = 0; round < (quick ? 1 : 3); round++)
        for (const [name, measure, tasks] of subjects) {
          say(`${name}: ${how}`)
          samples.get(name)?.push(await measure(server, { tasks, consumers, batch }))
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

/** The product's own ticks; a worker has done its work as soon as it is started. */
const ours: Measure = async (server, { tasks, consumers, batch }) => {
  const url = freshDatabase(server)
  const home = mkdtempSync(join(tmpdir(), 'hermes-bench-queue-'))
  mkdirSync(join(home, 'profiles', 'coder'), { recursive: true })
  writeFileSync(join(home, 'profiles', 'coder', 'config.yaml'), JSON.stringify({ agent: { command: ['true'] } }))
  const open = () => openPostgres({ slug: 'default' }, url, { mode: 'create', warn: () => undefined })
  const boards = await Promise.all(Array.from({ length: consumers }, open))
  try {
    for (let n = 0; n < tasks; n++)
      await boards[n % consumers]?.create({ title: `task ${n}`, assignee: 'coder' }, { name: 'bench', wallMs: 0 })
    const done = async (): Promise<boolean> => ((await boards[0]?.statusCounts())?.done ?? 0) >= tasks
    const beganMs = performance.now()
    await Promise.all(
      boards.map(async (board, n) => {
        const options = {
          home,
          board,
          jobs: instantJobs(`life-${n}`),
          clock: systemClock(),
          host: `host-${n}`,
          builtIn: () => ['true'],
          warn: (text: string) => {
            throw new Error(text)
          },
          max: batch,
        }
        while (!(await done())) await dispatchOnce(options)
      }),
    )
    return (tasks * 1000) / (performance.now() - beganMs)
  } finally {
    for (const board of boards) await board.close()
    rmSync(home, { recursive: true, force: true })
  }
}

function instantJobs(instance: string): Jobs {
  const states = new Map<string, JobState>()
  return {
    instance,
    phase: async () => 'running',
    list: async () => [...states.keys()],
    look: async (slot) => states.get(slot) ?? { state: 'none' },
    start: async ({ slot }) => void states.set(slot, { state: 'ended', exitCode: 0, signal: null, asked: false }),
    stop: async () => undefined,
    take: async (slot) => void states.delete(slot),
  }
}

let databases = 0
function freshDatabase(server: PostgresServer): string {
  databases += 1
  server.psql(`CREATE DATABASE bench_${databases}`)
  return server.url.replace('/postgres?', `/bench_${databases}?`)
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
    const boss = new PgBoss({ connectionString: freshDatabase(server), max: consumers, supervise: false })
    boss.on('error', () => undefined)
    await boss.start()
    await boss.createQueue('queue')
    await boss.insert(
      'queue',
      Array.from({ length: tasks }, (_, n) => ({ data: { n } })),
    )
    let done = 0
    const beganMs = performance.now()
    await Promise.all(
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
    const perSecond = (done * 1000) / (performance.now() - beganMs)
    await boss.stop({ graceful: false })
    if (done !== tasks) throw new Error(`pg-boss has done ${done} of ${tasks} jobs`)
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
    const base = { connectionString: freshDatabase(server), logger: quiet }
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
    return (tasks * 1000) / (performance.now() - beganMs)
  }
}

const noop = (): void => undefined
