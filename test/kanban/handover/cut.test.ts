// A hand-over fits into its room, and the oldest entries go first.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byteLength, cutEntries, type Entry, entryText, firstBytes } from '../../../src/kanban/handover/cut.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.tuple(fc.constantFrom('a', 'ä', '漢', '😀', '\n'), fc.integer({ min: 0, max: 3000 })).map(([c, n]) => c.repeat(n)),
)
const entries = fc.array(
  fc.record({
    atMs: fc.option(fc.integer({ min: 0, max: 20 }), { nil: null }),
    heading: fc.string({ unit: 'grapheme', maxLength: 30 }).map((words) => `## ${words}`),
    text,
  }),
  { maxLength: 12 },
)
const room = fc.integer({ min: 0, max: 20_000 })

const size = (all: readonly Entry[]): number => all.reduce((sum, entry) => sum + byteLength(entryText(entry)) + 2, 0)
const age = ({ atMs }: Entry): number => atMs ?? -1

test('all that is kept fits into the room, and nothing is cut that fits', () => {
  fc.assert(
    fc.property(entries, room, (all, bytes) => {
      const { kept, dropped, shortened } = cutEntries(all, bytes)
      expect(size(kept)).toBeLessThanOrEqual(bytes)
      expect(kept.length + dropped).toBe(all.length)
      if (size(all) <= bytes) expect({ kept, dropped, shortened }).toEqual({ kept: all, dropped: 0, shortened: 0 })
      else expect(dropped + shortened).toBeGreaterThan(0)
    }),
    { numRuns: 500 },
  )
})

test('only the oldest entries are left out, and the rest stays in order', () => {
  fc.assert(
    fc.property(entries, room, (given, bytes) => {
      const all = given.map((entry, at) => ({ ...entry, at }))
      const { kept } = cutEntries(all, bytes)
      const isKept = new Set(kept.map(({ at }) => at))
      const oldestKept = Math.min(...kept.map(age))
      for (const entry of all) if (!isKept.has(entry.at)) expect(age(entry)).toBeLessThanOrEqual(oldestKept)
      expect(kept.map(({ at }) => at)).toEqual([...isKept].sort((a, b) => a - b))
    }),
    { numRuns: 500 },
  )
})

test('a shortened text is the beginning of the whole one, in whole characters, and says how much it is', () => {
  fc.assert(
    fc.property(entries, room, (given, bytes) => {
      const all = given.map((entry, at) => ({ ...entry, at }))
      const { kept, shortened } = cutEntries(all, bytes)
      const cut = kept.filter((entry) => entry.text !== all[entry.at]?.text)
      expect(cut).toHaveLength(shortened)
      for (const entry of cut) {
        const whole = all[entry.at]?.text ?? ''
        const [, start = '?', read, of] = /^([\s\S]*)\n\[… the first (\d+) of (\d+) bytes\]$/.exec(entry.text) ?? []
        expect(whole.startsWith(start)).toBe(true)
        expect([Number(read), Number(of)]).toEqual([byteLength(start), byteLength(whole)])
        expect(/[\ud800-\udbff]$/.test(start)).toBe(false)
      }
    }),
    { numRuns: 500 },
  )
})

test('one long text does not take the place of all others', () => {
  const old = { atMs: 1, heading: '## old', text: 'o'.repeat(1000) }
  const long = { atMs: 2, heading: '## long', text: 'l'.repeat(1_000_000) }
  const { kept, dropped, shortened } = cutEntries([old, long], 4000)
  expect({ dropped, shortened }).toEqual({ dropped: 0, shortened: 1 })
  expect(kept[0]).toEqual(old)
  expect(byteLength(kept[1]?.text ?? '')).toBeGreaterThan(2500)
})

test('the first bytes of a text end with a whole character', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7].map((bytes) => firstBytes('a漢😀', bytes))).toEqual([
    '',
    'a',
    'a',
    'a',
    'a漢',
    'a漢',
    'a漢',
    'a漢',
  ])
  expect(firstBytes('a漢😀', 8)).toBe('a漢😀')
})
