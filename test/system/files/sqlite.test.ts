import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/system/clock.ts'
import { HermesError } from '../../../src/system/errors.ts'
import {
  databaseError,
  databaseId,
  databaseProblem,
  openDatabase,
  setAsideDatabase,
  walObstacle,
  whenFree,
} from '../../../src/system/files/sqlite.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-sqlite-')
})

const failure = (attempt: () => unknown): HermesError => {
  try {
    attempt()
  } catch (error) {
    if (error instanceof HermesError) return error
    throw error
  }
  throw new Error('it did not fail')
}

test('a new database is WAL, only its owner can read it, and so are its journals', () => {
  const file = join(dir, 'deep', 'new.db')
  const database = openDatabase(file)
  database.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)')
  expect(database.pragma('journal_mode', { simple: true })).toBe('wal')
  expect(database.pragma('synchronous', { simple: true })).toBe(2)
  expect(database.pragma('foreign_keys', { simple: true })).toBe(1)
  for (const name of readdirSync(join(dir, 'deep'))) expect(statSync(join(dir, 'deep', name)).mode & 0o777).toBe(0o600)
  expect(statSync(join(dir, 'deep')).mode & 0o777).toBe(0o700)
  database.close()
})

test('a file that is not a database is reported as "corrupt", by name, and is left as it was', () => {
  const file = join(dir, 'bad.db')
  writeFileSync(file, 'this is no database at all, '.repeat(100))
  const error = failure(() => openDatabase(file))
  expect(databaseProblem(error)).toBe('corrupt')
  expect(error.message).toContain(`${file} is damaged`)
  expect(readFileSync(file, 'utf8')).toMatch(/^this is no database/)
})

test('damage inside a database is found by the check on opening', () => {
  const file = join(dir, 'holed.db')
  const database = openDatabase(file)
  database.exec('CREATE TABLE t (x TEXT UNIQUE)')
  const insert = database.prepare('INSERT INTO t VALUES (?)')
  database.transaction(() => {
    for (let n = 0; n < 2000; n++) insert.run(`row ${n} ${'.'.repeat(50)}`)
  })()
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
  const bytes = readFileSync(file)
  bytes.fill(0xff, 3 * 4096, 6 * 4096)
  writeFileSync(file, bytes)
  openDatabase(file).close()
  expect(databaseProblem(failure(() => openDatabase(file, { check: true })))).toBe('corrupt')
})

test('a damaged database is set aside with its journals, and a new one can be made in its place', () => {
  const file = join(dir, 'x.db')
  for (const suffix of ['', '-wal', '-shm']) writeFileSync(file + suffix, 'damaged')
  writeFileSync(`${file}.corrupt-now`, 'an earlier one')
  const aside = setAsideDatabase(file, databaseId(file), 'now')
  expect(aside).toBe(`${file}.corrupt-now-2`)
  expect(readFileSync(`${aside}-wal`, 'utf8')).toBe('damaged')
  expect(existsSync(`${file}-wal`)).toBe(false)
  openDatabase(file).close()
})

test('a database that has taken the place of the damaged one is left alone', () => {
  const file = join(dir, 'x.db')
  writeFileSync(file, 'damaged')
  const damaged = databaseId(file)
  expect(setAsideDatabase(file, damaged, 'now')).toBe(`${file}.corrupt-now`)
  expect(setAsideDatabase(file, damaged, 'later')).toBeUndefined()
  openDatabase(file).close()
  expect(setAsideDatabase(file, damaged, 'later')).toBeUndefined()
  expect(readdirSync(dir).toSorted()).toEqual(['x.db', 'x.db.corrupt-now'])
  expect(databaseId(join(file, 'below'))).toBeUndefined()
})

