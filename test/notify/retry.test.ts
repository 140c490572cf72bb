import { expect, test } from 'vitest'
import { attemptOf, pauseAfter } from '../../src/notify/retry.ts'

test('the pause between attempts doubles from one second to one hour', () => {
  expect([1, 2, 3, 12, 13, 100].map((attempts) => pauseAfter(attempts))).toEqual([
    1000, 2000, 4000, 2_048_000, 3_600_000, 3_600_000,
  ])
})

test('a target that asks for more time gets it, up to an hour', () => {
  expect([pauseAfter(1, 90_000), pauseAfter(9, 1000), pauseAfter(1, 1e12)]).toEqual([90_000, 256_000, 3_600_000])
})

test.each([
  [200, 'delivered'],
  [204, 'delivered'],
  [302, 'refused'],
  [404, 'refused'],
  [429, 'failed'],
  [500, 'failed'],
  [503, 'failed'],
])('an answer %i means that the message is %s', (status, is) => {
  expect(attemptOf(status, null, 0)).toEqual({ is, text: `answered ${status}` })
})

test('Retry-After is a number of seconds or a date', () => {
  const afterMs = (text: string) => {
    const attempt = attemptOf(429, text, Date.UTC(2026, 0, 1))
    return 'afterMs' in attempt ? attempt.afterMs : undefined
  }
  expect([afterMs('7'), afterMs('Thu, 01 Jan 2026 00:00:30 GMT'), afterMs('soon'), afterMs('-5')]).toEqual([
    7000,
    30_000,
    undefined,
    undefined,
  ])
})
