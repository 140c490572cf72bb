// Many real processes on one board.
import { execFile, spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createTask } from '../../../src/kanban/sqlite/changes.ts'
import { openTables } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { waitFor } from '../../support/wait.ts'

const run = promisify(execFile)
const writer = join(import.meta.dirname, '../../support/programs/kanban-writer.ts')
const WRITERS = 20
const CHANGES = 25

interface Said {
  readonly created: number
  readonly comments: number
  readonly spawned: readonly string[]
  readonly locked: number
}

test(`two dispatchers, ${WRITERS} writers and a reader that never ends its transaction: nothing is lost, torn or busy`, {
  timeout: 300_000,
}, async () => {
  const home = quickDir('hermes-writers-')
  try {
    writeFileSync(join(home, 'config.yaml'), JSON.stringify({ agent: { command: ['true'] } }))
    const place = boardPlace(home, 'default')
    const board = openTables(place, { mode: 'create', warn: () => undefined })
    const shared = createTask(board, { title: 'everybody writes here' }, { name: 'test', wallMs: Date.now() }).task
    // Holds a snapshot from before all of it.
    const reader = spawn(process.execPath, [writer, home, 'reader'], { stdio: ['pipe', 'pipe', 'inherit'] })
    let heard = ''
    reader.stdout.on('data', (chunk) => {
      heard += String(chunk)
    })
    await waitFor('the reader to have its snapshot', () => heard.includes('1 task'))

    const processes = [
      ...Array.from({ length: WRITERS }, (_, i) =>
        run(process.execPath, [writer, home, 'writer', String(i), String(CHANGES), shared.id]),
      ),
      ...[0, 1].map((i) => run(process.execPath, [writer, home, 'dispatcher', String(i), String(CHANGES)])),
    ]
    const said = (await Promise.all(processes)).map(({ stdout, stderr }) => {
      expect(stderr).toBe('')
      return JSON.parse(stdout) as Said
    })

    reader.stdin.end()
    await waitFor('the reader to look again', () => reader.exitCode !== null)
    expect(heard, 'its view did not move while it held it').toBe('1 task\n1 task\n')

    const count = (sql: string): number => board.get<{ n: number }>(sql)?.n ?? -1
    expect(said.reduce((sum, { created }) => sum + created, 0)).toBe(WRITERS * CHANGES)
    expect(count('SELECT count(*) AS n FROM tasks')).toBe(WRITERS * CHANGES + 1)
    expect(count('SELECT count(*) AS n FROM comments')).toBe(WRITERS * CHANGES)
    expect(count("SELECT count(*) AS n FROM events WHERE kind = 'commented'")).toBe(WRITERS * CHANGES)
    expect(count("SELECT count(*) AS n FROM events WHERE kind = 'created'")).toBe(WRITERS * CHANGES + 1)
    expect(count('SELECT count(*) AS n FROM events WHERE NOT json_valid(payload)')).toBe(0)
    // Every priority was raised by one, by each writer, on the same row: one lost update would show.
    expect(count(`SELECT priority AS n FROM tasks WHERE id = '${shared.id}'`)).toBe(WRITERS * CHANGES)

    const spawned = said.flatMap((one) => one.spawned ?? [])
    expect(new Set(spawned).size, 'no task was started twice').toBe(spawned.length)
    expect(count("SELECT count(*) AS n FROM events WHERE kind = 'claimed'")).toBe(spawned.length)
    expect(count('SELECT count(*) AS n FROM runs')).toBe(spawned.length)
    expect(count("SELECT count(*) AS n FROM tasks WHERE status = 'running'")).toBe(spawned.length)
    expect(spawned.length).toBeGreaterThan(0)
    expect(board.all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
    board.close()
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})
