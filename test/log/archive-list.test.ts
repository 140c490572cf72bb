import { readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { archiveName } from '../../src/log/archives.ts'
import { ArchiveList } from '../../src/log/io/archive-list.ts'
import { scratchDir } from '../support/scratch.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-archives-')
})

const none = (): readonly string[] => []
/** Does on the disk what the plan says. */
function rotate(list: ArchiveList): void {
  const plan = list.plan(none)
  writeFileSync(join(dir, plan.archive), '')
  for (const name of plan.remove) unlinkSync(join(dir, name))
  list.done(plan)
}

test('a flood that rotates many times within a second has the directory listed once', () => {
  const clock = fakeClock()
  const list = new ArchiveList(dir, 3, clock)
  for (let i = 0; i < 10; i++) rotate(list)
  expect(readdirSync(dir)).toHaveLength(3)
  // An archive that another program removes is noticed at the next listing, a second later.
  const [oldest = ''] = readdirSync(dir).sort()
  unlinkSync(join(dir, oldest))
  expect(list.plan(none).remove).toEqual([oldest])
  clock.advance(1000)
  expect(list.plan(none).remove).toEqual([])
})

test('of two hundred archives too many a rotation removes the oldest 32, and later ones the rest', () => {
  const clock = fakeClock()
  for (let i = 0; i < 203; i++) writeFileSync(join(dir, archiveName(i * 1000)), '')
  for (let i = 0; i < 100; i++) writeFileSync(join(dir, `junk ${i}`), '')
  const list = new ArchiveList(dir, 3, clock)
  const left = (): number => readdirSync(dir).length - 100
  rotate(list)
  expect(left()).toBe(203 + 1 - 32)
  expect(readdirSync(dir)).not.toContain(archiveName(0))
  for (let i = 0; i < 20; i++) {
    clock.advance(1000)
    rotate(list)
  }
  expect(left()).toBe(3)
})

test('a name that is still being removed is not given again', () => {
  const clock = fakeClock()
  const list = new ArchiveList(dir, 0, clock)
  const first = list.plan(none)
  list.done(first)
  expect(list.plan(() => [first.archive]).archive > first.archive).toBe(true)
})
