import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { parseConfig } from '../../../src/profile/config/config.ts'
import { requireOwnDirectory, walledUid } from '../../../src/profile/walled.ts'
import { behindWall, ProfileWalls, unsupported } from '../../../src/supervisor/launch/profile-walls.ts'
import { recordText, type Wall } from '../../../src/walls/record.ts'
import { scratchDir } from '../../support/scratch.ts'

const uid = process.getuid?.() ?? 0
const identity = { uid, gid: uid, groups: [], user: 'hermes', home: '/' }
const profileUids = { first: 20_000, last: 20_001 }
const config = (text: string) => parseConfig(text, 'config.yaml').config
const own = config('gateway: {user: own, essential: true, memory_limit: 1M}').gateway
const plain = config('').gateway
const wall: Wall = { uid: 20_000, essential: false, memoryLimit: null }

let home: string
const walls = (more: object = { profileUids }): ProfileWalls => new ProfileWalls({ home, identity, ...more })
const file = (): string => join(home, 'walls.json')

beforeEach(() => {
  home = scratchDir('hermes-walls-')
  for (const name of ['a', 'b', 'c']) mkdirSync(join(home, 'profiles', name), { recursive: true })
})

test('the first start records the wall, with what the file says then', () => {
  expect(walls().of('a', own)).toEqual({ wall: { uid: 20_000, essential: true, memoryLimit: 1_048_576 } })
  expect(statSync(file()).mode & 0o777).toBe(0o600)
  expect(walls().of('b', own)).toMatchObject({ wall: { uid: 20_001 } })
  expect(walls().of('c', own)).toMatchObject({ problem: 'all ids of HERMES_PROFILE_UIDS are taken', isNew: true })
})

test('from then on the record counts, whatever the file says', () => {
  const one = walls()
  one.of('a', own)
  const before = readFileSync(file(), 'utf8')
  expect(one.of('a', plain)).toEqual({ wall: { uid: 20_000, essential: true, memoryLimit: 1_048_576 } })
  expect(readFileSync(file(), 'utf8')).toBe(before)
})

test('without the key nothing is written', () => {
  expect(walls().of('a', plain)).toBeUndefined()
  expect(() => statSync(file())).toThrow(/ENOENT/)
})

test('a wall that cannot be had is a problem, never a start without it', () => {
  expect(walls({}).of('a', own)).toMatchObject({
    problem: expect.stringContaining('needs HERMES_PROFILE_UIDS'),
    isNew: true,
  })
  const obstacle = { profileUids: { ...profileUids, obstacle: 'CAP_KILL is missing' } }
  expect(walls(obstacle).of('a', own)).toMatchObject({ problem: expect.stringContaining('CAP_KILL is missing') })
  writeFileSync(file(), recordText(new Map([['a', wall]])), { mode: 0o600 })
  expect(walls({}).of('a', plain)).toMatchObject({ problem: expect.any(String), isNew: false })
  expect(walls().of('default', own)).toMatchObject({ problem: expect.stringContaining('not for default') })
  writeFileSync(file(), 'x')
  expect(walls().of('a', own)).toMatchObject({ problem: 'walls.json cannot be used: it is not JSON' })
})

test('a wall is taken down and put up again', () => {
  const one = walls()
  one.of('a', own)
  const removed = one.remove('a')
  expect(removed).toMatchObject({ uid: 20_000 })
  expect(one.of('a', plain)).toBeUndefined()
  one.restore('a', removed as Wall)
  expect(one.of('a', plain)).toEqual({ wall: removed })
})

describe('behind a wall', () => {
  test('the file decides nothing about the container, and names no program that the supervisor runs', () => {
    const { gateway } = behindWall(
      config(
        'gateway: {essential: true, memory_limit: 1GiB, watch: [x], liveness: {command: [x]}, ready: {command: [x]}}',
      ),
      { wall },
    )
    expect(gateway).toMatchObject({
      essential: false,
      memoryLimitBytes: null,
      watch: null,
      liveness: null,
      ready: { by: 'auto' },
    })
  })

  test.each([
    ['gateway: {liveness: {command: [x]}}', 'gateway.liveness: {command: …}'],
    ['gateway: {ready: {command: [x]}}', 'gateway.ready: {command: …}'],
    ['gateway: {watch: [x]}', 'gateway.watch'],
    ['agent: {meter: true}', 'agent.meter, or a budget,'],
    ['budget: {per: day, usd: 1}', 'agent.meter, or a budget,'],
    ['secrets: {A: {command: [x], refresh: 1h}}', 'refresh of secrets.A'],
  ])('%s does not work yet', (text, key) => expect(unsupported(config(text))).toBe(key))

  test.each(['', 'gateway: {liveness: {tcp: 80}}', 'gateway: {ready: {fd: 3}}', 'secrets: {A: {command: [x]}}'])(
    '%s works',
    (text) => expect(unsupported(config(text))).toBeUndefined(),
  )
})

test('programs act in the directory of a walled profile as its user only', () => {
  writeFileSync(file(), recordText(new Map([['a', { ...wall, uid: uid + 1_000 }]])), { mode: 0o600 })
  expect(walledUid(home, 'a')).toBe(uid + 1_000)
  expect(() => requireOwnDirectory(join(home, 'profiles', 'a'))).toThrow(/profile "a" is walled: only its own user/)
  expect(() => requireOwnDirectory(join(home, 'profiles', 'b'))).not.toThrow()
  expect(() => requireOwnDirectory(home)).not.toThrow()
})
