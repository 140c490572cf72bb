import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readStamp, STAMP_BYTES, stampText } from '../../src/log/stamp.ts'

const NOON = Date.UTC(2026, 10, 22, 12, 15, 18, 810)

test('a stamp is RFC 3339 in UTC with milliseconds and one space', () => {
  expect(stampText(NOON)).toBe('2026-11-22T12:15:18.810Z ')
})

test('every clock, however wrong, gives a stamp of the same width', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-1, Number.NaN, 8.64e15, 253_402_300_800_000)),
      (wallMs) => {
        expect(stampText(wallMs)).toHaveLength(STAMP_BYTES)
      },
    ),
  )
})

test('a stamp is read back to the millisecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 0) }), fc.string(), (wallMs, text) => {
      expect(readStamp(stampText(wallMs) + text)).toEqual({ at: stampText(wallMs).trim(), atMs: wallMs })
    }),
  )
})

test.each([
  '',
  'text',
  '2026-11-22T12:15:18.810Z',
  '2026-11-22T12:15:18Z text',
  '2026-13-22T12:15:18.810Z text',
  ' 2026-11-22T12:15:18.810Z x',
])('a line without a stamp has none: "%s"', (line) => expect(readStamp(line)).toBeUndefined())
