import { expect, test } from 'vitest'
import { isShown, type Level } from '../../src/system/level.ts'

test.each([
  ['0', ['error']],
  ['1', ['error', 'warn']],
  ['2', ['error', 'warn', 'info']],
  ['5', ['error', 'warn', 'info']],
  ['', ['error', 'warn', 'info']],
  [undefined, ['error', 'warn', 'info']],
  ['loud', ['error', 'warn', 'info']],
])('S6_VERBOSITY=%s shows %o', (verbosity, shown) => {
  expect((['error', 'warn', 'info'] as Level[]).filter(isShown(verbosity))).toEqual(shown)
})
