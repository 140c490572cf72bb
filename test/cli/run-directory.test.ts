// Where a client looks for the supervisor.
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { findRunPaths, privateRunDir, resolveHome } from '../../src/system/programs/install.ts'
import { scratchDir } from '../support/scratch.ts'
import { named, whyNotRoot } from '../support/tools.ts'

let root: string
let home: string
const uid = process.getuid?.() ?? 0
beforeEach(() => {
  root = scratchDir('hermes-run-')
  home = join(root, 'home')
  mkdirSync(home)
})

const find = (env: Record<string, string> = {}): string => findRunPaths(env, home, uid, join(root, 'image')).runDir
const listenIn = (dir: string): string => {
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'control.sock'), '')
  return dir
}

test('a home is the same however it is written', () => {
  expect(resolveHome({ HERMES_HOME: `${home}/` }, '/opt/hermes')).toBe(home)
  expect(resolveHome({ HERMES_HOME: `${root}/x/../home` }, '/opt/hermes')).toBe(home)
})

test('in the image the home is that of the container where a log-in shell has removed HERMES_HOME', () => {
  const stored = join(root, 'environment')
  expect(resolveHome({ HOME: home }, '/opt/hermes', stored)).toBe('/opt/data')
  mkdirSync(stored)
  writeFileSync(join(stored, 'HERMES_HOME'), `${home}\n`)
  expect(resolveHome({ HOME: '/root' }, '/opt/hermes', stored)).toBe(home)
  writeFileSync(join(stored, 'HERMES_HOME'), '\n')
  expect(resolveHome({}, '/opt/hermes', stored)).toBe('/opt/data')
})

test('without any socket it is the place where a supervisor with the same variables would listen', () => {
  const env = { XDG_RUNTIME_DIR: join(root, 'xdg') }
  expect(find(env)).toBe(privateRunDir(env, home, uid))
  expect(find()).toBe(join(home, 'run'))
})

test('a client with XDG_RUNTIME_DIR finds a supervisor that was started without', () => {
  const dir = listenIn(join(home, 'run'))
  expect(find({ XDG_RUNTIME_DIR: join(root, 'xdg') })).toBe(dir)
})

test('the first place with a socket wins, and HERMES_RUN_DIR over all', () => {
  const env = { XDG_RUNTIME_DIR: join(root, 'xdg') }
  listenIn(join(home, 'run'))
  const xdg = listenIn(privateRunDir(env, home, uid))
  expect(find(env)).toBe(xdg)
  const image = listenIn(join(root, 'image'))
  expect(find(env)).toBe(image)
  expect(find({ ...env, HERMES_RUN_DIR: '/elsewhere' })).toBe('/elsewhere')
})

test.skipIf(whyNotRoot !== undefined)(named('a place that belongs to somebody else is passed over', whyNotRoot), () => {
  const env = { XDG_RUNTIME_DIR: join(root, 'xdg') }
  const dir = listenIn(join(home, 'run'))
  chownSync(listenIn(privateRunDir(env, home, uid)), 65534, 65534)
  expect(find(env)).toBe(dir)
})
