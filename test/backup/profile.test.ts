import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { Imported } from '../../src/backup/profile-import.ts'
import { importProfile, openBackup } from '../../src/backup/program.ts'
import { openDatabase } from '../../src/system/files/sqlite.ts'
import { scratchDir } from '../support/scratch.ts'
import { archiveOf, manifestOf, putBack, save, tree } from './scene.ts'

let top: string
let home: string
let coder: string
let file: string
beforeEach(() => {
  top = scratchDir('hermes-profile-file-')
  home = join(top, 'home')
  coder = join(home, 'profiles', 'coder')
  file = join(top, 'coder.tar.gz')
  mkdirSync(join(coder, 'workspace', 'run'), { recursive: true })
  mkdirSync(join(coder, 'empty'))
  writeFileSync(join(coder, 'config.yaml'), 'description: x\n')
  writeFileSync(join(coder, '.env'), 'KEY=x\n', { mode: 0o600 })
  writeFileSync(join(coder, 'workspace', 'tool'), '#!/bin/sh\n')
  chmodSync(join(coder, 'workspace', 'tool'), 0o755)
  symlinkSync('workspace', join(coder, 'link'))
})

const exported = (more = {}) => save(coder, file, { profile: 'coder', workIn: home, ...more })

async function imported(into: string, as?: string, from = file): Promise<Imported> {
  const open = await openBackup(from, from, async () => '')
  const signal = new AbortController().signal
  return importProfile({ home: into, as, open, name: from, progress: () => undefined, signal })
}

test('a profile comes out of its file as it went in, under any name, and never runs by itself', async () => {
  for (const name of ['desired_state', 'gateway.pid', 'gateway_state.json'])
    writeFileSync(join(coder, name), 'running\n')
  // Names that are left out at the top of a home only.
  for (const name of ['run', 'backups']) mkdirSync(join(coder, name))
  const { manifest, leftOut } = await exported()
  expect([manifest.profile, manifest.desired, leftOut]).toEqual(['coder', { coder: 'running' }, 0])
  expect(readdirSync(home)).toEqual(['profiles'])

  for (const as of [undefined, 'scribe']) {
    const to = join(top, `to-${as}`)
    const { name, dir } = await imported(to, as)
    expect([name, dir]).toEqual([as ?? 'coder', join(to, 'profiles', as ?? 'coder')])
    expect(readdirSync(join(to, 'profiles'))).toEqual([name])
    const { desired_state, ...rest } = tree(dir)
    expect(readFileSync(join(dir, 'desired_state'), 'utf8')).toBe('stopped\n')
    const { desired_state: _, 'gateway.pid': __, 'gateway_state.json': ___, ...before } = tree(coder)
    expect(rest).toEqual(before)
  }
})

test('a database in it is one moment, also while a transaction is open', async () => {
  mkdirSync(join(coder, 'sessions'))
  const database = openDatabase(join(coder, 'sessions', 'sessions.db'))
  database.exec('CREATE TABLE t (n); INSERT INTO t VALUES (1); BEGIN IMMEDIATE; INSERT INTO t VALUES (2)')
  const { manifest } = await exported()
  database.exec('COMMIT')
  database.close()
  expect(manifest.entries.filter(({ path }) => path.startsWith('sessions/'))).toHaveLength(1)
  const { dir } = await imported(join(top, 'to'))
  const copy = openDatabase(join(dir, 'sessions', 'sessions.db'))
  expect(copy.prepare('SELECT n FROM t').all()).toEqual([{ n: 1 }])
  copy.close()
})

test('without secrets, no file with keys is in it', async () => {
  writeFileSync(join(coder, 'auth.json'), '{}')
  const { manifest } = await exported({ wanted: { secrets: false, logs: false } })
  expect(manifest.entries.map(({ path }) => path).filter((path) => /env|auth/.test(path))).toEqual([])
})

test('a profile that exists is not replaced, and nothing is left of the attempt', async () => {
  await exported()
  const before = tree(home)
  const exists = expect.stringMatching(/^profile "coder" already exists: /)
  await expect(imported(home)).rejects.toMatchObject({ code: 'EXISTS', message: exists })
  await expect(imported(home, 'coder')).rejects.toMatchObject({ code: 'EXISTS', message: exists })
  expect(tree(home)).toEqual(before)
  expect((await imported(home, 'second')).name).toBe('second')
})

test('a file of one profile is not restored as a home, and a backup of a home is not imported as a profile', async () => {
  await exported()
  await expect(putBack(file, join(top, 'to'))).rejects.toThrow(`${file} has one profile, "coder", and no home`)
  await save(home, join(top, 'home.tar.gz'))
  await expect(imported(join(top, 'to'), 'x', join(top, 'home.tar.gz'))).rejects.toThrow('has a whole home, not one')
  expect(existsSync(join(top, 'to'))).toBe(false)
})

const content = (path: string, text: string) => ({
  type: 'file',
  path,
  size: text.length,
  mode: 0o600,
  sha256: createHash('sha256').update(text).digest('hex'),
  modified: '2026-01-01T00:00:00.000Z',
})

test('a hostile file gives a profile neither a name that leads out nor a state in which it starts', async () => {
  const to = join(top, 'to')
  const written = async (entry: object, more: object): Promise<void> =>
    writeFileSync(
      file,
      await archiveOf([
        [{ name: 'manifest.json' }, JSON.stringify(manifestOf([entry], more))],
        [{ name: 'home/a' }, 'x'],
      ]),
    )
  for (const profile of ['../evil', '/evil', '', 'default', 'a/b', '.new-x', '\u001b[2J']) {
    await written(content('a', 'x'), { profile })
    await expect(imported(to), profile).rejects.toMatchObject({ code: 'BAD_NAME' })
  }
  const states = [
    content('gateway_state.json', '{"gateway_state": "running"}'),
    { type: 'link', path: 'desired_state', to: join(top, 'outside') },
    { type: 'directory', path: 'gateway.pid', mode: 0o700 },
  ]
  for (const entry of states) {
    const line = `has an entry that no backup has: "${entry.path}"`
    await written(entry, { profile: 'coder' })
    await expect(imported(to)).rejects.toThrow(line)
    await written(entry, {})
    await expect(putBack(file, to)).rejects.toThrow(line)
  }
  expect(readdirSync(top).sort()).toEqual(['coder.tar.gz', 'home'])
  await written(content('a', 'x'), { profile: 'coder' })
  expect(readdirSync((await imported(to)).dir)).toEqual(['a', 'desired_state'])
})

test('an import that is stopped on the way leaves nothing', async () => {
  writeFileSync(join(coder, 'workspace', 'large'), Buffer.alloc(3_000_000, 'xyz'))
  await exported()
  const controller = new AbortController()
  const open = await openBackup(file, file, async () => '')
  const progress = (): void => controller.abort()
  const facts = { home: join(top, 'to'), as: undefined, open, name: file, progress, signal: controller.signal }
  await expect(importProfile(facts)).rejects.toThrow(/abort/)
  expect(readdirSync(join(top, 'to', 'profiles'))).toEqual([])
})
