import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  countLines,
  fitLines,
  PIECE_BYTES,
  packEnd,
  pieceBreak,
  prefixLines,
  stampedBytes,
  stampLines,
} from '../../src/log/lines.ts'
import { STAMP_BYTES } from '../../src/log/stamp.ts'
import { anyText } from '../support/hostile/any-text.ts'

const stamp = Buffer.from('2026-11-22T12:15:18.810Z ')
const stamped = (chunk: Uint8Array, midLine: boolean): string => {
  const out = Buffer.alloc(stampedBytes(chunk.length))
  return out.toString('latin1', 0, stampLines(out, chunk, stamp, midLine))
}

/** Bytes as services write them: all values, many newlines, long runs without. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constant('\n'),
      anyText(),
      fc.integer({ min: 1, max: 99 }).map((n) => 'x'.repeat(n)),
    ),
    {
      maxLength: 40,
    },
  )
  .map((parts) => Buffer.from(parts.join(''), 'utf8'))
const anyBytes = fc.oneof(
  bytes,
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
)

test('every line that begins in a chunk gets the stamp, and no byte is changed', () => {
  expect(stamped(Buffer.from('one\ntwo\n'), false)).toBe(`${stamp}one\n${stamp}two\n`)
  expect(stamped(Buffer.from('rest\nnext'), true)).toBe(`rest\n${stamp}next`)
  expect(stamped(Buffer.alloc(0), false)).toBe('')
})

test('stamping is what a replacement on strings would do, for all bytes, lengths and alignments', () => {
  fc.assert(
    fc.property(anyBytes, fc.integer({ min: 0, max: 9 }), fc.boolean(), (content, offset, midLine) => {
      const chunk = Buffer.concat([Buffer.alloc(offset, '\n'), content]).subarray(offset)
      const text = content.toString('latin1')
      const expected = text === '' ? '' : (midLine ? '' : stamp) + text.replace(/\n(?!$(?![\s\S]))/g, `\n${stamp}`)
      expect(stamped(chunk, midLine)).toBe(expected)
    }),
    { numRuns: 500 },
  )
})

test('a chunk of nothing but newlines fits the room that is kept for it', () => {
  expect(stamped(Buffer.alloc(1000, '\n'), false)).toHaveLength(1000 * (STAMP_BYTES + 1))
})

test('a prefix stands before each line and nowhere else', () => {
  expect(prefixLines('a\n\nb\n', '[web] ')).toBe('[web] a\n[web] \n[web] b\n')
})

test('a line is broken after a piece, and only if it goes on', () => {
  const chunk = Buffer.from('aaaa\nbbbb')
  expect(pieceBreak(chunk, 0)).toBeUndefined()
  expect(pieceBreak(chunk, PIECE_BYTES - 4)).toBeUndefined() // ends exactly at the limit
  expect(pieceBreak(chunk, PIECE_BYTES - 3)).toBe(3)
  expect(pieceBreak(chunk, PIECE_BYTES)).toBe(0)
  expect(pieceBreak(Buffer.from('\n'), PIECE_BYTES)).toBeUndefined()
})

test('a file takes as many whole lines as fit', () => {
  const lines = Buffer.from('aa\nbbb\ncccc')
  expect(fitLines(lines, 99)).toBe(11)
  expect(fitLines(lines, 11)).toBe(11)
  expect(fitLines(lines, 10)).toBe(7)
  expect(fitLines(lines, 6)).toBe(3)
  expect(fitLines(lines, 2)).toBe(0)
  expect(fitLines(lines, -5)).toBe(0)
})

test('writes to the console are whole lines of at most 4096 bytes, or one longer line', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 6000 }), { minLength: 1, maxLength: 20 }), (lengths) => {
      const lines = Buffer.from(lengths.map((length) => `${'x'.repeat(length)}\n`).join(''))
      for (let at = 0; at < lines.length; ) {
        const end = packEnd(lines, at, 4096)
        const block = lines.subarray(at, end)
        expect(block.at(-1)).toBe(10)
        if (block.length > 4096) expect(countLines(block)).toBe(1)
        const next = lines.indexOf(10, end) + 1
        if (next > 0 && block.length <= 4096) expect(next - at).toBeGreaterThan(4096) // one more would not have fitted
        at = end
      }
    }),
  )
})
