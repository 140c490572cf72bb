import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseKeep, removeOld, tooOld } from '../../src/cli/commands/backup/keep.ts'
import { fileStamp } from '../../src/system/instant.ts'
import { scratchDir } from '../support/scratch.ts'

const name = (day: number, more = ''): string => `hermes-${fileStamp(Date.UTC(2026, 0, day))}.tar.gz${more}`

test('the newest backups stay, encrypted or not', () => {
  const names = [name(3), name(1, '.age'), name(2), name(4)]
  expect(tooOld(names, 2, name(4))).toEqual([name(1, '.age'), name(2)])
  expect(tooOld(names, 1, name(4))).toEqual([name(1, '.age'), name(2), name(3)])
  expect(tooOld(names, 4, name(4))).toEqual([])
  expect(tooOld(names, 9, name(4))).toEqual([])
})

test('after the clock was set back, the backup that was just made is one of those that stay', () => {
  const names = [name(1), name(5), name(6), name(7)]
  expect(tooOld(names, 2, name(1))).toEqual([name(5), name(6)])
  expect(tooOld(names, 1, name(1))).toEqual([name(5), name(6), name(7)])
})

test('a second backup of one second is one that gets old, too', () => {
  const second = name(1).replace('.tar', '-2.tar')
  expect(tooOld([name(2), second, name(1)], 1, name(2)).toSorted()).toEqual([second, name(1)].toSorted())
})

test('files with other names, directories and links stay, and do not count', () => {
  const dir = scratchDir('hermes-keep-')
  for (const one of [name(1), name(2), 'mine.tar.gz', `${name(1)}.part`]) writeFileSync(join(dir, one), '')
  mkdirSync(join(dir, name(3)))
  symlinkSync('/nowhere', join(dir, name(4)))
  expect(removeOld(dir, 1, name(2))).toEqual([name(1)])
  expect(readdirSync(dir).sort()).toEqual([`${name(1)}.part`, name(2), name(3), name(4), 'mine.tar.gz'])
})

test.each(['0', '-1', '1.5', 'all', '', '9999999'])('%j is refused as a number of backups', (text) => {
  expect(() => parseKeep(text)).toThrow('--keep takes a whole number')
})
