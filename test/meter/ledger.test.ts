import { statSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import { openLedger, openUsage, usageFile } from '../../src/meter/ledger/ledger.ts'
import { amountsJson, groupUsage, totalUsage } from '../../src/meter/report.ts'
import { openDatabase } from '../../src/system/files/sqlite.ts'
import { quickScratchDir } from '../support/scratch.ts'

let home: string
const warnings: string[] = []
beforeEach(() => {
  home = quickScratchDir('hermes-ledger-')
})

const open = () => openLedger(home, (text) => warnings.push(text))
const request = (id: string, more: Partial<Record<'day' | 'profile' | 'board' | 'task' | 'model', string>> = {}) => ({
  id,
  day: '2026-11-30',
  profile: 'coder',
  board: '',
  task: '',
  model: 'm',
  ...more,
})
const usage = (inputTokens: number, outputTokens: number, cachedTokens = 0) => ({
  inputTokens,
  outputTokens,
  cachedTokens,
})

test('a request counts once: with its last note, however often it is finished, and after that no more', () => {
  const ledger = open()
  ledger.begin(request('a'))
  expect(ledger.spent('coder', '2026-11-30')).toEqual({ nanos: 0, tokens: 0 })
  ledger.note('a', usage(1, 1), 5)
  ledger.note('a', usage(10, 4, 2), 70)
  ledger.finish('a')
  ledger.finish('a')
  ledger.note('a', usage(99, 99), 99)
  ledger.drop('a')
  expect(ledger.recover()).toBe(0)
  expect(ledger.spent('coder', '2026-11-30')).toEqual({ nanos: 70, tokens: 14 })
  expect(ledger.rows('2026-11-30')).toEqual([
    {
      ...{ day: '2026-11-30', profile: 'coder', board: '', task: '', model: 'm' },
      ...{ requests: 1, uncounted: 0, inputTokens: 10, cachedTokens: 2, outputTokens: 4, nanos: 70, unpricedTokens: 0 },
    },
  ])
  ledger.close()
})

test('requests that a killed meter has left count at the next start: with a note by it, without one as not counted', () => {
  const first = open()
  first.begin(request('noted'))
  first.note('noted', usage(3, 2), undefined)
  first.begin(request('unnoted'))
  first.begin(request('dropped'))
  first.drop('dropped')
  // No close: a killed process has none.
  const second = open()
  expect(second.recover()).toBe(1)
  expect(second.recover()).toBe(0)
  expect(totalUsage(second.rows('2026-11-30'))).toEqual({
    ...{ requests: 2, uncounted: 1, inputTokens: 3, cachedTokens: 0, outputTokens: 2, nanos: 0, unpricedTokens: 5 },
  })
  first.close()
  second.close()
})

test('sums are by profile and period, and of a task over all days', () => {
  const ledger = open()
  const count = (id: string, nanos: number, more: Parameters<typeof request>[1]): void => {
    ledger.begin(request(id, more))
    ledger.note(id, usage(1, 1), nanos)
    ledger.finish(id)
  }
  count('1', 1, { day: '2026-10-31', task: 't_1', board: 'default' })
  count('2', 20, { day: '2026-11-01', task: 't_1', board: 'default' })
  count('3', 300, { day: '2026-11-30' })
  count('4', 4000, { day: '2026-11-30', profile: 'writer' })
  count('5', 50_000, { day: '2026-11-30', task: 't_1', board: 'other' })
  expect(['2026-11-30', '2026-11-01', '2026-10-01'].map((since) => ledger.spent('coder', since).nanos)).toEqual([
    50_300, 50_320, 50_321,
  ])
  expect(ledger.taskSpent('coder', 'default', 't_1')).toEqual({ nanos: 21, tokens: 4 })
  expect(ledger.rows('2026-11-30', 'writer')).toHaveLength(1)
  expect(groupUsage(ledger.rows('2026-01-01'), 'task').map(({ key, nanos }) => [...key, nanos])).toEqual([
    ['coder', '', '', 300],
    ['coder', 'default', 't_1', 21],
    ['coder', 'other', 't_1', 50_000],
    ['writer', '', '', 4000],
  ])
  ledger.close()
})

test('the file is the owner’s alone, and a file of another program or a newer version is refused by name', () => {
  const ledger = open()
  expect(statSync(usageFile(home)).mode & 0o777).toBe(0o600)
  ledger.close()
  const database = openDatabase(usageFile(home))
  database.pragma('user_version = 9')
  database.close()
  const expected = `${usageFile(home)} has schema version 9; this program supports 1`
  expect(open).toThrow(expected)
  expect(() => openUsage(home)).toThrow(expected)
})

test('a reader sees what is counted while the meter has the file open', () => {
  const ledger = open()
  ledger.begin(request('a'))
  ledger.note('a', usage(1, 2), 3)
  ledger.finish('a')
  const reader = openUsage(home)
  expect(reader.spent('coder', '2026-11-30')).toEqual({ nanos: 3, tokens: 3 })
  reader.close()
  ledger.close()
})

test('money is absent where no token has a price', () => {
  const none = {
    requests: 1,
    uncounted: 0,
    inputTokens: 4,
    cachedTokens: 0,
    outputTokens: 1,
    nanos: 0,
    unpricedTokens: 5,
  }
  expect(amountsJson(none)).not.toHaveProperty('usd')
  expect(amountsJson({ ...none, unpricedTokens: 0, nanos: 7 })).toHaveProperty('usd', 7e-9)
})
