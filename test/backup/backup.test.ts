import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { snapshotFile } from '../../src/backup/snapshot.ts'
import { createTask } from '../../src/kanban/sqlite/changes.ts'
import { openTables } from '../../src/kanban/store/board.ts'
import { boardPlace } from '../../src/kanban/store/places.ts'
import { openDatabase } from '../../src/system/files/sqlite.ts'
import { memoryDisk, NO_MOUNT } from '../support/hostile/memory-disk.ts'
import { boardShapes, plantAll } from '../support/hostile/planted-databases.ts'
import { scratchDir } from '../support/scratch.ts'
import { putBack, save, tree } from './scene.ts'

let top: string
let home: string
let file: string
let to: string
beforeEach(() => {
  top = scratchDir('hermes-backup-')
  home = join(top, 'home')
  file = join(top, 'home.tar.gz')
  to = join(top, 'to')
  mkdirSync(join(home, 'skills', 'empty'), { recursive: true })
  mkdirSync(join(home, 'profiles', 'coder', 'workspace'), { recursive: true })
  writeFileSync(join(home, 'config.yaml'), 'a: 1\n')
  writeFileSync(join(home, '.env'), 'KEY=x\n', { mode: 0o600 })
  writeFileSync(join(home, 'skills', `${'long-'.repeat(40)}ü.txt`), '')
  writeFileSync(join(home, 'profiles', 'coder', 'workspace', 'large'), Buffer.alloc(9_000_000, 'xyz'))
  writeFileSync(join(home, 'skills', 'run.sh'), '#!/bin/sh\n')
  chmodSync(join(home, 'skills', 'run.sh'), 0o555)
  chmodSync(join(home, 'skills', 'empty'), 0o500)
  symlinkSync('/nowhere', join(home, 'dangling'))
  symlinkSync('skills', join(home, 'inside'))
})

const leftOf = (home: string): readonly string[] => readdirSync(home).filter((name) => name.startsWith('.hermes-'))

test('a home comes out as it went in, with modes, times and links', async () => {
  const { manifest, missing, leftOut } = await save(home, file)
  expect([missing, leftOut]).toEqual([[], 0])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await putBack(file, to)
  const { desired_state, 'profiles/coder/desired_state': coders, ...rest } = tree(to)
  expect(rest).toEqual(tree(home))
  for (const state of [desired_state, coders]) expect(state).toContain(Buffer.from('stopped\n').toString('base64'))
  expect(manifest.entries.filter(({ type }) => type === 'link')).toHaveLength(2)
  expect([...leftOf(home), ...leftOf(top)]).toEqual([])
})

test('two backups of one second are two files, and one whose name is given is replaced', async () => {
  const made = await Promise.all([1, 2].map(() => save(home, { path: file, isNew: true })))
  const second = file.replace('.tar', '-2.tar')
  expect(made.map((one) => one.file).toSorted()).toEqual([second, file].toSorted())
  for (const one of [file, second]) await putBack(one, `${one}.d`)
  expect(readdirSync(top).filter((name) => name.startsWith('.hermes-'))).toEqual([])
  await save(home, { path: second, isNew: false })
  expect(readdirSync(top).filter((name) => name.endsWith('.gz'))).toHaveLength(2)
})

test('tar reads it, and sees the manifest first', async () => {
  await save(home, file)
  const { stdout, status } = spawnSync('tar', ['-tzf', file], { encoding: 'utf8' })
  expect(status).toBe(0)
  expect(stdout.split('\n')[0]).toBe('manifest.json')
  expect(stdout).toContain('home/profiles/coder/workspace/large\n')
})

