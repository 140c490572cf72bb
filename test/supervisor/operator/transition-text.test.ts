import { expect, test } from 'vitest'
import type { Ending } from '../../../src/slot/ending.ts'
import { newSlot, type Slot, type SlotEvent, type SlotPolicy } from '../../../src/slot/slot.ts'
import { step } from '../../../src/slot/step.ts'
import { seconds, transitionText } from '../../../src/supervisor/operator/transition-text.ts'
import { policy } from '../../slot/policies.ts'

/** The texts over a history; the clock moves with `due`. */
function said(change: Partial<SlotPolicy>, ...events: readonly SlotEvent[]): (string | undefined)[] {
  let slot: Slot = newSlot(policy(change), 0)
  let nowMs = 0
  return events.map((event) => {
    if (event.type === 'due') nowMs += 60_000
    const before = slot
    slot = step(slot, event, nowMs)[0]
    return transitionText('gateway-web', before, slot, event, nowMs)?.text
  })
}
const up: SlotEvent = { type: 'want', wanted: 'up' }
const spawned: SlotEvent = { type: 'spawned', request: 1, child: { id: 1, pid: 312, startTime: 1, spawnedAtMs: 0 } }
const exited = (ending: Ending): SlotEvent => ({
  type: 'exited',
  child: 1,
  pid: 312,
  ending,
  atMs: 0,
  wallMs: 0,
  random: 0,
})

test('a death says how, and when the next start is', () => {
  expect(said({}, up, spawned, exited({ exitCode: 1 })).at(-1)).toBe(
    'gateway-web (pid 312) exited with code 1; starting again in 0.9 s',
  )
  const ready: SlotEvent = { type: 'ready', child: 1, atMs: 0 }
  expect(said({}, up, spawned, ready, exited({ signal: 'SEGV' })).at(-1)).toBe(
    'gateway-web (pid 312) was killed by SIGSEGV; starting again at once',
  )
})

test('a process that is replaced although it works is named with the reason', () => {
  const ready: SlotEvent = { type: 'ready', child: 1, atMs: 0 }
  const why = 'has reached its max_age of 24 hours'
  expect(
    said({}, up, spawned, ready, { type: 'outdated', child: 1, why }, exited({ signal: 'TERM' })).slice(-2),
  ).toEqual([`gateway-web ${why}; it is restarted`, 'gateway-web (pid 312) was killed by SIGTERM'])
})

test('a death with a finish program after it is logged as the death, not as the end of that program', () => {
  const finish = [
    { type: 'spawned', request: 2, child: { id: 2, pid: 400, startTime: 1, spawnedAtMs: 0 } },
    { ...exited({ exitCode: 0 }), child: 2, pid: 400 },
  ] as readonly SlotEvent[]
  const policy = { finish: { timeoutMs: 5000 } }
  expect(said(policy, up, spawned, exited({ exitCode: 1 }), ...finish).at(-1)).toBe(
    'gateway-web (pid 312) exited with code 1; starting again in 0.9 s',
  )
  expect(
    said(policy, up, spawned, { type: 'want', wanted: 'down' }, exited({ signal: 'TERM' }), ...finish).at(-1),
  ).toBe('gateway-web (pid 312) was killed by SIGTERM')
})

test('parking says why and what ends it', () => {
  expect(said({}, up, spawned, exited({ exitCode: 78 })).at(-1)).toBe(
    'gateway-web (pid 312): exited with code 78: its configuration is wrong; it is parked until it is started by hand',
  )
})

test('a process that does not obey is named with its signal and its time', () => {
  expect(said({ stopTimeoutMs: 10_000 }, up, spawned, { type: 'want', wanted: 'down' }, { type: 'due' }).at(-1)).toBe(
    'gateway-web (pid 312) did not obey SIGTERM within 10 s; its process group is killed',
  )
})

test('a process that is slow to be ready is named with its time', () => {
  expect(said({ readiness: 'announced', startTimeoutMs: 60_000 }, up, spawned, { type: 'due' }).at(-1)).toBe(
    'gateway-web (pid 312) is not ready after 60 s; it is stopped',
  )
})

test('a failed start names the error', () => {
  expect(said({}, up, { type: 'spawn-failed', request: 1, error: 'EAGAIN', random: 0 }).at(-1)).toBe(
    'gateway-web cannot be started: EAGAIN; starting again in 0.9 s',
  )
})

test('the steps in between are not worth a line, and a requested end is logged plainly', () => {
  expect(said({}, up, spawned, { type: 'due' }, { type: 'want', wanted: 'down' }, exited({ signal: 'TERM' }))).toEqual([
    undefined,
    undefined,
    'gateway-web (pid 312) is up',
    undefined,
    'gateway-web (pid 312) was killed by SIGTERM',
  ])
})

test('seconds for people', () => {
  expect([40, 900, 1_000, 12_400].map(seconds)).toEqual(['0 s', '0.9 s', '1 s', '12 s'])
})
