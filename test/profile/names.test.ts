import { describe, expect, test } from 'vitest'
import { isProfileName, parseProfileName, RESERVED_NAMES } from '../../src/profile/names.ts'

describe('the name of a profile', () => {
  test.each([
    ['coder', 'coder'],
    ['  Coder \n', 'coder'],
    ['0', '0'],
    ['a-b_c9', 'a-b_c9'],
    ['x'.repeat(64), 'x'.repeat(64)],
  ])('%j becomes %j', (typed, name) => {
    expect(parseProfileName(typed)).toBe(name)
  })

  test.each(['', '-a', '_a', '.a', 'a/b', '../x', 'a b', 'ä', 'x'.repeat(65), 'a\0', 'a\nb'])(
    '%j is refused',
    (typed) => {
      expect(() => parseProfileName(typed)).toThrow(expect.objectContaining({ code: 'BAD_NAME', exitCode: 1 }))
    },
  )

  test.each(RESERVED_NAMES)('%j is reserved, in any case, and no directory of that name is a profile', (name) => {
    expect(() => parseProfileName(name.toUpperCase())).toThrow(/reserved/)
    expect(isProfileName(name)).toBe(false)
  })

  test.each(['agent', 'errors', 'boot', 'supervisor', 'current'])('%j is a name like any other', (name) => {
    expect(parseProfileName(name)).toBe(name)
  })

  test('a directory whose name would have to be changed first is not a profile', () => {
    expect(isProfileName('Coder')).toBe(false)
    expect(isProfileName(' coder')).toBe(false)
  })
})
