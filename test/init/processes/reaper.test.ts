import { expect, test } from 'vitest'
import { Reaper } from '../../../src/init/processes/reaper.ts'
import { FakeNative } from '../../support/hostile/native-fake.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

function scene(own: readonly number[] = []) {
  const native = new FakeNative()
  const clock = fakeClock()
  const mine = new Set(own)
  const reaped: number[] = []
  const reaper = new Reaper({ native, clock, isOwn: (pid) => mine.has(pid), reaped: (count) => reaped.push(count) })
  return { native, clock, mine, reaped, reaper }
}

test('orphans are reaped, all of them, in one scan', () => {
  const { native, reaper, clock, reaped } = scene()
  for (const pid of [5, 6, 7]) native.ends(pid)
  reaper.scanSoon()
  clock.advance(0)
  expect(native.peekEndedChild()).toBeUndefined()
  expect(reaped).toEqual([3])
})

test('there is at most one scan in 20 ms, however many children end', () => {
  const { native, reaper, clock, reaped } = scene()
  for (let ms = 0; ms < 100; ms++) {
    native.ends(1000 + ms)
    reaper.scanSoon()
    clock.advance(1)
  }
  clock.advance(20)
  expect(reaped.length).toBeLessThanOrEqual(6)
  expect(reaped.reduce((sum, count) => sum + count)).toBe(100)
})

test('a child of our own is left to libuv, and what stands behind it is reaped once libuv has been there', () => {
  const { native, reaper, clock, mine } = scene([5])
  for (const pid of [5, 6]) native.ends(pid)
  reaper.scanSoon()
  clock.advance(0)
  expect(native.peekEndedChild()).toBe(5)
  native.reap(5) // libuv
  mine.delete(5)
  clock.advance(20)
  expect(native.peekEndedChild()).toBeUndefined()
})

test('without a child that ended a scan sets no alarm: init sleeps', () => {
  const { reaper, clock } = scene()
  reaper.scanSoon()
  clock.advance(1000)
  expect(clock.alarms()).toEqual([])
})
