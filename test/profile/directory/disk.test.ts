import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { readActiveProfile, writeActiveProfile } from '../../../src/profile/active.ts'
import {
  createProfile,
  deleteProfile,
  listProfiles,
  renameProfile,
  requireProfile,
  seedHome,
} from '../../../src/profile/directory/disk.ts'
import { deleteLogs } from '../../../src/profile/directory/remove.ts'
import { HOME_DIRECTORIES, PROFILE_DIRECTORIES } from '../../../src/profile/directory/templates.ts'
import { readDesired, writeDesired } from '../../../src/profile/state/state.ts'
import { historyDir, historyFile } from '../../../src/system/paths.ts'
import { scratchDir } from '../../support/scratch.ts'

let home: string
beforeEach(() => {
  home = scratchDir('hermes-disk-')
})

const names = (): readonly string[] => listProfiles(home).profiles.map(({ name }) => name)
const inProfiles = (...path: readonly string[]): string => join(home, 'profiles', ...path)

describe('the profiles on disk', () => {
  test('are default, then the directories with a valid name, in order', () => {
    expect(listProfiles(home)).toEqual({ profiles: [{ name: 'default', dir: home }], problems: [], moreProblems: 0 })
    for (const name of ['zoe', 'anna', 'b-1']) mkdirSync(inProfiles(name), { recursive: true })
    expect(names()).toEqual(['default', 'anna', 'b-1', 'zoe'])
  })

  test('an entry that is not a profile is named with the reason, and skipped', () => {
    mkdirSync(inProfiles('good'), { recursive: true })
    for (const name of ['Bad', 'with space', 'default', 'root', '.new-x-1', '.git']) mkdirSync(inProfiles(name))
    writeFileSync(inProfiles('file'), '')
    symlinkSync(join(home, 'nowhere'), inProfiles('dangling'))
    symlinkSync(inProfiles('file'), inProfiles('to-a-file'))
    symlinkSync(inProfiles('good'), inProfiles('elsewhere'))
    expect(names()).toEqual(['default', 'elsewhere', 'good'])
    expect(Object.fromEntries(listProfiles(home).problems.map(({ name, reason }) => [name, reason]))).toEqual({
      Bad: expect.stringContaining('a-z'),
      'with space': expect.stringContaining('a-z'),
      default: 'the name is reserved',
      root: 'the name is reserved',
      file: 'it is not a directory',
      dangling: expect.stringContaining('leads nowhere'),
      'to-a-file': expect.stringContaining('not a directory'),
    })
  })

  test('of very many things that are not profiles the first twenty by name are named, and those in question', () => {
    mkdirSync(inProfiles('good'), { recursive: true })
    for (let i = 100; i < 200; i++) writeFileSync(inProfiles(`f${i}`), '')
    const { problems, moreProblems } = listProfiles(home, new Set(['f177', 'good', 'nowhere']))
    expect(problems.map(({ name }) => name)).toEqual([...Array.from({ length: 20 }, (_, i) => `f${100 + i}`), 'f177'])
    expect(moreProblems).toBe(79)
    expect(names()).toEqual(['default', 'good'])
  })

  test('where profiles/ is a file, or cannot be read, there is default and a problem', () => {
    writeFileSync(join(home, 'profiles'), '')
    expect(names()).toEqual(['default'])
    expect(listProfiles(home).problems).toEqual([{ name: '', reason: expect.stringContaining('ENOTDIR') }])
  })

  test('one that must be there is 3 when it is not, also for names that are paths', () => {
    for (const name of ['nobody', '../..', 'a/b', ''])
      expect(() => requireProfile(home, name)).toThrow(
        expect.objectContaining({ code: 'NO_SUCH_PROFILE', exitCode: 3 }),
      )
  })
})

