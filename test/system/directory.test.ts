import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { directoryEntries, FirstInOrder } from '../../src/system/directory.ts'

test('the first of many are what sorting and cutting gives, and the rest is counted', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 5 }), (numbers, size) => {
      const kept = new FirstInOrder<number>(size, (a, b) => a < b)
      for (const number of numbers) kept.add(number)
      expect(kept.first).toEqual([...numbers].sort((a, b) => a - b).slice(0, size))
      expect(kept.more).toBe(Math.max(0, numbers.length - size))
    }),
  )
})

test('a directory that is left half read is closed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-directory-'))
  for (const name of ['a', 'b', 'c']) writeFileSync(join(dir, name), '')
  const names = [...directoryEntries(dir)].map(({ name }) => name)
  expect(names.sort()).toEqual(['a', 'b', 'c'])
  const entries = directoryEntries(dir)
  entries.next()
  expect(entries.return(undefined).done).toBe(true)
  expect(() => [...directoryEntries(join(dir, 'nowhere'))]).toThrow(/ENOENT/)
  rmSync(dir, { recursive: true })
})
