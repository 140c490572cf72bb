import { expect, test } from 'vitest'
import { secondsToMs } from '../../../src/system/text/seconds.ts'

test.each([
  ['8', 8000],
  ['0.5', 500],
  [' 86400 ', 86_400_000],
])('"%s" seconds are %i ms', (text, ms) => {
  expect(secondsToMs(text)).toBe(ms)
})

test.each([undefined, '', '0', '-1', '1e3', '0x10', '5s', '86401', 'Infinity'])(
  '%j is not a time in seconds',
  (text) => {
    expect(secondsToMs(text)).toBeUndefined()
  },
)
