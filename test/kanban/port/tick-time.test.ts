// How long a tick takes when nearly everything on the board is done. Here it only has to work; `npm run long --
// tick-time` fills the boards with a million done tasks, and compares the times with those of an empty board.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type DispatchOptions, dispatchOnce } from '../../../src/kanban/dispatch/dispatch.ts'
import type { Board } from '../../../src/kanban/port/board.ts'
import { openPostgres } from '../../../src/kanban/postgres/database-boards.ts'
import { SqliteBoard } from '../../../src/kanban/sqlite/sqlite-board.ts'
import type { Tables } from '../../../src/kanban/sqlite/tables.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { FakeJobs } from '../../support/kanban/board.ts'
import { startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { size } from '../../support/size.ts'

const DONE = size(2000, 1_000_000)
const ROUNDS = size(3, 60)
/** A short run says nothing about times. */
const MOST = size(Number.POSITIVE_INFINITY, 2)
/** Tasks that a tick starts, and whose results the next one takes. */
const BUSY = 5
const TEXT_BYTES = 540
const EVENTS = ['created', 'promoted', 'claimed', 'completed']
const LIMIT = { timeout: size(120_000, 0) }

interface Medians {
  /** ms of a tick that finds nothing to do. */
  readonly idle: number
  /** ms of a tick that takes {@link BUSY} results and starts as many workers. */
  readonly busy: number
}

/** Ticks of both boards in turn, so that the machine is equally busy with other work. */
async function compared(empty: Board, full: Board): Promise<readonly [Medians, Medians]> {
  const [first, second] = [ticksOf(empty), ticksOf(full)]
  const times = [first, second].map((): Record<keyof Medians, number[]> => ({ idle: [], busy: [] }))
  try {
    for (let round = -1; round < ROUNDS; round++)
      for (const kind of ['idle', 'busy'] as const)
        for (const [at, ticks] of [first, second].entries()) {
          const ms = await ticks[kind]()
          if (round >= 0) times[at]?.[kind].push(ms) // the first of each warms up
        }
  } finally {
    for (const ticks of [first, second]) rmSync(ticks.home, { recursive: true, force: true })
  }
  const [a, b] = times.map(({ idle, busy }) => ({ idle: median(idle), busy: median(busy) }))
  return [a as Medians, b as Medians]
}

function ticksOf(board: Board) {
  const home = quickDir('hermes-ticks-')
  mkdirSync(join(home, 'profiles', 'coder'), { recursive: true })
  writeFileSync(join(home, 'profiles', 'coder', 'config.yaml'), JSON.stringify({ agent: { command: ['true'] } }))
  const jobs = new FakeJobs()
  const clock = systemClock()
  const warnings: string[] = []
  const options: DispatchOptions = {
    ...{ home, board, clock, jobs, host: 'bench' },
    builtIn: () => ['true'],
    warn: (text) => void warnings.push(text),
  }
  const actor = { name: 'tester', wallMs: 0 }
  const timed = async (starts: number): Promise<number> => {
    const beganMs = performance.now()
    const { report } = await dispatchOnce(options)
    const ms = performance.now() - beganMs
    expect([warnings, report.spawned.length]).toEqual([[], starts])
    return ms
  }
  const finishAll = (): void => {
    for (const slot of jobs.states.keys()) jobs.states.set(slot, DONE_WELL)
  }
  return {
    home,
    async idle() {
      finishAll()
      await dispatchOnce(options) // takes what the busy tick before has left
      return timed(0)
    },
    async busy() {
      const create = () => board.create({ title: 'work', assignee: 'coder' }, actor)
      for (let one = 0; one < BUSY; one++) await create()
      await dispatchOnce(options)
      finishAll()
      for (let one = 0; one < BUSY; one++) await create()
      return timed(BUSY)
    },
  }
}

const DONE_WELL = { state: 'ended', exitCode: 0, signal: null, asked: false } as const
const median = (samples: readonly number[]): number => samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? 0

function judge(kept: string, [empty, full]: readonly [Medians, Medians]): void {
  for (const kind of ['idle', 'busy'] as const) {
    const [a, b] = [empty[kind], full[kind]]
    const ratio = b / a
    console.log(
      `${kept}, ${kind} tick: ${a.toFixed(2)} ms empty, ${b.toFixed(2)} ms with ${DONE} done: ${ratio.toFixed(2)} ×`,
    )
    expect(ratio, `${kept}, ${kind}`).toBeLessThanOrEqual(MOST)
  }
}

test(`a tick over ${DONE} done tasks in a file is as quick as over none`, LIMIT, async () => {
  const [home, other] = [quickDir('hermes-file-'), quickDir('hermes-file-')]
  const open = (dir: string): Tables =>
    openTables(boardPlace(dir, 'default'), { mode: 'create', warn: () => undefined })
  const [empty, full] = [open(home), open(other)]
  fillFile(full)
  judge('SQLite', await compared(new SqliteBoard(empty), new SqliteBoard(full)))
  for (const tables of [empty, full]) tables.close()
  for (const dir of [home, other]) rmSync(dir, { recursive: true, force: true })
})

function fillFile(tables: Tables): void {
  tables.write(() => {
    const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${DONE})`
    const id = "printf('t_%08x', i)"
    tables.run(`INSERT INTO tasks (id, title, body, assignee, status, created_at, completed_at)
      ${numbers} SELECT ${id}, 'task', printf('%.*c', ${TEXT_BYTES}, 'x'), 'coder', 'done', i, i FROM n`)
    tables.run(`INSERT INTO runs (task_id, profile, outcome, started_at, ended_at)
      ${numbers} SELECT ${id}, 'coder', 'completed', i, i FROM n`)
    for (const kind of EVENTS)
      tables.run(`INSERT INTO events (task_id, kind, at) ${numbers} SELECT ${id}, '${kind}', i FROM n`)
  })
}

const why = whyNoPostgres()

describe.skipIf(why !== undefined)(`PostgreSQL (${why ?? 'a server of our own'})`, () => {
  test(`a tick over ${DONE} done tasks is as quick as over none`, LIMIT, async () => {
    await using server = await startPostgres()
    const open = (slug: string) => openPostgres({ slug }, server.url, { mode: 'create', warn: () => undefined })
    const [empty, full] = [await open('empty'), await open('full')]
    server.psql(fillSql('"hermes_full"'))
    judge('PostgreSQL', await compared(empty, full))
    for (const board of [empty, full]) await board.close()
  })
})

function fillSql(s: string): string {
  const id = "'t_' || lpad(to_hex(i), 8, '0')"
  const numbers = `FROM generate_series(1, ${DONE}) i`
  return `INSERT INTO ${s}.tasks (id, title, body, assignee, status, created_at, completed_at)
    SELECT ${id}, 'task', repeat('x', ${TEXT_BYTES}), 'coder', 'done', i, i ${numbers};
    INSERT INTO ${s}.runs (task_id, profile, outcome, started_at, ended_at)
    SELECT ${id}, 'coder', 'completed', i, i ${numbers};
    ${EVENTS.map((kind) => `INSERT INTO ${s}.events (task_id, kind, at) SELECT ${id}, '${kind}', i ${numbers};`).join('\n')}
    ANALYZE`
}
