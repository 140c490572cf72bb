import { expect, test } from 'vitest'
import { newSlot, type Slot, type SlotEvent } from '../../../src/slot/slot.ts'
import { step } from '../../../src/slot/step.ts'
import { batchLength, eventsBetween, phaseOf, serviceStatus, stampsAfter } from '../../../src/supervisor/s6/view.ts'
import { policy } from '../../slot/policies.ts'

const child = (id: number) => ({ id, pid: 4710 + id, startTime: id, spawnedAtMs: id * 100 })
const wanted = (what: 'up' | 'down' | 'once'): SlotEvent => ({ type: 'want', wanted: what })
const spawned = (request: number, id = request): SlotEvent => ({ type: 'spawned', request, child: child(id) })
const ready = (id: number): SlotEvent => ({ type: 'ready', child: id, atMs: id * 100 + 50 })
const exited = (id: number, exitCode: number): SlotEvent => ({
  type: 'exited',
  child: id,
  pid: 4710 + id,
  ending: { exitCode },
  atMs: id * 100 + 70,
  wallMs: id * 100 + 70,
  random: 0,
})

/** The bytes that subscribers get for each event, and the status then: pid, finishing, ready, want up. */
function story(rules: Parameters<typeof policy>[0], ...events: readonly SlotEvent[]) {
  let slot: Slot = newSlot(policy({ readiness: 'announced', ...rules }), 0)
  return events.map((event) => {
    const before = slot
    slot = step(slot, event, 1000)[0]
    const events = eventsBetween(before, slot)
    const { pid, finishing, ready, wantedUp } = serviceStatus(slot, { changedAtMs: 0, readyAtMs: 0 }, false)
    return `${events || '-'} ${pid ?? 'none'}${finishing ? ' finishing' : ''}${ready ? ' ready' : ''}${wantedUp ? ' want-up' : ''}`
  })
}
const finish = { finish: { timeoutMs: 5000 } }

test('start, readiness, restart and stop cause the events that s6-supervise sends', () => {
  expect(
    story(
      {},
      wanted('up'),
      spawned(1),
      ready(1),
      { type: 'restart' },
      exited(1, 0),
      spawned(2),
      wanted('down'),
      exited(2, 0),
    ),
  ).toEqual([
    '- none ready want-up',
    'u 4711 want-up',
    'U 4711 ready want-up',
    '- 4711 ready want-up',
    'dD none ready want-up',
    'u 4712 want-up',
    '- 4712',
    'dD none ready',
  ])
})

test('the finish script has its own pid, and D comes when it is done', () => {
  expect(story(finish, wanted('up'), spawned(1), exited(1, 1), spawned(2), exited(2, 0), { type: 'due' })).toEqual([
    '- none ready want-up',
    'u 4711 want-up',
    'd none finishing want-up',
    '- 4712 finishing want-up',
    'D none ready want-up',
    '- none ready want-up',
  ])
})

test('a slot that must not be started again sends O before D, and is not wanted up', () => {
  expect(story({}, wanted('up'), spawned(1), exited(1, 125)).at(-1)).toBe('dOD none ready')
  expect(story(finish, wanted('up'), spawned(1), exited(1, 1), spawned(2), exited(2, 125)).at(-1)).toBe('OD none ready')
})

test('once is up without being wanted up', () => {
  expect(story({}, wanted('once'), spawned(1), ready(1), exited(1, 7))).toEqual([
    '- none ready',
    'u 4711',
    'U 4711 ready',
    'dD none ready',
  ])
})

test('a process whose start was lost with a supervisor gets the events from its beginning', () => {
  expect(story({}, wanted('up'), exited(1, 1)).at(-1)).toBe('udD none ready want-up')
})

test('the stamps change with what they are stamps of, and with nothing else', () => {
  const wallOf = (atMs: number): number => atMs + 5000
  const down = newSlot(policy({ readiness: 'announced' }), 10)
  const [up] = step(step(down, wanted('up'), 20)[0], spawned(1), 30)
  const [isReady] = step(up, ready(1), 160)
  const [dead] = step(isReady, exited(1, 0), 180)
  expect(phaseOf(dead)).toBe('down')
  const never = stampsAfter('', down, undefined, wallOf)
  expect(never).toEqual({ changedAtMs: 5010, readyAtMs: 5010 })
  const started = stampsAfter('u', up, never, wallOf)
  expect(started).toEqual({ changedAtMs: 5100, readyAtMs: 5010 })
  const readied = stampsAfter('U', isReady, started, wallOf)
  expect(readied).toEqual({ changedAtMs: 5100, readyAtMs: 5150 })
  expect(stampsAfter('', isReady, readied, (atMs) => atMs + 9999)).toEqual(readied)
  expect(stampsAfter('dD', dead, readied, wallOf)).toEqual({ changedAtMs: 170, readyAtMs: 5180 })
})

test('the events of one process are sent before those of the next', () => {
  expect(['', 'uU', 'dDuU', 'dOD', 'Dxsu', 'dDuUdDu'].map((events) => events.slice(0, batchLength(events)))).toEqual([
    '',
    'uU',
    'dD',
    'd',
    'D',
    'dD',
  ])
  expect(batchLength('dDu'.repeat(30))).toBe(90)
})