test('the desired state comes back only if it is wanted, and the state of a run never', async () => {
  for (const dir of [home, join(home, 'profiles', 'coder')]) {
    writeFileSync(join(dir, 'desired_state'), 'running\n')
    writeFileSync(join(dir, 'gateway.pid'), '1\n')
    writeFileSync(join(dir, 'gateway_state.json'), '{}')
  }
  for (const name of ['run', 'logs', 'backups', 'home/.cache', 'profiles/.new-x', 'kanban/dispatch'])
    mkdirSync(join(home, name), { recursive: true })
  writeFileSync(join(home, 'run.lease'), 'a container')
  await save(home, file)
  await putBack(file, to)
  const names = readdirSync(to, { recursive: true })
  for (const name of ['run', 'run.lease', 'logs', 'backups', 'gateway.pid', 'gateway_state.json', 'home/.cache'])
    expect(names).not.toContain(name)
  expect(names).not.toContain('profiles/.new-x')
  expect(readFileSync(join(to, 'desired_state'), 'utf8')).toBe('stopped\n')
  expect(readFileSync(join(to, 'profiles', 'coder', 'desired_state'), 'utf8')).toBe('stopped\n')
  await putBack(file, join(top, 'again'), true)
  expect(readFileSync(join(top, 'again', 'profiles', 'coder', 'desired_state'), 'utf8')).toBe('running\n')
})

test('without secrets, no file with keys is in it', async () => {
  writeFileSync(join(home, 'profiles', 'coder', 'auth.json'), '{}')
  writeFileSync(join(home, 'dashboard.key'), 'k')
  const { manifest } = await save(home, file, { wanted: { secrets: false, logs: false } })
  expect(manifest.secrets).toBe(false)
  expect(manifest.entries.map(({ path }) => path).filter((path) => /env|auth|key/.test(path))).toEqual([])
})

test('planted files are not followed, and are named', async () => {
  spawnSync('mkfifo', [join(home, 'fifo')])
  writeFileSync(join(home, 'giant'), '')
  truncateSync(join(home, 'giant'), 5e12)
  symlinkSync('/proc/self/fd', join(home, 'proc'))
  symlinkSync('/dev/zero', join(home, 'zero'))
  mkdirSync(join(home, 'profiles', '.moving-writer'))
  writeFileSync(Buffer.concat([Buffer.from(`${home}/`), Buffer.from([0xff, 0x61])]), '')
  const server = createServer().listen(join(home, 'socket'))
  try {
    const { manifest, missing } = await save(home, file)
    expect(missing).toEqual([])
    expect(manifest.leftOut.map(({ path, why }) => `${path} ${why}`).sort()).toEqual([
      'fifo is a FIFO',
      'giant claims 5000000000000 bytes, most of them not on the disk',
      'profiles/.moving-writer is a profile on its way to another node',
      'socket is a socket',
      '\ufffda has a name that is not UTF-8',
    ])
    expect(manifest.entries).toContainEqual({ type: 'link', path: 'zero', to: '/dev/zero' })
  } finally {
    server.close()
  }
  await putBack(file, to)
})

test.skipIf(process.getuid?.() === 0)(
  'a file that may not be read is missing, and the rest is there (needs a user other than root)',
  async () => {
    writeFileSync(join(home, 'locked'), 'x', { mode: 0 })
    const { missing } = await save(home, file)
    expect(missing).toEqual([{ path: 'locked', why: 'may not be read (EACCES)' }])
    await putBack(file, to)
  },
)

describe('a database', () => {
  test('is one moment, also while a transaction is open', async () => {
    const database = openDatabase(join(home, 'kanban.db'))
    database.exec('CREATE TABLE t (n); INSERT INTO t VALUES (1)')
    database.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES (2)')
    const { manifest } = await save(home, file)
    database.exec('COMMIT')
    database.close()
    expect(manifest.entries.filter(({ path }) => path.startsWith('kanban.db'))).toEqual([
      expect.objectContaining({ path: 'kanban.db', database: true }),
    ])
    await putBack(file, to)
    const copy = openDatabase(join(to, 'kanban.db'))
    expect(copy.prepare('SELECT n FROM t').all()).toEqual([{ n: 1 }])
    expect(copy.pragma('integrity_check', { simple: true })).toBe('ok')
    copy.close()
  })

  test('that SQLite cannot read is in it as a file', async () => {
    writeFileSync(join(home, 'broken.db'), `SQLite format 3\0${'x'.repeat(5000)}`)
    const { manifest } = await save(home, file)
    expect(manifest.leftOut).toEqual([
      { path: 'broken.db, as a database', why: 'is not readable for SQLite; it is in the backup as a file' },
    ])
    await putBack(file, to)
    expect(readFileSync(join(to, 'broken.db'))).toEqual(readFileSync(join(home, 'broken.db')))
  })
})

