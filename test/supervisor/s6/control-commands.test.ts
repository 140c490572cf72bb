import { expect, test } from 'vitest'
import { newSlot, type Slot, type SlotEvent } from '../../../src/slot/slot.ts'
import { step } from '../../../src/slot/step.ts'
import { commandActions, scanAction } from '../../../src/supervisor/s6/control-commands.ts'
import { policy } from '../../slot/policies.ts'

const child = { id: 1, pid: 4711, startTime: 1, spawnedAtMs: 0 }
const after = (slot: Slot, ...events: readonly SlotEvent[]): Slot =>
  events.reduce((so, event) => step(so, event, 0)[0], slot)
const exited = (exitCode: number): SlotEvent => ({
  type: 'exited',
  child: 1,
  pid: 4711,
  ending: { exitCode },
  atMs: 0,
  wallMs: 0,
  random: 0,
})

const down: Slot = newSlot(policy(), 0)
const onItsWay = after(down, { type: 'want', wanted: 'up' })
const runs = after(onItsWay, { type: 'spawned', request: 1, child })
const told = after(runs, { type: 'want', wanted: 'down' })
const waits = after(runs, exited(1))
const parked = after(runs, exited(125))
const finishing = after(
  newSlot(policy({ finish: { timeoutMs: 5000 } }), 0),
  { type: 'want', wanted: 'up' },
  { type: 'spawned', request: 1, child },
  exited(1),
  { type: 'spawned', request: 2, child: { ...child, id: 2, pid: 4712 } },
)
const states = { down, onItsWay, runs, told, waits, parked, finishing }
const want = (wanted: string) => [{ type: 'event', event: { type: 'want', wanted } }]
const signal = (name: string, target = 'process') => [{ type: 'signal', signal: name, target }]
const restart = [{ type: 'event', event: { type: 'restart' } }]

test('the states are what they are called', () => {
  expect(Object.values(states).map(({ state }) => state)).toEqual([
    'down',
    'starting',
    'starting',
    'stopping',
    'backoff',
    'parked',
    'stopping',
  ])
})

test.each<[string, Partial<Record<keyof typeof states, readonly object[]>>]>([
  [
    'u',
    {
      down: want('up'),
      runs: want('up'),
      told: want('up'),
      waits: want('up'),
      parked: want('up'),
      finishing: want('up'),
    },
  ],
  ['d', { down: want('down'), runs: want('down'), told: want('down'), waits: want('down'), finishing: want('down') }],
  ['o', { down: want('once'), runs: want('once'), told: want('down'), waits: want('once'), finishing: want('down') }],
  ['O', { down: want('down'), onItsWay: want('once'), runs: want('once'), told: want('down'), waits: want('down') }],
  ['r', { down: [], onItsWay: [], runs: restart, told: signal('TERM'), waits: [], parked: [], finishing: [] }],
  ['t', { down: [], onItsWay: [], runs: signal('TERM'), told: signal('TERM'), waits: [], parked: [], finishing: [] }],
  ['l', { runs: signal('HUP'), finishing: [] }],
  ['1', { runs: signal('USR1'), finishing: [] }],
  ['p', { runs: signal('STOP'), waits: [] }],
  ['P', { runs: signal('STOP', 'group'), waits: [] }],
  ['C', { runs: signal('CONT', 'group') }],
  ['K', { runs: signal('KILL', 'group'), finishing: [] }],
  ['x', { down: [{ type: 'renew' }], runs: [{ type: 'renew' }], finishing: [{ type: 'renew' }] }],
])('%s means in each state what it means to s6', (command, expected) => {
  const seen = Object.keys(expected).map((name) => [name, commandActions(command, states[name as keyof typeof states])])
  expect(Object.fromEntries(seen)).toEqual(expected)
})

test('U D Q change the desired state', () => {
  expect(commandActions('U', down)).toEqual([{ type: 'desired', state: 'running' }, ...want('up')])
  expect(commandActions('D', runs)).toEqual([{ type: 'desired', state: 'stopped' }, ...want('down')])
  expect(commandActions('Q', runs)).toEqual([{ type: 'desired', state: 'stopped' }, ...want('once')])
})

test('r only signals what is to run once', () => {
  expect(commandActions('r', { ...runs, wanted: 'once' })).toEqual(signal('TERM'))
})

test('every other byte does nothing', () => {
  const commands = new Set('abcdhikloprqtuxyCDKOPQU12')
  for (let byte = 0; byte < 256; byte++) {
    const command = String.fromCharCode(byte)
    if (!commands.has(command)) expect(commandActions(command, runs)).toEqual([])
  }
})

test('s6-svscanctl looks at the disk, stops the container, or ends the supervisor alone', () => {
  expect(Object.fromEntries([...'ahnNtqibz?'].map((command) => [command, scanAction(command)]))).toEqual({
    a: 'reconcile',
    h: 'reconcile',
    n: 'reconcile',
    N: 'reconcile',
    t: 'stop',
    q: 'stop',
    i: 'stop',
    b: 'end-supervisor',
    z: undefined,
    '?': null,
  })
})
