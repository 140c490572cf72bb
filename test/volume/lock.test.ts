import { expect, test } from 'vitest'
import { type Lock, newLock, stepLock } from '../../src/volume/lock.ts'

const held: Lock = { at: 'held' }

test('a file that is deleted while its holder makes it anew is made once more, and the lease is not lost', () => {
  const [trying, ...effects] = stepLock(held, { type: 'seen', result: 'gone' })
  expect(effects).toEqual([{ type: 'try', make: true }])
  expect(stepLock(trying, { type: 'tried', result: 'vanished' })).toEqual([trying, { type: 'try', make: true }])
  expect(stepLock(trying, { type: 'tried', result: 'held' })).toEqual([
    held,
    { type: 'replaced', again: true },
    { type: 'look-later' },
  ])
})

test('a container that waits lets the holder make a deleted file anew: it tries at the fourth look', () => {
  let lock = stepLock(newLock, { type: 'tried', result: 'busy' })[0]
  const look = (result: 'gone' | 'gone-anew' | 'another') => {
    const [next, effect] = stepLock(lock, { type: 'seen', result })
    lock = next
    return effect?.type === 'try' ? { make: effect.make } : effect?.type
  }
  const later = 'look-later'
  expect([look('gone'), look('gone'), look('gone'), look('gone')]).toEqual([later, later, later, { make: true }])
  lock = stepLock(lock, { type: 'tried', result: 'busy' })[0]
  // The holder makes it anew between two looks, and it is deleted again.
  for (let times = 0; times < 10; times++) expect(look('gone-anew')).toBe(later)
  expect([look('gone'), look('gone'), look('gone')]).toEqual([later, later, { make: true }])
  lock = stepLock(lock, { type: 'tried', result: 'busy' })[0]
  // It was there a moment ago: if it is not any more, that is its holder's to notice.
  expect(look('another')).toEqual({ make: false })
})

test('a volume that does not answer says nothing about the lock that is held', () => {
  expect(stepLock(held, { type: 'seen', result: 'unknown' })).toEqual([held, { type: 'look-later' }])
})
