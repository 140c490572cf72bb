import { statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { directoryEntries, FirstInOrder, makeDirectory } from '../../../src/system/files/directory.ts'
import { scratchDir } from '../../support/scratch.ts'

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

test('directories are made with those above them, and what cannot be made is an error at once, below /proc too', () => {
  const dir = scratchDir('hermes-directory-')
  expect(makeDirectory(join(dir, 'a', 'b', 'c'), 0o700)).toBe(true)
  expect(makeDirectory(join(dir, 'a', 'b', 'c'))).toBe(false)
  expect(statSync(join(dir, 'a', 'b')).mode & 0o777).toBe(0o700)
  symlinkSync('/proc/self/fd', join(dir, 'fds'))
  symlinkSync(join(dir, 'gone'), join(dir, 'lost'))
  writeFileSync(join(dir, 'file'), '')
  for (const [path, code] of [
    ['fds/x/y', 'ENOENT'],
    ['lost', 'EEXIST'],
    ['file', 'EEXIST'],
    ['file/x', 'ENOTDIR'],
  ] as const)
    expect(() => makeDirectory(join(dir, path))).toThrow(code)
})

test('a directory that is left half read is closed', () => {
  const dir = scratchDir('hermes-directory-')
  for (const name of ['a', 'b', 'c']) writeFileSync(join(dir, name), '')
  const names = [...directoryEntries(dir)].map(({ name }) => name)
  expect(names.sort()).toEqual(['a', 'b', 'c'])
  const entries = directoryEntries(dir)
  entries.next()
  expect(entries.return(undefined).done).toBe(true)
  expect(() => [...directoryEntries(join(dir, 'nowhere'))]).toThrow(/ENOENT/)
})
