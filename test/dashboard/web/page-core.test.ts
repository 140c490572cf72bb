import { describe, expect, test } from 'vitest'
import { eventReader } from '../../../src/dashboard/web/core/event-stream.ts'
import {
  ago,
  bytes,
  clockTime,
  cores,
  dayTime,
  duration,
  ending,
  remarkOf,
  slotPredicate,
  stateWords,
} from '../../../src/dashboard/web/core/format.ts'
import { passes } from '../../../src/dashboard/web/core/log-level.ts'
import { piecesOf } from '../../../src/dashboard/web/core/pieces.ts'
import { retryDelayMs } from '../../../src/dashboard/web/core/retry.ts'
import { deathPath, parseRoute, profilePath } from '../../../src/dashboard/web/core/route.ts'
import { dayPlot, sparkline } from '../../../src/dashboard/web/core/sparkline.ts'
import { HISTORY_SAMPLES, type UsageHistory, withSample } from '../../../src/dashboard/web/core/usage-history.ts'
import { isAtEnd, windowOf } from '../../../src/dashboard/web/core/virtual-window.ts'
import { levelOf } from '../../../src/log/line-facts.ts'

describe('how facts are written', () => {
  test.each([
    [0, '0s'],
    [59_999, '59s'],
    [62_000, '1m 02s'],
    [3_599_999, '59m 59s'],
    [3 * 3_600_000 + 7 * 60_000, '3h 07m'],
    [12 * 86_400_000 + 4 * 3_600_000, '12d 04h'],
    [-5, '0s'],
  ])('%d ms lasts %s', (ms, text) => expect(duration(ms)).toBe(text))
  test.each([
    [0, 'now'],
    [61_000, '1m ago'],
  ])('%d ms back is %s', (ms, text) => expect(ago(ms)).toBe(text))
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [48_234_567, '48.2 MB'],
    [999_600, '1.0 MB'],
    [123_456_789, '123 MB'],
  ])('%d bytes are %s', (count, text) => expect(bytes(count)).toBe(text))
  test.each([
    [0, '0.0%'],
    [0.012, '1.2%'],
    [0.25, '25%'],
    [1.5, '150%'],
  ])('%d cores are %s', (count, text) => expect(cores(count)).toBe(text))
  test('times are those of the files, in UTC', () => {
    expect(clockTime('2026-11-22T12:15:18.810Z')).toBe('12:15:18.810')
    expect(dayTime('2026-11-02T12:15:18.810Z')).toBe('2 Nov 12:15:18')
  })
  test('an end is named by signal or code, and is unknown when neither is known', () => {
    expect(ending({ signal: 'KILL' })).toBe('SIGKILL')
    expect(ending({ exitCode: 0 })).toBe('exit 0')
    expect(ending({})).toBe('unknown')
  })
})

describe('a sentence about a slot', () => {
  const nowMs = Date.parse('2026-11-22T12:00:00Z')

  test.each([
    [{ state: 'up' }, 'is up'],
    [{ state: 'stopping' }, 'is stopping'],
    [{ state: 'backoff' }, 'is waiting for its next start'],
    [{ state: 'backoff', nextStartAt: '2026-11-22T12:00:04Z' }, 'restarts in 4s'],
    // The page hears of the start a moment later.
    [{ state: 'backoff', nextStartAt: '2026-11-22T11:59:59Z' }, 'restarts in 1s'],
    [{ state: 'up', nextStartAt: '2026-11-22T12:00:04Z' }, 'is up'],
  ] as const)('%o %s', (slot, text) => {
    expect(slotPredicate(slot, nowMs)).toBe(text)
  })

  test.each([
    [{ state: 'up', reason: 'exited with code 1' }, undefined],
    [{ state: 'up', health: 'ok', evidence: ['it answers'] }, undefined],
    [{ state: 'down' }, undefined],
    [
      { state: 'down', reason: 'waits for the service db' },
      { text: 'waits for the service db', tone: 'down' },
    ],
    [
      { state: 'up', health: 'stuck', evidence: ['its process is stopped', 'no line for 6 min'] },
      { text: 'stuck, its process is stopped, no line for 6 min', tone: 'backoff' },
    ],
  ] as const)('%o has the remark %o', (slot, remark) => {
    expect(remarkOf('evidence' in slot ? { ...slot, evidence: [...slot.evidence] } : slot)).toEqual(remark)
  })

  test('has no name of a state that is not English', () => {
    expect(stateWords('backoff')).toBe('waiting for its next start')
    expect(stateWords('down')).toBe('down')
  })
})

describe('the level of a line', () => {
  test.each([
    ['2026-11-22T12:15:18Z ERROR [s1] agent: no answer', 'error'],
    ['{"level":50,"msg":"x"}', 'error'],
    ['{"level":40,"msg":"x"}', 'warn'],
    ['{"level":"info","msg":"error"}', 'info'],
    ['time=x level=warning msg=late', 'warn'],
    ['warning: deprecated', 'warn'],
    ['TypeError: error: it broke', 'error'],
    ['DEBUG reading', 'debug'],
    ['GET /errors 200', undefined],
    ['no errors found', undefined],
  ])('%s', (text, level) => expect(levelOf(text)).toBe(level))
  test('lines that do not say one are shown only when all are', () => {
    expect(passes(undefined, 'all')).toBe(true)
    expect(passes(undefined, 'info')).toBe(false)
    expect(passes('error', 'warn')).toBe(true)
    expect(passes('info', 'warn')).toBe(false)
  })
})

