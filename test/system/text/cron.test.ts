import { expect, test } from 'vitest'
import { isCron } from '../../../src/system/text/cron.ts'

test.each([
  ['*/5 * * * *', true],
  ['0 30 3 * * 1-5', true],
  ['0 0 30 2 *', false],
  ['every day', false],
  ['', false],
])('%j is a cron pattern with a time that comes: %s', (text, is) => {
  expect(isCron(text)).toBe(is)
})