test('a locked database is waited for without stalling the process', async () => {
  const file = join(dir, 'locked.db')
  openDatabase(file).exec('CREATE TABLE t (x)')
  const holder = openDatabase(file)
  const writer = openDatabase(file, { busyTimeoutMs: 0 })
  holder.exec('BEGIN IMMEDIATE')
  const error = failure(() => {
    try {
      writer.exec('INSERT INTO t VALUES (1)')
    } catch (cause) {
      throw databaseError(cause, file)
    }
  })
  expect(databaseProblem(error)).toBe('busy')
  let attempts = 0
  const written = whenFree(systemClock(), 10_000, () => {
    attempts += 1
    return writer.prepare('INSERT INTO t VALUES (1)').run().changes
  })
  // The loop turns while the lock is held: this line runs between two attempts.
  await waitFor('a second attempt', () => attempts > 1)
  holder.exec('COMMIT')
  expect(await written).toBe(1)
  holder.exec('BEGIN IMMEDIATE')
  await expect(whenFree(systemClock(), 20, () => writer.exec('INSERT INTO t VALUES (2)'))).rejects.toThrow('locked')
})

test('a committed row is there after the writer was killed', async () => {
  const file = join(dir, 'killed.db')
  const program = `const { openDatabase } = await import(${JSON.stringify(join(import.meta.dirname, '../../../src/system/files/sqlite.ts'))})
    const d = openDatabase(${JSON.stringify(file)}); d.exec('CREATE TABLE t (x)')
    d.prepare('INSERT INTO t VALUES (1)').run(); process.kill(process.pid, 'SIGKILL')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' })
  const signal = await new Promise((resolve) => child.on('exit', (_code, by) => resolve(by)))
  expect(signal).toBe('SIGKILL')
  const database = openDatabase(file, { check: true })
  expect(database.prepare('SELECT count(*) FROM t').pluck().get()).toBe(1)
  database.close()
})

test('a database that cannot be opened says so with the file and what to look at', () => {
  writeFileSync(join(dir, 'file'), '')
  const error = failure(() => openDatabase(join(dir, 'file', 'x.db')))
  expect(databaseProblem(error)).toBe('cannot-open')
  expect(error.next).toContain('owner and mode')
  expect(databaseProblem(failure(() => openDatabase(join(dir, 'absent.db'), { readOnly: true })))).toBe('cannot-open')
  expect(databaseProblem(new Error('a bug'))).toBeUndefined()
})

test('a file system whose memory two mounts cannot share is named, a local one is not', () => {
  expect(walObstacle(dir)).toBeUndefined()
  expect(databaseProblem(Object.assign(new Error('full'), { code: 'ENOSPC' }))).toBe('full')
})

test('on a full disk a write is trouble "full" and what was there stays readable', (context) => {
  const mount = join(dir, 'small')
  mkdirSync(mount)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mount])
  if (mounted.status !== 0) context.skip(`a file system of a given size needs the right to mount: ${mounted.stderr}`)
  try {
    const file = join(mount, 'x.db')
    const database = openDatabase(file)
    database.exec("CREATE TABLE t (x); INSERT INTO t VALUES ('first')")
    const error = failure(() => {
      try {
        for (let n = 0; n < 1000; n++) database.prepare('INSERT INTO t VALUES (?)').run('x'.repeat(2000))
      } catch (cause) {
        throw databaseError(cause, file)
      }
    })
    expect(databaseProblem(error)).toBe('full')
    expect(database.prepare('SELECT x FROM t LIMIT 1').pluck().get()).toBe('first')
    database.close()
  } finally {
    spawnSync('umount', [mount])
  }
})

test('a read-only database that exists can be read without write access to it', () => {
  const file = join(dir, 'ro.db')
  const database = openDatabase(file)
  database.exec('CREATE TABLE t (x); INSERT INTO t VALUES (7)')
  database.close()
  chmodSync(file, 0o400)
  const reader = openDatabase(file, { readOnly: true })
  expect(reader.prepare('SELECT x FROM t').pluck().get()).toBe(7)
  expect(() => reader.exec('INSERT INTO t VALUES (8)')).toThrow('readonly')
  reader.close()
})
