import fc from 'fast-check'
import { expect, test } from 'vitest'
import { STAMP_BYTES } from '../../src/log/stamp.ts'
import { Stamper } from '../../src/log/stamper.ts'

const CHUNK_BYTES = 69_632
const STAMP = '2026-11-22T12:15:18.810Z '
const stamp = Buffer.from(STAMP)

/** The stamped text, in the simplest way. */
const reference = (text: string, midLine: boolean): string =>
  text
    .split(/(?<=\n)/)
    .map((line, index) => (line === '' || (midLine && index === 0) ? line : STAMP + line))
    .join('')

/** Lines of any bytes, most of them of lengths around a vector's. */
const line = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 400 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 9000 }) },
)
const text = fc
  .tuple(fc.array(line, { minLength: 1, maxLength: 400 }), fc.integer({ min: 0, max: 255 }), fc.boolean())
  .map(([lengths, seed, isEnded]) => {
    const lines = lengths.map((length, at) =>
      // A neighbour of the newline and bytes that are not UTF-8 among them.
      Buffer.from(
        Array.from({ length }, (_, i) => [11, 9, 0, 255, 0x8a, seed === 10 ? 0 : seed][(i + at) % 6] as number),
      ),
    )
    const bytes = Buffer.concat(lines.flatMap((one) => [one, Buffer.from('\n')]))
    return isEnded ? bytes : bytes.subarray(0, -1)
  })

test('chunks of any lengths, cut anywhere, become the same lines as a whole with one stamp each', () => {
  const stamper = new Stamper(CHUNK_BYTES)
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: CHUNK_BYTES }), { minLength: 1 }), (whole, lengths) => {
      let stamped = ''
      let midLine = false
      for (let at = 0, i = 0; at < whole.length; i++) {
        const chunk = whole.subarray(at, at + (lengths[i % lengths.length] as number))
        stamped += stamper.stamp(chunk, stamp, midLine).toString('latin1')
        midLine = chunk.at(-1) !== 10
        at += chunk.length
      }
      expect(stamped === reference(whole.toString('latin1'), false)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('a chunk that goes on with a line gets no stamp before its first byte, whatever its length', () => {
  const stamper = new Stamper(CHUNK_BYTES)
  for (let length = 1; length < 100; length++) {
    // Short chunks and those of a loud slot are stamped by different code.
    for (const more of [0, 16_384]) {
      const chunk = Buffer.from(`${'x'.repeat(length)}\n${'y'.repeat(more)}`)
      expect(stamper.stamp(chunk, stamp, true).toString() === reference(chunk.toString(), true)).toBe(true)
    }
  }
})

test('a full chunk of newlines has room for all its stamps, and leaves nothing behind for the next', () => {
  const stamper = new Stamper(CHUNK_BYTES)
  const stamped = stamper.stamp(Buffer.alloc(CHUNK_BYTES, '\n'), stamp, false)
  expect(stamped.length).toBe(CHUNK_BYTES * (STAMP_BYTES + 1))
  expect(stamped.toString() === `${STAMP}\n`.repeat(CHUNK_BYTES)).toBe(true)
  expect(stamper.stamp(Buffer.from('next'), stamp, false).toString()).toBe(`${STAMP}next`)
})

test('a chunk may lie anywhere in other memory, and what it says there is not changed', () => {
  const stamper = new Stamper(CHUNK_BYTES)
  const memory = Buffer.alloc(40_000, 'a\n')
  const chunk = memory.subarray(7, 30_007)
  expect(stamper.stamp(chunk, stamp, false).toString() === reference(chunk.toString(), false)).toBe(true)
  expect(memory.equals(Buffer.alloc(40_000, 'a\n'))).toBe(true)
})
