import { expect, test } from 'vitest'
import { ThrottledWriter } from '../../src/system/throttled-writer.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'

test('the first of a kind in a minute is written at once, and at its end how many more there were', () => {
  const clock = fakeClock()
  const written: [string, number][] = []
  const tally = new ThrottledWriter<string>(clock, (entry, more) => written.push([entry, more]))
  for (const entry of ['a1', 'a2', 'b1', 'a3']) tally.add(entry.charAt(0), entry)
  expect(written.splice(0)).toEqual([
    ['a1', 0],
    ['b1', 0],
  ])
  clock.advance(60_000)
  expect(written.splice(0)).toEqual([['a3', 2]])
  tally.add('a', 'a4')
  tally.add('a', 'a5')
  tally.flush()
  clock.advance(60_000)
  expect(written).toEqual([
    ['a4', 0],
    ['a5', 1],
  ])
})

test('a caller that invents kinds gets no more than a hundred lines a minute', () => {
  const clock = fakeClock()
  const written: [string, number][] = []
  const tally = new ThrottledWriter<string>(clock, (entry, more) => written.push([entry, more]))
  for (let n = 0; n < 5000; n += 1) tally.add(`kind ${n}`, String(n))
  expect(written).toHaveLength(101)
  clock.advance(60_000)
  expect(written.slice(101)).toEqual([['4999', 4899]])
})
