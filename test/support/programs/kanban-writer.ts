// One process on a tables that others use: node kanban-writer.ts HOME writer|dispatcher|reader …
import { readFileSync, writeSync } from 'node:fs'
import { dispatchOnce } from '../../../src/kanban/dispatch/dispatch.ts'
import type { JobState, Jobs } from '../../../src/kanban/jobs/jobs.ts'
import { createTask } from '../../../src/kanban/sqlite/changes.ts'
import { comment } from '../../../src/kanban/sqlite/links.ts'
import { SqliteBoard } from '../../../src/kanban/sqlite/sqlite-board.ts'
import { LONG_BUSY_TIMEOUT_MS, openTables, SHORT_BUSY_TIMEOUT_MS } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { systemClock } from '../../../src/system/clock.ts'

const [home = '', role = '', name = '', times = '0', shared = ''] = process.argv.slice(2)
const clock = systemClock()
const mode = role === 'reader' ? 'read' : 'write'
const tables = openTables(boardPlace(home, 'default'), {
  mode,
  busyTimeoutMs: role === 'dispatcher' ? SHORT_BUSY_TIMEOUT_MS : LONG_BUSY_TIMEOUT_MS,
  warn: (text) => process.stderr.write(`${text}\n`),
})

function write(): object {
  for (let i = 0; i < Number(times); i++) {
    const actor = { name, wallMs: clock.wallMs() }
    createTask(tables, { title: `task ${i} of ${name}`, assignee: 'default' }, actor)
    comment(tables, shared, `comment ${i} of ${name}`, actor)
    tables.write(() => {
      const row = tables.get<{ priority: number }>('SELECT priority FROM tasks WHERE id = ?', shared)
      tables.run('UPDATE tasks SET priority = ? WHERE id = ?', (row?.priority ?? 0) + 1, shared)
    })
  }
  return { created: Number(times), comments: Number(times) }
}

async function dispatch(): Promise<object> {
  const states = new Map<string, JobState>()
  const jobs: Jobs = {
    instance: 'one-life',
    phase: async () => 'running',
    list: async () => [...states.keys()],
    look: async (slot) => states.get(slot) ?? { state: 'running' as const, pid: process.pid },
    start: async ({ slot }) => void states.set(slot, { state: 'running', pid: process.pid }),
    stop: async () => undefined,
    take: async () => undefined,
  }
  const spawned: string[] = []
  let locked = 0
  for (let i = 0; i < Number(times); i++) {
    const { report } = await dispatchOnce({
      home,
      board: new SqliteBoard(tables),
      clock,
      host: 'one-host',
      jobs,
      builtIn: () => ['true'],
      warn: () => undefined,
    })
    spawned.push(...report.spawned.map(({ task_id }) => task_id))
    if (report.skipped_locked) locked += 1
  }
  return { created: 0, spawned, locked }
}

function read(): void {
  const look = (): void => {
    const row = tables.get<{ n: number }>('SELECT count(*) AS n FROM tasks')
    writeSync(1, `${row?.n} task\n`)
  }
  tables.read(() => {
    look()
    // Until our stdin is closed.
    readFileSync(0)
    look()
  })
}

if (role === 'reader') read()
else writeSync(1, JSON.stringify(role === 'writer' ? write() : await dispatch()))
tables.close()