test('whatever lies in the place of a database, a backup ends, and comes back', { timeout: 300_000 }, async () => {
  const made = (file: string): void => {
    const board = openTables({ slug: 'x', file }, { mode: 'create', warn: () => undefined })
    createTask(board, { title: 'a task' }, { name: 'test', wallMs: Date.now() })
    board.close()
  }
  const shapes = boardShapes(made)
  plantAll(shapes, (index) => boardPlace(home, `b${index}`).file)
  made(boardPlace(home, 'good').file)
  const { manifest } = await save(home, file)
  expect(manifest.entries).toContainEqual(
    expect.objectContaining({ path: 'kanban/boards/good/kanban.db', database: true }),
  )
  await putBack(file, to)
  const board = openTables(boardPlace(to, 'good'), { mode: 'read', warn: () => undefined })
  expect(board.all('SELECT title FROM tasks')).toEqual([{ title: 'a task' }])
  board.close()
})

describe('a file that changes while it is read', () => {
  const large = (): string => join(home, 'profiles', 'coder', 'workspace', 'large')

  test('is read again', () => {
    let pieces = 0
    const read = snapshotFile(large(), join(top, 'scratch'), () => {
      if (++pieces === 3) appendFileSync(large(), 'end')
    })
    expect(read).toMatchObject({ changed: false, size: 9_000_003 })
  })

  test('and is recorded as changed if it does so each time, with the length that was read', () => {
    const read = snapshotFile(large(), join(top, 'scratch'), () => appendFileSync(large(), 'more'))
    expect(read.changed).toBe(true)
    expect(statSync(join(top, 'scratch')).size).toBe(read.size)
  })

  test('also if it becomes shorter', () => {
    const read = snapshotFile(large(), join(top, 'scratch'), () =>
      truncateSync(large(), statSync(large()).size - 100_000),
    )
    expect(read.changed).toBe(true)
    expect(statSync(join(top, 'scratch')).size).toBe(read.size)
  })
})

test('an encrypted backup is nowhere outside of the home in clear, and comes back with its passphrase only', {
  timeout: 600_000,
}, async () => {
  const place = join(top, 'place')
  mkdirSync(place)
  const secret = join(place, 'home.age')
  await save(home, secret, {
    passphrase: 'a neutral passphrase',
    progress: () => expect(execFileSync('du', ['-b', place], { encoding: 'utf8' })).toMatch(/^\d{4,5}\t/),
  })
  expect(readFileSync(secret, 'latin1')).toMatch(/^age-encryption\.org\/v1\n-> scrypt /)
  await expect(putBack(secret, to, false, 'another')).rejects.toThrow(
    /^.*home\.age cannot be decrypted: the passphrase/,
  )
  expect(existsSync(to)).toBe(false)
  await putBack(secret, to, false, 'a neutral passphrase')
  expect(readFileSync(join(to, 'config.yaml'), 'utf8')).toBe('a: 1\n')
})

test('a full disk is one line, and there is no file', async (context) => {
  using disk = memoryDisk('1m')
  if (!disk) return context.skip(NO_MOUNT)
  writeFileSync(join(home, 'noise'), randomBytes(3_000_000))
  await expect(save(home, join(disk.path, 'x.tar.gz'))).rejects.toThrow(
    `the disk of ${disk.path} is full; nothing was written`,
  )
  expect(readdirSync(disk.path)).toEqual([])
  await save(home, file)
  await expect(putBack(file, join(disk.path, 'to'))).rejects.toThrow(
    /its largest file, "profiles\/coder.*", has 9000000$/,
  )
  rmSync(join(home, 'profiles'), { recursive: true })
  rmSync(join(home, 'noise'))
  await save(home, join(disk.path, 'x.tar.gz'))
})
