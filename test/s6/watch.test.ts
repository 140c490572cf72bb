import { expect, test } from 'vitest'
import type { ReadStatus } from '../../src/protocol/s6.ts'
import { svcGoals } from '../../src/s6/svc.ts'
import { parseSvwait } from '../../src/s6/svwait.ts'
import { type Goal, Watch } from '../../src/s6/watch.ts'

const state = (pid: number | null, ready: boolean): ReadStatus => ({
  pid,
  ready,
  changed: '',
  changedAtMs: 0,
  readyChanged: '',
  readyAtMs: 0,
  waitStatus: 0,
  paused: false,
  finishing: false,
  wantedUp: true,
})
const up = state(7, true)
const down = state(null, true)
const goals = (...options: readonly string[]): readonly Goal[] => {
  const request = parseSvwait([...options, 'a'])
  if (typeof request === 'string') throw new Error(request)
  return request.goals
}
/** How many failed; `waits` on. */
const outcome = (states: readonly ReadStatus[], given: readonly Goal[], ...heard: readonly [number, string][]) => {
  const watch = new Watch(states, given)
  for (const [service, events] of heard) for (const event of events) watch.receive(service, event)
  return watch.failures ?? 'waits'
}

test('a state that is already reached need not be waited for', () => {
  expect(outcome([up], goals('-U'))).toBe(0)
  expect(outcome([down], goals('-D'))).toBe(0)
  expect(outcome([up], goals('-d'))).toBe('waits')
})

test('up, ready, dead and finished are four things', () => {
  expect([outcome([down], goals('-u'), [0, 'u']), outcome([down], goals('-U'), [0, 'u'])]).toEqual([0, 'waits'])
  expect([outcome([up], goals('-d'), [0, 'd']), outcome([up], goals('-D'), [0, 'd'])]).toEqual([0, 'waits'])
  expect([outcome([down], goals('-U'), [0, 'uU']), outcome([up], goals('-D'), [0, 'dD'])]).toEqual([0, 0])
})

test('a restart is an end and then a start, however close they are', () => {
  expect(outcome([up], goals('-r'))).toBe('waits')
  expect(outcome([up], goals('-r'), [0, 'dDu'])).toBe(0)
  expect(outcome([up], goals('-R'), [0, 'dDu'])).toBe('waits')
  expect(outcome([up], goals('-d'), [0, 'dDu'])).toBe(0)
})

test('all, or any', () => {
  expect(outcome([up, down], goals('-u'))).toBe('waits')
  expect(outcome([up, down], goals('-u', '-o'))).toBe(0)
  expect(outcome([up, down], goals('-u', '-a'), [1, 'u'])).toBe(0)
})

test('a permanent failure fails clients that wait for up, and only those', () => {
  expect(outcome([up], goals('-r'), [0, 'dOD'])).toBe(1)
  expect(outcome([down], goals('-u'), [0, 'OD'])).toBe(1)
  expect(outcome([up], goals('-D'), [0, 'dOD'])).toBe(0)
  // s6-svc -wr waits for the finish script first, and so hears of the failure too early for it.
  expect(outcome([up], svcGoals.r, [0, 'dOD'])).toBe('waits')
})

test('of several, the failure of one is enough for a client that waits for any', () => {
  expect(outcome([down, down], goals('-u', '-o'), [0, 'O'])).toBe(1)
  expect(outcome([down, down], goals('-u', '-a'), [0, 'O'], [1, 'u'])).toBe(1)
  expect(outcome([down, down], goals('-u', '-a'), [0, 'O'], [1, 'O'])).toBe(2)
  expect(outcome([down, down], goals('-u', '-a'), [0, 'OD'], [1, 'u'])).toBe('waits')
})

test('of several, all must have ended before one that is up again counts', () => {
  expect(outcome([up, down], goals('-r', '-o'))).toBe('waits')
  expect(outcome([up, down], goals('-r', '-o'), [0, 'd'])).toBe('waits')
  expect(outcome([up, down], goals('-r', '-o'), [0, 'd'], [1, 'u'])).toBe(0)
})

test('a supervisor that goes fails clients that still wait', () => {
  expect(outcome([up], goals('-d'), [0, 'x'])).toBe(1)
  expect(outcome([up], goals('-d'), [0, 'dDx'])).toBe(0)
  expect(outcome([up], goals('-R'), [0, 'dDx'])).toBe(1)
  expect(outcome([down], goals('-u'), [0, 'xsu'])).toBe(1)
})
