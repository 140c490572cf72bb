import { expect, test } from 'vitest'
import { type Gate, type GateEvent, newGate, stepGate } from '../../src/volume/gate.ts'

const after = (...events: readonly GateEvent[]): Gate =>
  events.reduce((gate, event) => stepGate(gate, event)[0], newGate)
const held: GateEvent = { type: 'lease', state: 'held', opened: true }
const busy: GateEvent = { type: 'lease', state: 'busy', opened: true }

test('a look at the volume from before the lease was lost is ignored when the lease is ours again', () => {
  const gate = after({ type: 'hooks-done' }, held, busy, held)
  expect(gate).toMatchObject({ at: 'looking', look: 2 })
  expect(stepGate(gate, { type: 'looked', look: 1 })).toEqual([gate])
  expect(stepGate(gate, { type: 'looked', look: 1, problem: 'read-only' })).toEqual([gate])
  const [begun, ...effects] = stepGate(gate, { type: 'looked', look: 2 })
  expect(begun.at).toBe('begun')
  expect(effects).toEqual([
    { type: 'send', message: { type: 'lease', state: 'held' } },
    { type: 'send', message: { type: 'begin' } },
  ])
})

test('a new run.lease in the place of one that was deleted is signed, and the volume is not repaired again', () => {
  const begun: Gate = { ...newGate, lease: 'held', at: 'begun', hooksDone: true, everPrepared: true, look: 1 }
  expect(stepGate(begun, { type: 'renewed' })).toEqual([
    begun,
    { type: 'send', message: { type: 'lease', state: 'held' } },
  ])
})
