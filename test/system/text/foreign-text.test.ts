import fc from 'fast-check'
import { expect, test } from 'vitest'
import { oneLine, plainText } from '../../../src/system/text/foreign-text.ts'
import { anyText } from '../../support/hostile/any-text.ts'

const any = anyText()
/** Characters that a terminal acts on, or that reverse text. */
const acts = (text: string): boolean =>
  [...text].some((c) => /\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}/u.test(c) && c !== '\n' && c !== '\t')

test('a line from another program is one line, and moves nothing on a terminal', () => {
  fc.assert(
    fc.property(any, (text) => {
      const line = oneLine(text)
      expect(acts(line)).toBe(false)
      expect(line).not.toMatch(/[\n\t]/)
      expect(oneLine(line)).toBe(line)
    }),
  )
})

test('a text keeps its lines and tabs, and nothing else that a terminal acts on', () => {
  fc.assert(
    fc.property(any, (text) => {
      const plain = plainText(text)
      expect(acts(plain)).toBe(false)
      expect(plain.split('\n')).toHaveLength(text.split('\n').length)
    }),
  )
})

test('an omission can be seen; text in any script stays as it is', () => {
  expect(oneLine('a\x1b[31mb\rc\nd\u202ee\x9b0m')).toBe('a\\u001b[31mb c d\\u202ee\\u009b0m')
  for (const text of ['größer', '日本語', 'עברית', '👩‍👩‍👧', ''])
    expect([oneLine(text), plainText(text)]).toEqual([text, text])
  expect(plainText('a\r\nb\tc\rd')).toBe('a\nb\tc\\u000dd')
})
