import { describe, expect, test } from 'vitest'
import { EMPTY, listed, onKey, type TopState, withSlot, withSlots } from '../../../src/cli/top/model.ts'
import type { SlotStatus } from '../../../src/protocol/control.ts'

const slot = (name: string, over: Partial<SlotStatus> = {}): SlotStatus => ({
  slot: name,
  state: 'up',
  wanted: 'up',
  ready: true,
  since: '2026-12-01T12:00:00.000Z',
  restarts: 0,
  log: `/l/${name}`,
  ...over,
})
const used = (cpu: number, memory_bytes: number) => ({ cpu, memory_bytes, processes: 1 })
const THREE = withSlots(EMPTY, [slot('b'), slot('c', { restarts: 3 }), slot('a')])

/** The state after these keys; only the last one may have an effect. */
const press = (state: TopState, ...keys: string[]) =>
  keys.reduce<ReturnType<typeof onKey>>((step, key) => onKey(step.state, key, 10), { state })
const names = (state: TopState) => listed(state).map((one) => one.slot)

describe('the choice', () => {
  test('begins with the first slot, and moves within the list', () => {
    expect(THREE.chosen).toBe('a')
    expect(press(THREE, 'down', 'j', 'down').state.chosen).toBe('c')
    expect(press(THREE, 'end', 'up').state.chosen).toBe('b')
    expect(press(THREE, 'pagedown').state.chosen).toBe('c')
    expect(press(THREE, 'G', 'g').state.chosen).toBe('a')
    expect(press(EMPTY, 'down').state.chosen).toBeUndefined()
  })

  test('stays on its slot when others come, go and change their places', () => {
    const onB = press(THREE, 'down').state
    const more = withSlot(onB, { type: 'slot', slot: slot('aa') })
    expect([more.chosen, names(more)]).toEqual(['b', ['a', 'aa', 'b', 'c']])
    const sorted = press(more, 'o', 'o', 'o').state
    expect([sorted.sort, sorted.chosen, names(sorted)]).toEqual(['restarts', 'b', ['c', 'a', 'aa', 'b']])
    expect(withSlot(onB, { type: 'removed', slot: slot('b') }).chosen).toBe('a')
  })

  test('goes with the log of its slot, and not with that of the slot before', () => {
    const read = { ...THREE, log: ['a line'] }
    expect(press(read, 'down').state.log).toEqual([])
    expect(press(read, 'up').state.log).toEqual(['a line'])
  })
})

test('CPU and memory sort from most to least, and slots without either come last, by name', () => {
  const state = { ...THREE, usage: { b: used(0.5, 1), c: used(0.1, 9) } }
  expect(names({ ...state, sort: 'cpu' })).toEqual(['b', 'c', 'a'])
  expect(names({ ...state, sort: 'memory' })).toEqual(['c', 'b', 'a'])
})

describe('an action', () => {
  test('of a start follows at once; a stop and a restart are asked for', () => {
    expect(press(THREE, 's').effect).toEqual({ act: { verb: 'start', slot: 'a' } })
    for (const [key, verb] of [
      ['x', 'stop'],
      ['r', 'restart'],
    ] as const) {
      const asked = press(THREE, key)
      expect([asked.effect, asked.state.ask]).toEqual([undefined, { verb, slot: 'a' }])
      expect(press(asked.state, 'y')).toMatchObject({
        effect: { act: { verb, slot: 'a' } },
        state: { mode: 'list', ask: undefined },
      })
    }
  })

  test('is not taken for any key but y, nor for another slot that has moved under the question', () => {
    const asked = press(THREE, 'x').state
    for (const key of ['n', 'return', 'x', 'escape', 'Y'])
      expect(press(asked, key)).toEqual({ state: expect.objectContaining({ mode: 'list', note: 'nothing was done' }) })
    const gone = withSlot(asked, { type: 'removed', slot: slot('a') })
    expect(press(gone, 'y').effect).toEqual({ act: { verb: 'stop', slot: 'a' } })
  })

  test('needs a slot', () => {
    for (const key of ['s', 'x', 'r']) expect(press(EMPTY, key)).toEqual({ state: EMPTY })
  })
})

test('a filter takes what a name can have; return keeps it, and escape ends it', () => {
  const all = withSlots(
    EMPTY,
    ['gateway-coder', 'gateway-writer', 'dashboard'].map((name) => slot(name)),
  )
  const typed = press(all, '/', 'C', 'o', 'x', 'backspace', ' ', 'up').state
  expect([typed.filter, typed.mode, names(typed), typed.chosen]).toEqual([
    'co',
    'filter',
    ['gateway-coder'],
    'gateway-coder',
  ])
  const kept = press(typed, 'return').state
  expect([kept.mode, names(kept)]).toEqual(['list', ['gateway-coder']])
  expect(names(press(kept, 'escape').state)).toHaveLength(3)
  expect(names(press(typed, 'escape').state)).toHaveLength(3)
  // None fits: there is nothing to act on.
  expect(press(typed, 'z', 'return', 's').effect).toBeUndefined()
})

test.each(['list', 'filter', 'confirm', 'help'] as const)(
  'Ctrl-C and Ctrl-D end it, and Ctrl-Z suspends it, in mode %s',
  (mode) => {
    for (const key of ['ctrl-c', 'ctrl-d']) expect(press({ ...THREE, mode }, key).effect).toEqual({ quit: true })
    expect(press({ ...THREE, mode }, 'ctrl-z').effect).toEqual({ suspend: true })
  },
)

test('q ends it in the list only, and any key closes the help', () => {
  expect(press(THREE, 'q').effect).toEqual({ quit: true })
  expect(press(THREE, '?', 'q')).toEqual({ state: expect.objectContaining({ mode: 'list' }) })
  expect(press(THREE, '/', 'q').state.filter).toBe('q')
})
