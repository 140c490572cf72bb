import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { pause, systemClock } from '../../src/system/clock.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { within } from '../support/wait.ts'

test('an alarm never rings before its instant, not even by a part of a millisecond', async () => {
  const clock = systemClock()
  const early = await Promise.all(
    Array.from({ length: 300 }, (_, i) => {
      const atMs = clock.nowMs() + i / 40
      return new Promise<number>((resolve) => clock.at(atMs, () => resolve(Math.max(0, atMs - clock.nowMs()))))
    }),
  )
  expect(early.filter((byMs) => byMs > 0)).toEqual([])
})

test('a cancelled alarm does not ring, and cancelling again or afterwards does nothing', async () => {
  const clock = systemClock()
  let rung = 0
  const cancel = clock.at(clock.nowMs() + 1, () => rung++)
  cancel()
  cancel()
  await new Promise<void>((resolve) => clock.at(clock.nowMs() + 5, resolve))
  expect(rung).toBe(0)
})

test('an alarm further away than a timer can count does not ring at once', async () => {
  const clock = systemClock()
  let rung = 0
  const cancel = clock.at(clock.nowMs() + 2 ** 40, () => rung++)
  await new Promise<void>((resolve) => clock.at(clock.nowMs() + 5, resolve))
  cancel()
  expect(rung).toBe(0)
})

test('a pause ends when its time is over or its signal is aborted, before or meanwhile, and leaves neither alarm nor listener', async () => {
  const clock = fakeClock()
  const stop = new AbortController()
  const listeners = (): number => getEventListeners(stop.signal, 'abort').length
  const over = pause(clock, 100, stop.signal)
  expect([clock.alarms().length, listeners()]).toEqual([1, 1])
  clock.advance(100)
  await within('its time', over)
  expect([clock.alarms().length, listeners()]).toEqual([0, 0])
  const aborted = pause(clock, 100, stop.signal)
  stop.abort()
  await within('the abort', aborted)
  await within('an abort before', pause(clock, 100, stop.signal))
  expect([clock.alarms().length, listeners()]).toEqual([0, 0])
})
