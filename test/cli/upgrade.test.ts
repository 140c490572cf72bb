import { cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { lookAtHome, requireHome } from '../../src/cli/checks/upgrade.ts'
import { openSessions, sessionsChanges, sessionsFile } from '../../src/gateway/sessions/store.ts'
import { boardChanges } from '../../src/kanban/sqlite/schema.ts'
import { openTables } from '../../src/kanban/store/board.ts'
import { boardPlace } from '../../src/kanban/store/places.ts'
import { systemClock } from '../../src/system/clock.ts'
import { openDatabase } from '../../src/system/files/sqlite.ts'
import { lookAtDatabase } from '../../src/system/files/sqlite-look.ts'
import { tree } from '../backup/scene.ts'
import { memoryDisk, NO_MOUNT } from '../support/hostile/memory-disk.ts'
import { scratchDir } from '../support/scratch.ts'

let home: string
let coder: string
beforeEach(() => {
  home = scratchDir('hermes-upgrade-')
  coder = join(home, 'profiles', 'coder')
  mkdirSync(coder, { recursive: true })
})

function change(file: string, sql: string): void {
  const database = openDatabase(file)
  database.exec(sql)
  database.close()
}
const newBoard = (slug: string): string => {
  const place = boardPlace(home, slug)
  openTables(place, { mode: 'create', warn: () => undefined }).close()
  return place.file
}
const newSessions = (): string => {
  openSessions(coder, systemClock(), () => undefined).close()
  return sessionsFile(coder)
}

const copiesOf = (file: string): readonly string[] =>
  readdirSync(dirname(file))
    .filter((name) => name.startsWith(`${basename(file)}.before-`))
    .map((name) => join(dirname(file), name))

test('a home of this version stays as it is, and the look changes nothing in it', () => {
  const files = [newBoard('default'), newSessions()]
  writeFileSync(join(coder, 'config.yaml'), 'description: x\n')
  const before = tree(home)
  const found = [...files, join(coder, 'config.yaml')].map((path) => ({ path, adds: [] }))
  expect(lookAtHome(home)).toEqual(found)
  expect(tree(home)).toEqual(before)
})

test('columns and tables that an earlier version lacks are named, and are still lacking after the look', () => {
  const board = newBoard('work')
  change(board, "ALTER TABLE tasks DROP COLUMN needs; DELETE FROM additions WHERE name = 'tasks.needs'")
  const sessions = newSessions()
  change(sessions, 'DROP TABLE prompts')
  const before = tree(home)
  expect(lookAtHome(home)).toEqual([
    { path: board, adds: ['tasks.needs'] },
    { path: sessions, adds: ['prompts'] },
  ])
  expect(tree(home)).toEqual(before)
  // The names are those of what opening the files adds.
  openTables(boardPlace(home, 'work'), { mode: 'write', warn: () => undefined }).close()
  newSessions()
  expect(lookAtHome(home).every((one) => 'adds' in one && one.adds.length === 0)).toBe(true)
})

test('before a file is changed, a copy of it is made, once, with its rows and without the change', () => {
  const board = newBoard('default')
  const sessions = newSessions()
  expect([copiesOf(board), copiesOf(sessions)]).toEqual([[], []])
  change(board, "INSERT INTO tasks (id, title, created_at) VALUES ('t_1', 'a task', 0)")
  change(board, "ALTER TABLE tasks DROP COLUMN needs; DELETE FROM additions WHERE name = 'tasks.needs'")
  change(sessions, "INSERT INTO sessions VALUES ('s_1', 0, 0); DROP TABLE prompts")
  for (const _ of [1, 2]) {
    openTables(boardPlace(home, 'default'), { mode: 'write', warn: () => undefined }).close()
    newSessions()
  }
  const [ofBoard = '', ...more] = [...copiesOf(board), ...copiesOf(sessions)]
  expect(more).toHaveLength(1)
  expect(ofBoard).toMatch(/\/kanban\.db\.before-\d{8}T\d{6}Z$/)
  expect(statSync(ofBoard).mode & 0o777).toBe(0o600)
  expect(lookAtDatabase(ofBoard, (database) => boardChanges(database, ofBoard))).toEqual(['tasks.needs'])
  const rows = (file: string, sql: string): unknown => lookAtDatabase(file, (database) => database.prepare(sql).all())
  expect(rows(ofBoard, 'SELECT id, title FROM tasks')).toEqual([{ id: 't_1', title: 'a task' }])
  expect(rows(more[0] ?? '', 'SELECT id FROM sessions')).toEqual([{ id: 's_1' }])
  expect(lookAtDatabase(more[0] ?? '', (database) => sessionsChanges(database, ''))).toEqual(['prompts'])
})

test('beside a copy that was cut off, the change is made without another one, with a warning', () => {
  const board = newBoard('default')
  change(board, "ALTER TABLE tasks DROP COLUMN needs; DELETE FROM additions WHERE name = 'tasks.needs'")
  writeFileSync(`${board}.before.part`, 'half')
  const warnings: string[] = []
  openTables(boardPlace(home, 'default'), { mode: 'write', warn: (text) => warnings.push(text) }).close()
  expect(warnings).toEqual([expect.stringMatching(/before: .*kanban\.db\.before\.part is there/)])
  expect(copiesOf(board)).toEqual([])
  expect(lookAtDatabase(board, (database) => boardChanges(database, board))).toEqual([])
})

test('without room for the copy, the change is made, with a warning', (context) => {
  using disk = memoryDisk('2m')
  if (!disk) return context.skip(NO_MOUNT)
  const board = newBoard('default')
  change(board, "ALTER TABLE tasks DROP COLUMN needs; DELETE FROM additions WHERE name = 'tasks.needs'")
  change(board, "INSERT INTO tasks (id, title, body, created_at) VALUES ('t_1', 'a', hex(zeroblob(600000)), 0)")
  const place = boardPlace(disk.path, 'default')
  mkdirSync(dirname(place.file), { recursive: true })
  cpSync(board, place.file)
  const warnings: string[] = []
  openTables(place, { mode: 'write', warn: (text) => warnings.push(text) }).close()
  expect(warnings).toEqual([
    expect.stringMatching(/kanban\.db gets what this version adds, and could not be copied before: .*full/),
  ])
  expect(readdirSync(dirname(place.file)).filter((name) => name.includes('before'))).toEqual([])
  expect(lookAtDatabase(place.file, (database) => boardChanges(database, place.file))).toEqual([])
})

test('files of a newer version, files that are not databases and unknown settings are problems', () => {
  change(newBoard('default'), 'PRAGMA user_version = 99')
  change(newSessions(), 'PRAGMA user_version = 99')
  writeFileSync(join(home, 'usage.db'), 'x'.repeat(5000))
  writeFileSync(join(coder, 'config.yaml'), 'gateway:\n  comand: [x]\n')
  const before = tree(home)
  const problems = lookAtHome(home).map((one) => ('problem' in one ? one.problem : ''))
  expect(problems).toEqual([
    expect.stringMatching(/kanban\.db has schema generation 99; this version supports 1$/),
    expect.stringMatching(/sessions\.db has schema version 99; this program supports 1$/),
    expect.stringMatching(/usage\.db is damaged \(/),
    expect.stringMatching(/config\.yaml, line 2: gateway\.comand: unknown key; did you mean gateway\.command\?/),
  ])
  expect(tree(home)).toEqual(before)
})

test('a file that cannot be read is a problem of its own, and a home that is not there is no empty one', () => {
  mkdirSync(join(coder, 'config.yaml'))
  newBoard('default')
  expect(lookAtHome(home).map((one) => 'problem' in one)).toEqual([false, true])
  expect(() => requireHome(join(home, 'none'))).toThrow(`${join(home, 'none')} does not exist`)
  expect(() => requireHome(join(home, 'profiles', 'coder', 'config.yaml'))).toThrow('is empty')
  expect(() => requireHome(join(coder, 'sub'))).toThrow('does not exist')
})

test('a board that another process has open is looked at', () => {
  const file = newBoard('default')
  const database = openDatabase(file)
  database.exec('BEGIN IMMEDIATE; UPDATE tasks SET priority = 1')
  expect(lookAtHome(home)).toEqual([{ path: file, adds: [] }])
  database.close()
})
