// Columns that came after the first generation of a board in a file, which older versions still use.
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { HANDOVER_LIMITS } from '../../src/kanban/handover/facts.ts'
import { openBoard, openTables } from '../../src/kanban/store/board.ts'
import { boardPlace } from '../../src/kanban/store/places.ts'
import { exportBoard } from '../../src/kanban/transfer/export.ts'
import { quickDir } from '../support/quick-dir.ts'

const actor = { name: 'tester', wallMs: 1000 }
const warn = (): void => undefined

/** A board as the first version made it. */
async function firstBoard() {
  const home = quickDir('hermes-additions-')
  const place = boardPlace(home, 'default')
  const made = await openBoard(place, { mode: 'create', warn })
  const { task } = await made.create({ title: 'kept' }, actor)
  await made.close()
  sql(
    place,
    'ALTER TABLE tasks DROP COLUMN once',
    'ALTER TABLE tasks DROP COLUMN needs',
    'ALTER TABLE tasks DROP COLUMN result_schema',
    'ALTER TABLE tasks DROP COLUMN result_json',
    'DROP TABLE additions',
  )
  return { place, id: task.id, [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }) }
}

/** Another program's statements. */
function sql(place: ReturnType<typeof boardPlace>, ...statements: readonly string[]): void {
  const tables = openTables(place, { mode: 'write', warn })
  for (const statement of statements) tables.run(statement)
  tables.close()
}

test('a board of the first version is read as it is, and nothing is written', async () => {
  using first = await firstBoard()
  const board = await openBoard(first.place, { mode: 'read', warn })
  expect(await board.find(first.id)).toMatchObject({ title: 'kept', once: false })
  expect([await board.running(), await board.list({ statuses: ['ready'], limit: 9 })]).toMatchObject([
    [],
    [{ id: first.id, once: false }],
  ])
  expect(await board.handover(first.id, HANDOVER_LIMITS)).toMatchObject({ parents: { entries: [] } })
  let text = ''
  await board.snapshot(async (snapshot) => {
    for await (const piece of exportBoard(snapshot, 'default')) text += piece.text
  })
  expect(text).toContain('"kept"')
  expect(text).not.toMatch(/once|result_/)
  await board.close()
  const tables = openTables(first.place, { mode: 'read', warn })
  expect(tables.get("SELECT 1 FROM sqlite_schema WHERE name = 'additions'")).toBeUndefined()
  tables.close()
})

test('the first writer adds what is missing and counts it; the generation, which older versions check, stays', async () => {
  using first = await firstBoard()
  const boards = await Promise.all([1, 2].map(() => openBoard(first.place, { mode: 'write', warn })))
  expect((await boards[0]?.create({ title: 'x', once: true }, actor))?.task.once).toBe(true)
  for (const board of boards) await board.close()
  const tables = openTables(first.place, { mode: 'read', warn })
  expect(tables.all('SELECT * FROM additions')).toEqual([
    { number: 1, name: 'tasks.once' },
    { number: 2, name: 'tasks.needs' },
    { number: 3, name: 'tasks.result_schema' },
    { number: 4, name: 'tasks.result_json' },
  ])
  expect(tables.get('PRAGMA user_version')).toEqual({ user_version: 1 })
  expect(tables.get('SELECT title, once FROM tasks ORDER BY seq')).toEqual({ title: 'kept', once: null })
  tables.close()
})

test('a column that a later version has added is accepted if it cannot execute, and refused otherwise', async () => {
  using first = await firstBoard()
  sql(
    first.place,
    'ALTER TABLE tasks ADD COLUMN later INTEGER NOT NULL DEFAULT 0',
    "ALTER TABLE runs ADD COLUMN more TEXT DEFAULT 'x'",
    "INSERT INTO additions VALUES (99, 'tasks.later')",
  )
  const board = await openBoard(first.place, { mode: 'write', warn })
  expect((await board.create({ title: 'x' }, actor)).task.title).toBe('x')
  await board.close()
  sql(first.place, 'ALTER TABLE tasks ADD COLUMN slow TEXT AS (hex(zeroblob(1e9)))')
  await expect(openBoard(first.place, { mode: 'write', warn })).rejects.toThrow(/the table "tasks" in it is not one/)
})
