import { expect, test } from 'vitest'
import { EventCutter, isDone, isOnlyUsage, jsonOf } from '../../src/meter/event-cutter.ts'

const STREAM = Buffer.from(
  [
    ': comment\n\n',
    'data: {"a":"☃"}\n\n',
    'event: x\r\ndata: {"b":1}\r\n\r\n',
    'data: {"c":\ndata: 2}\n\n',
    'data: [DONE]\n\n',
  ].join(''),
)

test('whatever the pieces, events come whole and no byte is lost or changed', () => {
  const whole = new EventCutter().push(STREAM).map(String)
  expect(whole).toHaveLength(5)
  for (let size = 1; size <= STREAM.length; size++) {
    const cutter = new EventCutter()
    const events: string[] = []
    for (let at = 0; at < STREAM.length; at += size)
      events.push(...cutter.push(STREAM.subarray(at, at + size)).map(String))
    expect([...events, cutter.end().toString()]).toEqual([...whole, ''])
  }
})

test('an event without its empty line is the rest', () => {
  const cutter = new EventCutter()
  expect(cutter.push(Buffer.from('data: 1\n\ndata: 2')).map(String)).toEqual(['data: 1\n\n'])
  expect(cutter.end().toString()).toBe('data: 2')
})

test('the JSON of an event is read, also over several lines; other events have none', () => {
  expect(new EventCutter().push(STREAM).map(jsonOf)).toEqual([undefined, { a: '☃' }, { b: 1 }, { c: 2 }, undefined])
  expect(jsonOf(Buffer.from('data: {half\n\n'))).toBeUndefined()
})

test('a stream ends with its last event, and not with the same text in an answer', () => {
  const ends = ['data: [DONE]\n\n', 'data:[DONE]\r\n\r\n', ': x\ndata: [DONE]\n\n', 'data: [DONE]']
  expect(ends.map((text) => isDone(Buffer.from(text)))).toEqual(ends.map(() => true))
  const others = ['data: {"content":"[DONE]"}\n\n', 'data: {"content":"data: [DONE]\\n"}\n\n', ': [DONE]\n\n']
  expect(others.map((text) => isDone(Buffer.from(text)))).toEqual(others.map(() => false))
})

test('only an event without choices exists for its usage', () => {
  expect([{ choices: [], usage: {} }, { choices: [{}], usage: {} }, { usage: {} }, null].map(isOnlyUsage)).toEqual([
    true,
    false,
    false,
    false,
  ])
})
