import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineSplitter } from '../../src/protocol/lines.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('lines come out whole, however they are cut, also within a character', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''))),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (lines, sizes) => {
        const splitter = new LineSplitter(1_000_000)
        const input = bytes(lines.map((line) => `${line}\n`).join(''))
        const seen: string[] = []
        for (let at = 0, i = 0; at < input.length; i++) {
          const size = sizes[i % sizes.length] ?? 1
          seen.push(...splitter.push(input.subarray(at, at + size)).lines)
          at += size
        }
        expect(seen).toEqual(lines)
        expect(splitter.heldBytes).toBe(0)
      },
    ),
  )
})

test('a line of exactly the limit passes; one byte more does not, nor anything after it', () => {
  const splitter = new LineSplitter(5)
  expect(splitter.push(bytes('12345\n1234'))).toEqual({ lines: ['12345'], tooLong: false })
  expect(splitter.heldBytes).toBe(4)
  expect(splitter.push(bytes('56\nok\n'))).toEqual({ lines: [], tooLong: true })
  expect(splitter.push(bytes('ok\n'))).toEqual({ lines: [], tooLong: true })
  expect(splitter.heldBytes).toBe(0)
})

test("the caller may use its buffer again: what is kept is the splitter's own", () => {
  const splitter = new LineSplitter(100)
  const buffer = bytes('abc')
  splitter.push(buffer)
  buffer.fill(0)
  expect(splitter.push(bytes('\n')).lines).toEqual(['abc'])
})

test('an unfinished line of single bytes takes no more than twice its size', () => {
  const splitter = new LineSplitter(1_000_000)
  const one = bytes('x')
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 500_000; i++) splitter.push(one)
  expect(splitter.heldBytes).toBe(500_000)
  // One small typed array for each byte took 50 MB and more.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000)
  expect(splitter.push(bytes('\n')).lines[0]).toHaveLength(500_001 - 1)
})
