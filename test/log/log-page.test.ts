import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
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
  expect(readLogPage('web', dir, { lines: 1, untilMs: Date.now() }).lines).toHaveLength(1)
  const reader = new LogReader([{ slot: 'web', dir }])
  expect([...reader.history({ lines: 3 })]).toHaveLength(3)
  reader.close()
  for (const { text } of page.lines) expect(text.length).toBeLessThanOrEqual(1024 * 1024 + 65_536)
  expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(300e6)
})

describe('a page of a moment', () => {
  const at = (second: number): string => `2026-11-22T12:15:${String(second).padStart(2, '0')}.000Z`
  const lines = (from: number, to: number): string =>
    Array.from({ length: to - from + 1 }, (_, i) => `${at(from + i)} line ${from + i}\n`).join('')
  const home = (): string => {
    const dir = scratchDir('hermes-page-')
    writeFileSync(join(dir, '20261122T121519.000Z.log'), lines(10, 19))
    writeFileSync(join(dir, '20261122T121529.000Z.log'), `rest of a line\n${lines(20, 29)}`)
    writeFileSync(join(dir, 'current'), `${lines(30, 39)}${at(40)} half`)
    return dir
  }
  const textsUntil = (second: number, count: number): readonly string[] =>
    readLogPage('web', home(), { lines: count, untilMs: Date.parse(at(second)) + 500 }).lines.map(({ text }) => text)

  test.each([
    [35, ['line 34', 'line 35']],
    [30, ['line 29', 'line 30']],
    [29, ['line 28', 'line 29']],
    [20, ['rest of a line', 'line 20']],
    [19, ['line 18', 'line 19']],
    [59, ['line 38', 'line 39']],
    [10, ['line 10']],
    [9, []],
  ])('ends with what was written up to second %d', (second, texts) => expect(textsUntil(second, 2)).toEqual(texts))

  test('goes on with what came before, through all archives', () => {
    const dir = home()
    const found: string[] = []
    let before: string | undefined
    do {
      const page = readLogPage('web', dir, { lines: 4, before, untilMs: Date.parse(at(33)) })
      found.unshift(...page.lines.map(({ text }) => text))
      before = page.before
    } while (before !== undefined)
    expect(found.filter((text) => text !== 'rest of a line')).toEqual(
      Array.from({ length: 24 }, (_, i) => `line ${10 + i}`),
    )
  })
})