describe('creating', () => {
  test('makes everything, .env for its owner alone, whatever the umask', async () => {
    const before = process.umask(0)
    const dir = await createProfile(home, 'coder', { description: 'a "b"' }).finally(() => process.umask(before))
    expect(readdirSync(dir).sort()).toEqual(['.env', 'SOUL.md', 'config.yaml', ...PROFILE_DIRECTORIES].sort())
    expect(statSync(join(dir, '.env')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(dir, 'config.yaml'), 'utf8')).toContain('description: "a \\"b\\""')
  })

  test.each([
    ['a profile', () => mkdirSync(inProfiles('x'))],
    ['a file', () => writeFileSync(inProfiles('x'), '')],
    ['a dangling link', () => symlinkSync(join(home, 'nowhere'), inProfiles('x'))],
  ])('is refused where there is %s of that name, and leaves nothing', async (_, make) => {
    mkdirSync(inProfiles())
    make()
    await expect(createProfile(home, 'x')).rejects.toMatchObject({ code: 'EXISTS' })
    expect(readdirSync(inProfiles())).toEqual(['x'])
  })

  test('that fails half-way leaves nothing', async () => {
    mkdirSync(join(home, 'skills'))
    writeFileSync(join(home, 'skills', 'a'), 'x')
    writeFileSync(join(home, 'memories'), 'a file where a directory belongs')
    await expect(createProfile(home, 'x', { cloneFrom: 'default' })).rejects.toThrow('EEXIST')
    expect(readdirSync(inProfiles())).toEqual([])
  })

  test('of ten at once one wins', async () => {
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => createProfile(home, 'x')))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const one of all) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'EXISTS' })
    expect(readdirSync(inProfiles())).toEqual(['x'])
  })

  test('a clone takes settings, credentials, memories and skills; no sessions, logs, state; links as links; no FIFO', async () => {
    await seedHome(home)
    for (const name of [
      'auth.json',
      'gateway_state.json',
      'desired_state',
      'gateway.pid',
      'sessions/s.db',
      'memories/m',
      'workspace/w',
    ])
      writeFileSync(join(home, name), name)
    chmodSync(join(home, 'auth.json'), 0o644)
    mkdirSync(join(home, 'skills', 'deep'))
    writeFileSync(join(home, 'skills', 'deep', 'run.sh'), '#!', { mode: 0o755 })
    symlinkSync('/etc/passwd', join(home, 'skills', 'link'))
    execFileSync('mkfifo', [join(home, 'skills', 'fifo')])
    writeFileSync(join(home, 'config.yaml'), '# mine\ndescription: old # note\ngateway: {restart: never}\n')
    const dir = await createProfile(home, 'x', { cloneFrom: 'default', description: 'new' })
    expect(readFileSync(join(dir, 'config.yaml'), 'utf8')).toBe(
      '# mine\ndescription: "new" # note\ngateway: {restart: never}\n',
    )
    expect(statSync(join(dir, 'auth.json')).mode & 0o777).toBe(0o600)
    expect(statSync(join(dir, 'skills', 'deep', 'run.sh')).mode & 0o111).not.toBe(0)
    expect(lstatSync(join(dir, 'skills', 'link')).isSymbolicLink()).toBe(true)
    expect(readdirSync(join(dir, 'skills')).sort()).toEqual(['deep', 'link'])
    expect(readdirSync(join(dir, 'memories'))).toEqual(['m'])
    for (const name of ['gateway_state.json', 'desired_state', 'gateway.pid', 'sessions/s.db', 'workspace/w'])
      expect(existsSync(join(dir, name))).toBe(false)
  })
})

describe('a name that is not UTF-8', () => {
  // As an old Samba share writes "grün".
  const name = Buffer.from([0x67, 0x72, 0xfc, 0x6e])
  const below = (dir: string): Buffer => Buffer.concat([Buffer.from(`${dir}/`), name])

  test('is cloned as it is, also as the target of a link, and goes with its profile', async () => {
    await seedHome(home)
    writeFileSync(below(join(home, 'skills')), 'grün')
    symlinkSync(name, join(home, 'skills', 'link'))
    const dir = await createProfile(home, 'x', { cloneFrom: 'default' })
    expect(readdirSync(join(dir, 'skills'), 'buffer').sort(Buffer.compare)).toEqual([name, Buffer.from('link')])
    expect(readFileSync(join(dir, 'skills', 'link'), 'utf8')).toBe('grün')
    await deleteProfile(home, 'x')
    expect(readdirSync(inProfiles())).toEqual([])
  })
})

