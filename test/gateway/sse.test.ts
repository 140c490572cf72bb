// Server-sent events as an endpoint sends them, in chunks that end anywhere.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventRuns, EventSplitter, MAX_EVENT_CHARS } from '../../src/gateway/agent/sse.ts'

const bytes = (text: string): Buffer => Buffer.from(text)

test.each(['\n', '\r\n', '\r'])('the data of events arrives whole wherever the chunks end (line end %j)', (end) => {
  const stream = [': a comment', '', 'event: x', 'data: première', 'data:second', '', 'data: [DONE]', '', ''].join(end)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 40, maxLength: 80 }), (sizes) => {
      const splitter = new EventSplitter()
      const runs = new EventRuns()
      const events: string[] = []
      const passed: Buffer[] = []
      let left = bytes(stream)
      for (const size of [...sizes, stream.length]) {
        events.push(...splitter.push(left.subarray(0, size)))
        passed.push(runs.push(left.subarray(0, size)))
        left = left.subarray(size)
      }
      // A CR at the very end may be half of a CRLF: the last event then waits for what follows.
      expect(events).toEqual(end === '\r' ? ['première\nsecond'] : ['première\nsecond', '[DONE]'])
      expect(Buffer.concat([...passed, runs.rest()]).toString()).toBe(stream)
      for (const run of passed) expect(run.length === 0 || run.toString().endsWith(end)).toBe(true)
    }),
  )
})

test('a run of bytes never ends in the middle of an event', () => {
  const runs = new EventRuns()
  expect(runs.push(bytes('data: 1\n\nda')).toString()).toBe('data: 1\n\n')
  expect(runs.push(bytes('ta: 2\n')).toString()).toBe('')
  expect(runs.push(bytes('\ndata: 3')).toString()).toBe('data: 2\n\n')
  expect(runs.rest().toString()).toBe('data: 3')
})

test.each([
  ['a line', 'data: ', ''],
  ['many lines of data', '', '\ndata: '],
  ['lines that are no data', '', '\nevent: '],
])('an event without end, made of %s, is given up past the limit', (_, begin, between) => {
  const splitter = new EventSplitter()
  const flood = (): void => {
    splitter.push(bytes(begin))
    for (let sent = 0; sent < 2 * MAX_EVENT_CHARS; sent += 65_536) splitter.push(bytes(between + 'x'.repeat(65_536)))
  }
  expect(flood).toThrow(/an event of more than 4194304 characters/)
})

test('a long event that comes in small pieces costs no more than its size', () => {
  const splitter = new EventSplitter()
  const runs = new EventRuns()
  const piece = bytes('x'.repeat(1000))
  const before = process.cpuUsage()
  splitter.push(bytes('data: '))
  for (let i = 0; i < 4000; i++) {
    splitter.push(piece)
    runs.push(piece)
  }
  expect(splitter.push(bytes('\n\n'))[0]).toHaveLength(4_000_000)
  // Joined again with every piece it would copy 8 GB.
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(1500)
})
