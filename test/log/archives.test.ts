import fc from 'fast-check'
import { expect, test } from 'vitest'
import { archiveAtMs, archiveName, planRotation, sortArchives } from '../../src/log/archives.ts'

const NOON = Date.UTC(2026, 10, 22, 12, 15, 18, 810)
/** An archive of s6-log: TAI is 37 s ahead of UTC. */
const foreign = '@400000006b1b59cb30479e80.s'
const foreignAtMs = (0x6b1b59cb - 37) * 1000 + 810

test('an archive bears the instant of its rotation', () => {
  expect(archiveName(NOON)).toBe('20261122T121518.810Z.log')
  expect(archiveAtMs('20261122T121518.810Z.log')).toBe(NOON)
})

test("s6-log's archives are dated too, clean or not", () => {
  expect(archiveAtMs('@400000006b02dcfb30479e80.s')).toBe(NOON)
  expect(archiveAtMs(foreign)).toBe(foreignAtMs)
  expect(archiveAtMs(foreign.replace('.s', '.u'))).toBe(foreignAtMs)
})

test.each([
  'current',
  'lock',
  'state',
  'x.log',
  '20261322T121518.810Z.log',
  '@4000000.s',
  '@ffffffffffffffff00000000.s',
  `@${'0'.repeat(24)}.u`,
])('no archive: %s', (name) => expect(archiveAtMs(name)).toBeUndefined())

test('the eleventh archive removes the oldest one, no matter which program wrote it', () => {
  const ours = Array.from({ length: 9 }, (_, i) => archiveName(foreignAtMs + 1000 + i))
  const names = ['current', 'state', ...ours.toReversed(), foreign]
  expect(planRotation(names, foreignAtMs + 5000, 10)).toEqual({
    archive: archiveName(foreignAtMs + 5000),
    remove: [foreign],
  })
})

test('a limit that was lowered takes all that is now too much, and 0 keeps nothing', () => {
  const names = [archiveName(NOON), archiveName(NOON + 1), archiveName(NOON + 2)]
  expect(planRotation(names, NOON + 9, 2).remove).toEqual(names.slice(0, 2))
  expect(planRotation([], NOON, 0)).toEqual({ archive: archiveName(NOON), remove: [archiveName(NOON)] })
})

test('names go up, never over one that exists, whatever the clock does and whatever lies about', () => {
  const clocks = fc.array(fc.integer({ min: -1_000_000, max: Date.UTC(2200, 0) }), { minLength: 20, maxLength: 60 })
  const junk = fc.array(
    fc.oneof(fc.string(), fc.constantFrom(foreign, '99991231T235959.999Z.log', '@7fffffffffffffffffffffff.s')),
  )
  fc.assert(
    fc.property(clocks, junk, fc.integer({ min: 1, max: 12 }), (walls, others, keep) => {
      const names = new Set(others)
      let last = ''
      for (const wallMs of walls) {
        const { archive, remove } = planRotation([...names], wallMs, keep)
        expect(names.has(archive)).toBe(false)
        expect(archive > last).toBe(true)
        names.add(archive)
        for (const name of remove) names.delete(name)
        expect(sortArchives([...names]).length).toBeLessThanOrEqual(keep)
        expect(sortArchives([...names]).at(-1)).toBe(archive)
        last = archive
      }
    }),
  )
})