describe('renaming', () => {
  test('takes desired state, logs and the active mark along', async () => {
    await createProfile(home, 'a')
    writeDesired(inProfiles('a'), 'running')
    await writeActiveProfile(home, 'a')
    mkdirSync(join(home, 'logs', 'gateways', 'a'), { recursive: true })
    writeFileSync(join(home, 'logs', 'gateways', 'a', 'current'), 'history')
    mkdirSync(join(home, 'logs', 'gateways', 'b'))
    writeFileSync(join(home, 'logs', 'gateways', 'b', 'current'), 'of an earlier b')
    mkdirSync(historyDir(home))
    writeFileSync(historyFile(home, 'gateway-a'), 'usage of a')
    await renameProfile(home, 'a', 'b')
    expect(readdirSync(historyDir(home))).toEqual(['gateway-b'])
    expect(names()).toEqual(['default', 'b'])
    expect(readDesired(inProfiles('b')).wanted).toBe('running')
    expect(readActiveProfile(home)).toBe('b')
    expect(readFileSync(join(home, 'logs', 'gateways', 'b', 'current'), 'utf8')).toBe('history')
    expect(readdirSync(join(home, 'logs', 'gateways')).filter((name) => name.startsWith('b.before'))).toHaveLength(1)
  })

  test('leaves no history of an earlier profile of that name, which would be taken for its own', async () => {
    await createProfile(home, 'a')
    mkdirSync(historyDir(home), { recursive: true })
    writeFileSync(historyFile(home, 'gateway-b'), 'of an earlier b')
    await renameProfile(home, 'a', 'b')
    expect(readdirSync(historyDir(home))).toEqual([])
    writeFileSync(historyFile(home, 'gateway-b'), 'its own')
    await deleteLogs(home, 'b')
    expect(readdirSync(historyDir(home))).toEqual([])
  })

  test('onto an existing one is refused; default stays', async () => {
    await createProfile(home, 'a')
    await createProfile(home, 'b')
    await expect(renameProfile(home, 'a', 'b')).rejects.toMatchObject({ code: 'EXISTS' })
    await expect(renameProfile(home, 'default', 'c')).rejects.toMatchObject({ code: 'REFUSED' })
    expect(names()).toEqual(['default', 'a', 'b'])
  })
})

test('deleting takes the directory and the active mark; default stays', async () => {
  await createProfile(home, 'a')
  await writeActiveProfile(home, 'a')
  await deleteProfile(home, 'a')
  expect(names()).toEqual(['default'])
  expect(readdirSync(inProfiles())).toEqual([])
  expect(readActiveProfile(home)).toBe('default')
  await expect(deleteProfile(home, 'default')).rejects.toMatchObject({ code: 'REFUSED', exitCode: 1 })
})

describe('seeding', () => {
  test('fills an empty volume, twice changes nothing', async () => {
    expect((await seedHome(home)).length).toBe(HOME_DIRECTORIES.length + PROFILE_DIRECTORIES.length + 3)
    expect(statSync(join(home, '.env')).mode & 0o777).toBe(0o600)
    expect(readdirSync(home).sort()).toEqual(
      ['.env', 'SOUL.md', 'config.yaml', 'hooks', 'logs', 'profiles', ...PROFILE_DIRECTORIES].sort(),
    )
    expect(readdirSync(join(home, 'logs'))).toEqual(['gateways'])
    expect(await seedHome(home)).toEqual([])
  })

  test('never overwrites, nor writes through a link', async () => {
    writeFileSync(join(home, 'SOUL.md'), 'mine')
    symlinkSync(join(home, 'nowhere', 'config.yaml'), join(home, 'config.yaml'))
    await seedHome(home)
    expect(readFileSync(join(home, 'SOUL.md'), 'utf8')).toBe('mine')
    expect(lstatSync(join(home, 'config.yaml')).isSymbolicLink()).toBe(true)
  })

  test('files that were deleted later stay deleted', async () => {
    await seedHome(home)
    writeFileSync(join(home, 'gateway_state.json'), '{}')
    rmSync(join(home, 'SOUL.md'))
    rmSync(join(home, 'logs'), { recursive: true })
    expect(await seedHome(home)).toEqual(['logs/gateways/'])
  })
})
