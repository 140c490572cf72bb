import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type DispatchOptions, planDispatch } from '../../src/kanban/dispatch/dispatch.ts'
import { SqliteBoard } from '../../src/kanban/sqlite/sqlite-board.ts'
import type { Tables } from '../../src/kanban/sqlite/tables.ts'
import { openTables } from '../../src/kanban/store/board.ts'
import { boardPlace } from '../../src/kanban/store/places.ts'
import { systemClock } from '../../src/system/clock.ts'
import { cell, type Effort, type Row } from './row.ts'

export interface KanbanFigures {
  /** ms of one dry tick: everything a tick reads and decides. */
  readonly tickMs: readonly number[]
  /** ms of one change in this process, which is on the disk when it returns, and of a heartbeat, which need not be. */
  readonly changeMs: readonly number[]
  readonly heartbeatMs: readonly number[]
  /** ms of a whole `hermes kanban list` and `create`, process and all; empty without an install. */
  readonly listMs: readonly number[]
  readonly createMs: readonly number[]
}

const READY = 100
const RUNNING = 8

/**
 * A board of `tasks` tasks, most of them done.
 * @param install directory with bin/hermes; undefined: the commands are not measured
 */
export async function kanbanFigures(tasks: number, rounds: number, install?: string): Promise<KanbanFigures> {
  const home = mkdtempSync(join(tmpdir(), 'hermes-bench-board-'))
  try {
    mkdirSync(join(home, 'profiles', 'coder'), { recursive: true })
    writeFileSync(join(home, 'profiles', 'coder', 'config.yaml'), JSON.stringify({ agent: { command: ['true'] } }))
    const tables = openTables(boardPlace(home, 'default'), { mode: 'create', warn: () => undefined })
    fillBoard(tables, tasks)
    const board = new SqliteBoard(tables)
    const options: DispatchOptions = {
      home,
      board,
      clock: systemClock(),
      host: 'bench',
      jobs: null,
      warn: () => undefined,
      builtIn: () => ['true'],
    }
    const tickMs = await timed(rounds, async () => {
      const { report } = await planDispatch(options)
      if (report.spawned.length !== READY) throw new Error(`${report.spawned.length} tasks would start, not ${READY}`)
    })
    const actor = { name: 'bench', wallMs: 0 }
    const changeMs = await timed(10 * rounds, () => board.comment(taskId(RUNNING), 'a remark', actor))
    const heartbeatMs = await timed(
      10 * rounds,
      async () => void (await board.change('heartbeat', taskId(0), {}, actor)),
    )
    await board.close()
    const hermes = (...args: string[]) =>
      promisify(execFile)(join(install ?? '', 'bin', 'hermes'), ['kanban', ...args], {
        env: { PATH: process.env.PATH, HERMES_HOME: home, HERMES_DOCKER_EXEC_AS_ROOT: '1' },
      })
    const inProcess = { tickMs, changeMs, heartbeatMs }
    if (install === undefined) return { ...inProcess, listMs: [], createMs: [] }
    return {
      ...inProcess,
      listMs: await timed(rounds, () => hermes('list')),
      createMs: await timed(rounds, () => hermes('create', 'one more')),
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** The rows of the table; they have no peers. */
export async function kanban(install: string, { quick, say }: Effort): Promise<Row[]> {
  const tasks = quick ? 1000 : 100_000
  say(`board of ${tasks} tasks`)
  const { tickMs, changeMs, heartbeatMs, listMs, createMs } = await kanbanFigures(tasks, quick ? 3 : 15, install)
  const row = (title: string, budget: number | null, samples: readonly number[]): Row => ({
    title: `${title}, ${tasks} tasks on the board`,
    unit: 'ms',
    budget,
    cells: { hermes: cell(samples) },
  })
  return [
    row('kanban tick', 50, tickMs),
    row('kanban change, on the disk when it returns', null, changeMs),
    row('kanban heartbeat, which need not be', null, heartbeatMs),
    row('hermes kanban list', 100, listMs),
    row('hermes kanban create', 100, createMs),
  ]
}

/**
 * Done ones, with a run and two events each, but for {@link READY} ready and {@link RUNNING} that a program has set
 * running by hand.
 */
export function fillBoard(tables: Tables, tasks: number): void {
  tables.write(() => {
    for (let i = 0; i < tasks; i++) {
      const status = i < RUNNING ? 'running' : i < RUNNING + READY ? 'ready' : 'done'
      const id = taskId(i)
      tables.run(
        'INSERT INTO tasks (id, title, body, assignee, status, priority, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        id,
        `task ${i}`,
        'what is to be done, in some words',
        'coder',
        status,
        i % 7,
        i,
      )
      if (status !== 'done') continue
      tables.run(
        "INSERT INTO runs (task_id, profile, outcome, started_at, ended_at) VALUES (?, 'coder', 'completed', ?, ?)",
        id,
        i,
        i,
      )
      for (const kind of ['created', 'completed'])
        tables.run('INSERT INTO events (task_id, kind, at) VALUES (?, ?, ?)', id, kind, i)
    }
  })
}

const taskId = (i: number): string => `t_${i.toString(16).padStart(8, '0')}`

async function timed(rounds: number, work: () => Promise<unknown>): Promise<number[]> {
  const samples: number[] = []
  for (let round = 0; round < rounds; round++) {
    const startedAtMs = performance.now()
    await work()
    samples.push(performance.now() - startedAtMs)
  }
  return samples
}
