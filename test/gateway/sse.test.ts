// Server-sent events as an endpoint sends them, in chunks that end anywhere.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventSplitter, MAX_EVENT_CHARS, type ServerEvent } from '../../src/gateway/agent/sse.ts'

const bytes = (text: string): Buffer => Buffer.from(text)

test.each(['\n', '\r\n', '\r'])('the data of events arrives whole wherever the chunks end (line end %j)', (end) => {
  const lines = [': a comment', '', 'event: x', 'data: première', 'data:second', '', 'data:', '', 'data: [DONE]', '']
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 40, maxLength: 80 }), (sizes) => {
      const splitter = new EventSplitter()
      const events: ServerEvent[] = []
      const stream = lines.join(end)
      let left = bytes(stream)
      for (const size of [...sizes, stream.length]) {
        events.push(...splitter.push(left.subarray(0, size)))
        left = left.subarray(size)
      }
      // The empty line after the last event is missing, and an event without data does not count.
      expect(events).toEqual([{ type: 'x', data: 'première\nsecond' }])
      expect(splitter.end()).toEqual([{ type: '', data: '[DONE]' }])
    }),
  )
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
  const piece = bytes('x'.repeat(1000))
  const before = process.cpuUsage()
  splitter.push(bytes('data: '))
  for (let i = 0; i < 4000; i++) splitter.push(piece)
  expect(splitter.push(bytes('\n\n'))[0]?.data).toHaveLength(4_000_000)
  // Joined again with every piece it would copy 8 GB.
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(1500)
})
