import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readLogPage } from '../../src/log/history/log-page.ts'
import { LogReader } from '../../src/log/io/log-reader.ts'
import { scratchDir } from '../support/scratch.ts'

test('something else in the place of a log is passed over, and leaves no descriptor open', () => {
  const dir = scratchDir('hermes-page-')
  const at = '2026-11-22T12:15:10.000Z'
  writeFileSync(join(dir, '20261122T121540.000Z.log'), `${at} one\n`)
  mkdirSync(join(dir, 'current'))
  const count = (): number => readdirSync('/proc/self/fd').length
  const before = count()
  expect(readLogPage('web', dir, { lines: 10 }).lines.map(({ text }) => text)).toEqual(['one'])
  expect(count()).toBe(before)
})

test('10 GB without a newline in the place of a log are shown in pieces, in no time and little memory', () => {
  const dir = scratchDir('hermes-page-')
  const file = join(dir, 'current')
  writeFileSync(file, '2026-11-22T12:15:10.000Z first\n')
  truncateSync(file, 10e9)
  const beforeBytes = process.memoryUsage.rss()
  const page = readLogPage('web', dir, { lines: 100 })
  expect(page.lines.length).toBeGreaterThan(5)
  expect(page.before).toBeDefined()
  expect(readLogPage('web', dir, { lines: 100, search: 'nowhere' }).lines).toEqual([])
  const reader = new LogReader([{ slot: 'web', dir }])
  expect([...reader.history({ lines: 3 })]).toHaveLength(3)
  reader.close()
  for (const { text } of page.lines) expect(text.length).toBeLessThanOrEqual(1024 * 1024 + 65_536)
  expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(300e6)
})
