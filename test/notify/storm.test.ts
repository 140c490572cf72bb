import { expect, test } from 'vitest'
import { ALONE_IN_WINDOW, admit, WINDOW_MS, type Window } from '../../src/notify/storm.ts'

/** Admits events at these instants. @returns which got a message of their own */
function alone(...instants: readonly number[]): readonly boolean[] {
  let window: Window | undefined
  return instants.map((atMs) => {
    const admitted = admit(window, atMs)
    window = admitted.window
    return admitted.alone
  })
}
const count = (all: readonly boolean[]): number => all.filter(Boolean).length
const steps = (n: number, fromMs: number, stepMs: number) => Array.from({ length: n }, (_, i) => fromMs + i * stepMs)

test('the first ten events of a minute get messages of their own, and the rest shares one', () => {
  const seen = alone(...steps(10_000, 0, 5))
  expect([count(seen), seen.lastIndexOf(true)]).toEqual([ALONE_IN_WINDOW, ALONE_IN_WINDOW - 1])
})

test('a storm that goes on gets no more messages of their own until a minute without one has passed', () => {
  const stormy = steps(1200, 0, 100) // two minutes
  expect(count(alone(...stormy))).toBe(ALONE_IN_WINDOW)
  const later = 120_000 + 2 * WINDOW_MS
  expect(count(alone(...stormy, ...steps(3, later, 1)))).toBe(ALONE_IN_WINDOW + 3)
})

test('events of a quiet day each get a message of their own, also after the clock was set back', () => {
  expect(count(alone(...steps(50, 0, 20_000)))).toBe(50)
  expect(alone(1_000_000, 5)).toEqual([true, true])
})
