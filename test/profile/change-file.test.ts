import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { changeAlone } from '../../src/profile/change-file.ts'
import { replaceFile } from '../../src/profile/replace-file.ts'
import { systemClock } from '../../src/system/clock.ts'
import { hermes } from '../support/cli.ts'
import { scratchDir } from '../support/scratch.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { waitFor, within } from '../support/wait.ts'

let file: string
let home: string
beforeEach(() => {
  home = scratchDir('hermes-change-')
  file = join(home, 'file')
})
const text = (): string => readFileSync(file, 'utf8')
const put = (what: string): Promise<void> => replaceFile(file, what, 0o600)

test('a second change begins when the first has ended, with what that has written', async () => {
  writeFileSync(file, '0')
  const [mayEnd, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const first = changeAlone(file, { clock: systemClock(), mode: 0o600 }, async () => {
    begun.resolve()
    await mayEnd.promise
    await put(`${text()}1`)
  })
  await within('the first to begin', begun.promise)
  const clock = fakeClock()
  let hasBegun = false
  const second = changeAlone(file, { clock, mode: 0o600 }, async () => {
    hasBegun = true
    await put(`${text()}2`)
  })
  for (let look = 0; look < 3; look++) {
    await waitFor('it to look again later', () => clock.alarms().length === 1)
    expect(hasBegun).toBe(false)
    clock.advance(10)
  }
  await waitFor('it to look again later', () => clock.alarms().length === 1)
  mayEnd.resolve()
  await first
  clock.advance(10)
  await within('the second', second)
  expect(text()).toBe('012')
})

test('a change that does not end is an error for the next one after ten seconds, and nothing is changed', async () => {
  writeFileSync(file, '0')
  const mayEnd = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const first = changeAlone(file, { clock: systemClock(), mode: 0o600 }, () => {
    begun.resolve()
    return mayEnd.promise
  })
  await within('the first to begin', begun.promise)
  const clock = fakeClock()
  const second = changeAlone(file, { clock, mode: 0o600 }, () => put('2'))
  const refused = expect(second).rejects.toMatchObject({ code: 'TIMED_OUT', message: expect.stringContaining(file) })
  await waitFor('it to look again later', () => clock.alarms().length === 1)
  clock.advance(10_000)
  await within('the refusal', refused)
  expect(text()).toBe('0')
  mayEnd.resolve()
  await first
})

test('a missing file is made, and its first changes come one after the other', async () => {
  const change = (what: string) => () => put(`${text()}${what}`)
  await Promise.all(
    ['a', 'b', 'c'].map((what) => changeAlone(file, { clock: systemClock(), mode: 0o600 }, change(what))),
  )
  expect([...text()].sort()).toEqual(['a', 'b', 'c'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a missing file that is made is gone again when the change leaves it empty', async () => {
  const options = { clock: systemClock(), mode: 0o600 }
  await expect(changeAlone(file, options, () => Promise.reject(new Error('so')))).rejects.toThrow('so')
  expect(existsSync(file)).toBe(false)
  await changeAlone(file, options, async () => undefined)
  expect(existsSync(file)).toBe(false)
})

test.each([
  ['a directory', () => mkdirSync(file)],
  ['a link', () => symlinkSync('elsewhere', file)],
])('a file that is %s is left to the change, which says what is wrong', async (_, make) => {
  make()
  await expect(
    changeAlone(file, { clock: systemClock(), mode: 0o600 }, () => Promise.reject(new Error('so'))),
  ).rejects.toThrow('so')
  expect(existsSync(join(home, 'elsewhere'))).toBe(false)
})

test('of variables, keys and settings that commands set at the same time none is lost, in new files', async () => {
  const names = ['ONE', 'TWO', 'THREE', 'FOUR']
  const set = (args: readonly string[], input?: string) => hermes(args, { home, ...(input !== undefined && { input }) })
  const settings = [
    ['description', 'many'],
    ['gateway.restart', 'never'],
    ['gateway.stop_timeout', '7s'],
    ['logging.archives', '3'],
  ] as const
  const all = await Promise.all([
    ...names.map((name) => set(['env', 'set', name], `of ${name}`)),
    ...names.map((name) => set(['login', '--name', name], `key-of-${name}`)),
    ...settings.map(([key, value]) => set(['config', 'set', key, value])),
  ])
  expect(all.filter(({ code }) => code !== 0)).toEqual([])
  for (const name of names) expect(readFileSync(join(home, '.env'), 'utf8')).toContain(`${name}=`)
  expect(Object.keys(JSON.parse(readFileSync(join(home, 'auth.json'), 'utf8')).api_keys).sort()).toEqual(
    names.toSorted(),
  )
  const config = readFileSync(join(home, 'config.yaml'), 'utf8')
  for (const word of ['many', 'never', '7s', 'archives: 3']) expect(config).toContain(word)
})
