import { expect, test } from 'vitest'
import { attemptAtBatch, pauseAfterAttempt } from '../../src/forward/retry.ts'

test('lines are refused only where they are what is wrong', () => {
  const is = (status: number) => attemptAtBatch(status, null, 0).is
  expect([200, 204].map(is)).toEqual(['delivered', 'delivered'])
  expect([429, 500, 503].map(is)).toEqual(['failed', 'failed', 'failed'])
  // A wrong token or address, or a redirect: the lines wait.
  expect([301, 401, 403, 404, 405].map(is)).toEqual(['failed', 'failed', 'failed', 'failed', 'failed'])
  expect([400, 413, 422].map(is)).toEqual(['refused', 'refused', 'refused'])
  expect(attemptAtBatch(429, '7', 0)).toEqual({ is: 'failed', text: 'answered 429', afterMs: 7000 })
})

test('the pause before the next attempt doubles from 1 s to 1 min, unless the target wants a longer one', () => {
  expect([1, 2, 3, 6, 7, 1000].map((attempts) => pauseAfterAttempt(attempts))).toEqual([
    1000, 2000, 4000, 32_000, 60_000, 60_000,
  ])
  expect(pauseAfterAttempt(1, 7000)).toBe(7000)
  expect(pauseAfterAttempt(1, 3_600_000)).toBe(60_000)
})
