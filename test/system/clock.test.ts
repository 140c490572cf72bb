import { expect, test } from 'vitest'
import { systemClock } from '../../src/system/clock.ts'

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
