import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { lookAtHome, requireHome } from '../../src/cli/checks/upgrade.ts'
import { openSessions, sessionsFile } from '../../src/gateway/sessions/store.ts'
import { openTables } from '../../src/kanban/store/board.ts'
import { boardPlace } from '../../src/kanban/store/places.ts'
import { systemClock } from '../../src/system/clock.ts'
import { openDatabase } from '../../src/system/files/sqlite.ts'
import { tree } from '../backup/scene.ts'
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
