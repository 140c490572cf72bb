/** A real board in a home of its own, and workers that do as the test says. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Dispatched,
  type DispatchOptions,
  dispatchOnce,
  planDispatch,
} from '../../../src/kanban/dispatch/dispatch.ts'
import type { JobState, Jobs } from '../../../src/kanban/jobs/jobs.ts'
import type { Actor, Board } from '../../../src/kanban/port/board.ts'
import type { NewTask } from '../../../src/kanban/port/input.ts'
import { createTask } from '../../../src/kanban/sqlite/changes.ts'
import { requireTask } from '../../../src/kanban/sqlite/queries.ts'
import { SqliteBoard } from '../../../src/kanban/sqlite/sqlite-board.ts'
import type { Tables } from '../../../src/kanban/sqlite/tables.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import type { Task } from '../../../src/kanban/task.ts'
import { dayOf } from '../../../src/meter/budget.ts'
import { openLedger } from '../../../src/meter/ledger/ledger.ts'
import type { JobSpec } from '../../../src/protocol/control.ts'
import type { HermesError } from '../../../src/system/errors.ts'
import { profileDir } from '../../../src/system/paths.ts'
import { quickDir } from '../quick-dir.ts'
import { type FakeClock, fakeClock } from '../supervisor/fake-clock.ts'

export const HOST = 'this-host'
export const INSTANCE = 'this-life'

/** The supervisor as the board sees it: jobs run until the test ends them. */
export class FakeJobs implements Jobs {
  instance = INSTANCE
  readonly started: JobSpec[] = []
  readonly stopped: string[] = []
  readonly states = new Map<string, JobState>()
  /** Thrown by the next start. */
  refuse: HermesError | null = null
  life: 'running' | 'stopping' | 'waiting' = 'running'

  phase = async () => this.life
  list = async (): Promise<readonly string[]> => [...this.states.keys()]
  look = async (slot: string): Promise<JobState> => this.states.get(slot) ?? { state: 'none' }
  async start(spec: JobSpec): Promise<void> {
    if (this.refuse) throw this.refuse
    this.started.push(spec)
    // Our own pid: a process that lives as long as the test does.
    this.states.set(spec.slot, { state: 'running', pid: process.pid })
  }
  async stop(slot: string): Promise<void> {
    this.stopped.push(slot)
    if (this.states.get(slot)?.state === 'running') {
      this.states.set(slot, { state: 'ended', exitCode: null, signal: 'TERM', asked: true })
    }
  }
  async take(slot: string): Promise<void> {
    this.states.delete(slot)
  }
  slotOf(taskId: string): string {
    const slot = [...this.states.keys()].findLast((key) => key.startsWith(`job-${taskId}-`))
    if (slot === undefined) throw new Error(`no job of ${taskId}; there are: ${[...this.states.keys()].join(', ')}`)
    return slot
  }
  /** The worker of a task ends by itself. */
  end(taskId: string, ending: { exitCode: number } | { signal: string }): void {
    this.states.set(this.slotOf(taskId), {
      state: 'ended',
      exitCode: 'exitCode' in ending ? ending.exitCode : null,
      signal: 'signal' in ending ? ending.signal : null,
      asked: false,
    })
  }
}

/** Every alarm rings on the next turn of the loop. */
const soon = (_: number, wake: () => void): (() => void) => {
  setImmediate(wake)
  return () => undefined
}

export interface TestBoard extends Disposable {
  readonly home: string
  readonly board: Board
  /** The same board's file. */
  readonly tables: Tables
  readonly jobs: FakeJobs
  readonly clock: FakeClock
  /** Warnings of ticks. */
  readonly warnings: readonly string[]
  /** Sets `kanban:` of config.yaml, and the profiles that exist; `agent: false` has none configured. */
  configure(kanban: Readonly<Record<string, unknown>>): void
  profile(name: string, options?: { agent?: boolean; pool?: string }): void
  create(input: Partial<NewTask>): Task
  task(id: string): Task
  actor(runId?: number): Actor
  dispatch(options?: Partial<DispatchOptions>): Promise<Dispatched>
  plan(options?: Partial<DispatchOptions>): ReturnType<typeof planDispatch>
  /** Every row of every table, in order. */
  dump(): string
  sql(statement: string, ...values: (string | number | null)[]): void
}

export function testBoard(profiles: readonly string[] = ['alpha', 'beta']): TestBoard {
  const home = quickDir('hermes-board-')
  const clock = fakeClock()
  const jobs = new FakeJobs()
  const warnings: string[] = []
  const tables = openTables(boardPlace(home, 'default'), { mode: 'create', warn: () => undefined })
  const board = new SqliteBoard(tables)
  const base: DispatchOptions = {
    home,
    board,
    // Waits inside a tick are for other processes; on a clock that stands still they would never end.
    clock: {
      ...clock,
      nowMs: clock.nowMs,
      wallMs: clock.wallMs,
      at: soon,
    },
    host: HOST,
    jobs,
    builtIn: (profile) => ['built-in', profile],
    warn: (text) => void warnings.push(text),
  }
  const test: TestBoard = {
    home,
    board,
    tables,
    jobs,
    clock,
    warnings,
    configure: (kanban) => {
      writeFileSync(join(home, 'config.yaml'), JSON.stringify({ agent: { command: ['agent'] }, kanban }))
    },
    profile: (name, { agent = true, pool } = {}) => {
      const dir = join(home, 'profiles', name)
      mkdirSync(dir, { recursive: true })
      const keys = { ...(agent && { command: ['agent', '{task}'] }), ...(pool !== undefined && { pool }) }
      writeFileSync(join(dir, 'config.yaml'), JSON.stringify({ agent: keys }))
    },
    create: (input) => {
      clock.advance(1)
      return createTask(tables, { title: 'a task', ...input }, test.actor()).task
    },
    task: (id) => requireTask(tables, id),
    actor: (runId) => ({ name: 'tester', wallMs: clock.wallMs(), ...(runId === undefined ? {} : { runId }) }),
    dispatch: (options) => dispatchOnce({ ...base, ...options }),
    plan: (options) => planDispatch({ ...base, ...options }),
    dump: () => dump(tables),
    sql: (statement, ...values) => void tables.run(statement, ...values),
    [Symbol.dispose]() {
      tables.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
  for (const name of profiles) test.profile(name)
  return test
}

/** A logical dump: equal before and after means that nothing was written. */
export function dump(tables: Tables): string {
  const names = tables.all<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
  return JSON.stringify(names.map(({ name }) => [name, tables.all(`SELECT * FROM "${name}" ORDER BY 1, 2`)]))
}

/** Gives a profile with an agent a budget, and lets the meter have counted more than that. */
export function spendBudget({ home, clock }: TestBoard, profile: string, per: 'day' | 'month' = 'day'): void {
  const config = { agent: { command: ['agent'] }, budget: { per, tokens: 5 } }
  writeFileSync(join(profileDir(home, profile), 'config.yaml'), JSON.stringify(config))
  const ledger = openLedger(home, () => undefined)
  const id = randomUUID()
  ledger.begin({ id, day: dayOf(clock.wallMs()), profile, board: '', task: '', model: 'm' })
  ledger.note(id, { inputTokens: 3, cachedTokens: 0, outputTokens: 4 }, undefined)
  ledger.finish(id)
  ledger.close()
}
