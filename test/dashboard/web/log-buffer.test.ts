import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { continuesAt, LogBuffer } from '../../../src/dashboard/web/core/log-buffer.ts'

const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ text: `line ${from + index}` }))
const texts = (buffer: LogBuffer) =>
  buffer.shown.map((entry) => (entry.kind === 'line' ? entry.text : `gap ${entry.missed ?? '?'}`))

describe('the bound', () => {
  test('beyond it the oldest lines go, and it returns how many of them were shown', () => {
    const buffer = new LogBuffer(5)
    buffer.append(lines(0, 4))
    buffer.setFilter({ text: 'line', level: 'all' })
    expect(buffer.append(lines(4, 3))).toEqual({ dropped: 2, droppedShown: 2 })
    expect(texts(buffer)).toEqual(['line 2', 'line 3', 'line 4', 'line 5', 'line 6'])
  })

  test('a batch larger than the buffer leaves its end', () => {
    const buffer = new LogBuffer(3)
    buffer.append(lines(0, 10))
    expect(texts(buffer)).toEqual(['line 7', 'line 8', 'line 9'])
  })

  test('older lines that do not fit push the newest out', () => {
    const buffer = new LogBuffer(4)
    buffer.append(lines(10, 3))
    expect(buffer.prepend(lines(7, 3))).toEqual({ added: 3, cut: 2 })
    expect(texts(buffer)).toEqual(['line 7', 'line 8', 'line 9', 'line 10'])
  })
})

test('a row keeps its number whatever is put above it or taken away', () => {
  const buffer = new LogBuffer(6)
  buffer.append(lines(0, 4))
  const of = (text: string) => buffer.shown.find((entry) => entry.kind === 'line' && entry.text === text)?.seq
  const before = of('line 3')
  buffer.prepend([{ text: 'older' }])
  buffer.append(lines(4, 3))
  expect(of('line 3')).toBe(before)
})

test('a filter looks at text in any case and at levels, and gaps always show', () => {
  const buffer = new LogBuffer(10)
  buffer.append([{ text: 'INFO Started' }, { text: 'ERROR no such file' }])
  buffer.appendGap(12)
  buffer.append([{ text: 'plain' }])
  buffer.setFilter({ text: 'started', level: 'all' })
  expect(texts(buffer)).toEqual(['INFO Started', 'gap 12'])
  buffer.setFilter({ text: '', level: 'warn' })
  expect(texts(buffer)).toEqual(['ERROR no such file', 'gap 12'])
  buffer.append([{ text: 'WARN late' }, { text: 'plain again' }])
  expect(texts(buffer)).toEqual(['ERROR no such file', 'gap 12', 'WARN late'])
})

test('the rest of a traceback is shown with its first line, also when that comes later, from above', () => {
  const buffer = new LogBuffer(10)
  buffer.setFilter({ text: '', level: 'error' })
  buffer.append([{ text: '    at run' }, { text: 'Caused by: x' }, { text: 'INFO fine' }, { text: '  more' }])
  expect(texts(buffer)).toEqual([])
  buffer.prepend([{ text: 'INFO before' }, { text: 'ERROR broken' }])
  expect(texts(buffer)).toEqual(['ERROR broken', '    at run', 'Caused by: x'])
  buffer.append([{ text: 'ERROR again' }])
  buffer.append([{ text: '    at run' }])
  buffer.appendGap()
  buffer.append([{ text: '    of something else' }])
  expect(texts(buffer).slice(3)).toEqual(['ERROR again', '    at run', 'gap ?'])
})

test('whatever happens, what is shown is what a filter of everything held would show', () => {
  const text = fc.constantFrom('INFO a', 'ERROR b', 'c', 'WARN a', '  at a', 'Error: a')
  const step = fc.oneof(
    fc.record({ do: fc.constant('append' as const), texts: fc.array(text, { maxLength: 8 }) }),
    fc.record({ do: fc.constant('prepend' as const), texts: fc.array(text, { maxLength: 8 }) }),
    fc.record({
      do: fc.constant('filter' as const),
      text: fc.constantFrom('', 'a'),
      level: fc.constantFrom('all' as const, 'warn' as const),
    }),
    fc.record({ do: fc.constant('gap' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => {
      const buffer = new LogBuffer(20)
      let filter: { text: string; level: 'all' | 'warn' } = { text: '', level: 'all' }
      for (const one of steps) {
        if (one.do === 'append') buffer.append(one.texts.map((line) => ({ text: line })))
        if (one.do === 'prepend') buffer.prepend(one.texts.map((line) => ({ text: line })))
        if (one.do === 'gap') buffer.appendGap()
        if (one.do === 'filter') {
          filter = { text: one.text, level: one.level }
          buffer.setFilter(filter)
        }
        expect(buffer.size).toBeLessThanOrEqual(20)
        const incremental = buffer.shown.map(({ seq }) => seq)
        expect(incremental).toEqual([...new Set(incremental)].sort((a, b) => a - b))
        buffer.setFilter(filter)
        expect(buffer.shown.map(({ seq }) => seq)).toEqual(incremental)
      }
    }),
  )
})

describe('where a page and the stream meet', () => {
  test.each([
    ['the stream begins in the middle of the page', ['a', 'b', 'c', 'd'], ['c', 'd', 'e'], 2],
    ['the page begins before what is held and ends after it', ['b', 'c'], ['a', 'b', 'c', 'd'], 3],
    ['they have nothing in common', ['a', 'b'], ['c', 'd'], 0],
    ['nothing is held', [], ['a'], 0],
    ['nothing new', ['a', 'b', 'c'], ['b', 'c'], 2],
    ['equal lines are never shown twice', ['x', 'x'], ['x', 'x', 'x'], 3],
  ])('%s', (_, held, next, known) => {
    expect(continuesAt(held, next)).toBe(known)
  })
})