describe('server-sent events', () => {
  test('come out the same however the text is cut', () => {
    const text = 'event: slot\ndata: {"a":1}\n\n: a comment\n\ndata: one\ndata: two\r\n\r\nevent: empty\n\n'
    const whole = eventReader()(text)
    expect(whole).toEqual([
      { name: 'slot', data: '{"a":1}' },
      { name: 'message', data: 'one\ntwo' },
    ])
    for (let size = 1; size < 9; size++) {
      const read = eventReader()
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
      expect(pieces.flatMap(read)).toEqual(whole)
    }
  })
  test('an event without data is ignored, and its name does not pass to another', () => {
    expect(eventReader()('event: odd\n\ndata: x\n\n')).toEqual([{ name: 'message', data: 'x' }])
  })
})

test('the page tries again soon, then less often, and never less than every ten seconds', () => {
  expect(retryDelayMs(1, 1)).toBe(250)
  expect(retryDelayMs(3, 1)).toBe(1_000)
  expect(retryDelayMs(30, 1)).toBe(10_000)
  expect(retryDelayMs(30, 0)).toBe(8_000)
})

describe('addresses', () => {
  test('lead to views', () => {
    expect(parseRoute('/', '')).toEqual({ view: 'overview' })
    expect(parseRoute('/profiles/coder', '?tab=deaths')).toEqual({ view: 'profile', name: 'coder', tab: 'deaths' })
    expect(parseRoute('/profiles/coder', '?tab=nonsense')).toEqual({ view: 'profile', name: 'coder', tab: 'log' })
    expect(parseRoute('/profiles/../x', '')).toEqual({ view: 'unknown' })
    const moment = deathPath('coder', '2026-11-22T12:15:18.810Z')
    expect(parseRoute('/profiles/coder', moment.slice(moment.indexOf('?')))).toEqual({
      view: 'profile',
      name: 'coder',
      tab: 'log',
      until: '2026-11-22T12:15:19.810Z',
    })
    expect(parseRoute('/profiles/coder', '?until=yesterday')).toEqual({ view: 'profile', name: 'coder', tab: 'log' })
    expect(parseRoute('/nothing', '')).toEqual({ view: 'unknown' })
  })
  test('of profiles are read back as what they were made of', () => {
    const [path = '', search] = profilePath('coder', 'settings').split('?')
    expect(parseRoute(path, `?${search}`)).toEqual({ view: 'profile', name: 'coder', tab: 'settings' })
  })
})

describe('the window of a long list', () => {
  const scroll = { viewportPx: 200, rowPx: 20, count: 1_000, overscan: 5 }
  test('is what is seen and a few rows more', () => {
    expect(windowOf({ ...scroll, scrollTop: 2_000 })).toEqual({ first: 95, end: 116, offsetPx: 1_900, totalPx: 20_000 })
  })
  test('ends with the list', () => {
    expect(windowOf({ ...scroll, scrollTop: 19_800 })).toMatchObject({ first: 985, end: 1_000 })
  })
  test('is never empty when the list has become shorter than where it was scrolled to', () => {
    const { first, end } = windowOf({ ...scroll, count: 10, scrollTop: 19_800 })
    expect(end - first).toBeGreaterThan(0)
  })
  test('of nothing is nothing', () => {
    expect(windowOf({ ...scroll, count: 0, scrollTop: 0 })).toEqual({ first: 0, end: 0, offsetPx: 0, totalPx: 0 })
  })
  test('a row and a half from the end is the end', () => {
    expect(isAtEnd(780, 200, 1_000, 20)).toBe(true)
    expect(isAtEnd(740, 200, 1_000, 20)).toBe(false)
  })
})

describe('a sparkline', () => {
  const box = { width: 100, height: 22, capacity: 11 }
  test('fills up from the right', () => {
    expect(sparkline([0, 1], box, 1).line).toBe('M90,21L100,1')
  })
  test('of one sample is nothing', () => {
    expect(sparkline([1], box, 1)).toEqual({ line: '', area: '' })
  })
  test('shows noise below its floor as noise', () => {
    expect(sparkline([0.001, 0.001], box, 0.1).line).toBe('M90,20.8L100,20.8')
  })
})

describe('a plot of a day', () => {
  const box = { width: 100, height: 22 }
  test('has a gap where nothing is known, and a dot between two gaps', () => {
    const { line, area } = dayPlot([0, 1, null, 1, null, 0.5], box, 1)
    expect(line).toBe('M0,21L20,1M60,1L60,1M100,11L100,11')
    expect(area).toBe('M0,21L20,1L20,22L0,22ZM60,1L60,22L60,22ZM100,11L100,22L100,22Z')
  })
  test('of nothing is nothing', () => {
    expect(dayPlot([null, null], box, 1)).toEqual({ line: '', area: '' })
    expect(dayPlot([], box, 1)).toEqual({ line: '', area: '' })
  })
})

test('of what a slot uses two minutes are kept', () => {
  let history: UsageHistory | undefined
  for (let sample = 0; sample < HISTORY_SAMPLES + 5; sample++)
    history = withSample(history, { cpu: sample, memory_bytes: sample, processes: 1 })
  expect(history?.cpu).toHaveLength(HISTORY_SAMPLES)
  expect(history?.cpu.at(-1)).toBe(HISTORY_SAMPLES + 4)
})

test('a long text is cut into pieces, and no character in two', () => {
  expect(piecesOf('', 3)).toEqual([])
  expect(piecesOf('abcdefg', 3)).toEqual(['abc', 'def', 'g'])
  expect(piecesOf('ab😀cd', 3)).toEqual(['ab', '😀c', 'd'])
})
