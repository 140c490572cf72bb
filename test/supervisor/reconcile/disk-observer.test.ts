import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { writeDesired } from '../../../src/profile/state/state.ts'
import { observeDisk, parseState } from '../../../src/supervisor/reconcile/disk-observer.ts'
import { emptyState, planReconcile } from '../../../src/supervisor/reconcile/plan.ts'
import { dirId } from '../../../src/system/files/dir-id.ts'
import { scratchDir } from '../../support/scratch.ts'

let home: string
beforeEach(() => {
  home = scratchDir('hermes-disk-')
  mkdirSync(join(home, 'profiles'))
})

const make = (name: string): string => {
  const dir = join(home, 'profiles', name)
  mkdirSync(dir)
  return dir
}
const none: ReadonlySet<string> = new Set()

test('a profile is known by its directory, whatever it is called', () => {
  make('a')
  const before = observeDisk(home, none).profiles.find(({ name }) => name === 'a')
  renameSync(join(home, 'profiles', 'a'), join(home, 'profiles', 'b'))
  const after = observeDisk(home, none).profiles.find(({ name }) => name === 'b')
  expect(after?.dir).toBe(before?.dir)
  expect(after?.dir).toBe(dirId(join(home, 'profiles', 'b')))
})

test('state files are read for profiles without a slot only', () => {
  writeDesired(make('a'), 'running')
  writeDesired(make('b'), 'running')
  const { profiles } = observeDisk(home, new Set(['b', 'default']))
  expect(profiles.map(({ name, desired }) => [name, desired?.wanted])).toEqual([
    ['default', undefined],
    ['a', 'running'],
    ['b', undefined],
  ])
})

test('the bootstrap variable speaks for default alone, and only where nothing else does', () => {
  make('a')
  const wanted = (): unknown => observeDisk(home, none, 'running').profiles.map(({ desired }) => desired?.wanted)
  expect(wanted()).toEqual(['running', null])
  writeDesired(home, 'stopped')
  expect(wanted()).toEqual(['stopped', null])
  rmSync(join(home, 'desired_state'))
  writeFileSync(join(home, 'gateway_state.json'), '{}')
  expect(wanted()).toEqual([null, null])
})

test('profiles/ that is missing, a file or a loop is not known', () => {
  const profiles = join(home, 'profiles')
  rmSync(profiles, { recursive: true })
  expect(observeDisk(home, none)).toMatchObject({ parent: null, profiles: [{ name: 'default' }], problems: [] })
  writeFileSync(profiles, '')
  expect(observeDisk(home, none)).toMatchObject({ parent: null, problems: [{ name: 'profiles/', maybe: false }] })
  rmSync(profiles)
  symlinkSync('profiles', profiles)
  expect(observeDisk(home, none)).toMatchObject({ parent: null, problems: [{ name: 'profiles/', maybe: false }] })
})

test('entries that are in the way of a profile of that name, and entries that may still be one', () => {
  make('default')
  make('Bad Name')
  make('.half-made')
  writeFileSync(join(home, 'profiles', 'file'), '')
  symlinkSync('/nowhere', join(home, 'profiles', 'dangling'))
  symlinkSync('/dev/null', join(home, 'profiles', 'device'))
  const { profiles, problems } = observeDisk(home, none)
  expect(profiles.map(({ name }) => name)).toEqual(['default'])
  expect(problems.map(({ name, maybe }) => [name, maybe])).toEqual([
    ['Bad Name', true],
    ['dangling', true],
    ['default', false],
    ['device', true],
    ['file', false],
  ])
  for (const { reason } of problems) expect(reason).not.toBe('')
})

test('a link to a directory elsewhere is the directory it leads to', () => {
  const elsewhere = scratchDir('hermes-else-')
  symlinkSync(elsewhere, join(home, 'profiles', 'linked'))
  expect(observeDisk(home, none).profiles[1]).toMatchObject({ name: 'linked', dir: dirId(elsewhere) })
})

test('the state survives the supervisor; one that was cut short or tampered with counts as none', () => {
  make('a')
  const { state } = planReconcile(observeDisk(home, none), [], emptyState, 1)
  expect(state.places).toHaveProperty('a')
  expect(parseState(JSON.stringify(state))).toEqual(state)
  for (const text of ['', '{"places":', '[]', 'null', '{"places":{},"goneSinceMs":7,"reported":[]}'])
    expect(parseState(text)).toEqual(emptyState)
})
