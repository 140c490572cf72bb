import { expect, test } from 'vitest'
import { BACKOFF_MS, HEALTHY_MS, type SlotMemory, type WatchedSlot, watchSlot } from '../../src/notify/slot-watch.ts'

const AT = Date.UTC(2026, 0, 1)
const slot = (state: WatchedSlot['state'], atMs: number, more: Partial<WatchedSlot> = {}): WatchedSlot => ({
  slot: 'gateway-coder',
  profile: 'coder',
  state,
  wanted: 'up',
  since: new Date(AT + atMs).toISOString(),
  ...more,
})

/** Looks at each in turn, a millisecond after its change. @returns the events */
function story(...slots: readonly (WatchedSlot & { readonly lookMs?: number })[]) {
  let memory: SlotMemory | undefined
  return slots.flatMap((one) => {
    const look = watchSlot(memory, one, one.lookMs === undefined ? Date.parse(one.since) + 1 : AT + one.lookMs)
    memory = look.memory
    return look.observed === undefined ? [] : [look.observed.event]
  })
}

test('a slot that is parked is reported once, with the reason and the next step', () => {
  const parked = slot('parked', 0, { reason: 'exited with code 78' })
  const { observed, memory } = watchSlot(undefined, parked, AT + 5)
  expect(observed).toEqual({
    event: 'parked',
    atMs: AT,
    slot: 'gateway-coder',
    profile: 'coder',
    text: 'gateway-coder is parked: exited with code 78; fix the cause (log: hermes -p coder logs), then: hermes -p coder gateway start',
  })
  expect(watchSlot(memory, parked, AT + 10_000).observed).toBeUndefined()
})

test('a slot that is parked again is reported again, also if the start in between was not seen', () => {
  expect(story(slot('parked', 0), slot('starting', 100), slot('parked', 200))).toEqual(['parked', 'parked'])
  expect(story(slot('parked', 0), slot('parked', 60_000))).toEqual(['parked', 'parked'])
  // Another supervisor may give the same instant a little later.
  expect(story(slot('parked', 0), slot('parked', 3))).toEqual(['parked'])
})

test('a slot that has not come up for five minutes is reported once, whatever it did in between', () => {
  expect(watchSlot(undefined, slot('backoff', 0), AT + 1).lookAtMs).toBe(AT + BACKOFF_MS)
  const loop = [
    slot('backoff', 0),
    slot('starting', 1000),
    slot('backoff', 2000),
    slot('up', 3000),
    slot('backoff', 4000),
  ]
  expect(story(...loop)).toEqual([])
  expect(story(...loop, slot('starting', BACKOFF_MS), slot('backoff', BACKOFF_MS + 1000))).toEqual(['backoff'])
})

test('a slot that was reported and has been up for ten seconds has recovered', () => {
  const up = slot('up', 1000)
  expect(story(slot('parked', 0), up)).toEqual(['parked'])
  expect(story(slot('parked', 0), up, { ...up, lookMs: 1000 + HEALTHY_MS })).toEqual(['parked', 'recovered'])
  expect(story(slot('parked', 0), up, slot('backoff', 5000), { ...slot('up', 6000), lookMs: 15_999 })).toEqual([
    'parked',
  ])
  // A slot that was not reported needs no all-clear.
  expect(story(slot('backoff', 0), up, { ...up, lookMs: 1000 + HEALTHY_MS })).toEqual([])
})

test('a slot that an operator has stopped is not in trouble', () => {
  const down = slot('down', 1000, { wanted: 'down' })
  expect(story(slot('backoff', 0), down, slot('starting', BACKOFF_MS + 2000))).toEqual([])
  expect(story(slot('parked', 0), down, { ...slot('up', 2000), lookMs: 60_000 })).toEqual(['parked'])
  expect(
    story(slot('backoff', 0, { wanted: 'down' }), { ...slot('backoff', 0, { wanted: 'down' }), lookMs: 1e9 }),
  ).toEqual([])
})
