// A wall goes in this order: out of the record, then init's answer; what fails leaves the record as it was.
import { expect, test } from 'vitest'
import { newSlot, type Slot, type SlotPolicy } from '../../../src/slot/slot.ts'
import { Unwalling } from '../../../src/supervisor/reconcile/unwalling.ts'
import type { SlotEntry } from '../../../src/supervisor/slots/entry.ts'
import type { Wall } from '../../../src/walls/record.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

const WALL: Wall = { uid: 20_000, essential: false, memoryLimit: null }
const UNWALL = { type: 'unwall', profile: 'coder' }

function make(state: Slot['state'] = 'down') {
  const events: unknown[] = []
  const walls = new Map([['coder', WALL]])
  const clock = fakeClock()
  const slot = { ...newSlot({} as SlotPolicy, 0), state }
  const unwalling = new Unwalling({
    walls: {
      remove(profile) {
        const wall = walls.get(profile)
        if (walls.delete(profile)) events.push('removed')
        return wall
      },
      restore(profile, wall) {
        walls.set(profile, wall)
        events.push('restored')
      },
    },
    table: { get: () => ({ slot }) as SlotEntry },
    clock,
    send: (message) => events.push(message),
  })
  return { events, walls, clock, unwalling }
}

test('the record loses it, and then init gives the files back', async () => {
  const { events, walls, unwalling } = make()
  const run = unwalling.run('coder')
  expect(events).toEqual(['removed', UNWALL])
  unwalling.answer({ type: 'unwalled', profile: 'other' })
  unwalling.answer({ type: 'unwalled', profile: 'coder' })
  await run
  expect([...walls]).toEqual([])
  await expect(unwalling.run('coder')).rejects.toMatchObject({ code: 'REFUSED' })
})

test('if init says why not, the record has it again, and so it has if init does not answer', async () => {
  const { events, walls, clock, unwalling } = make()
  const refused = unwalling.run('coder')
  unwalling.answer({ type: 'unwalled', profile: 'coder', problem: 'a process is left' })
  await expect(refused).rejects.toMatchObject({ code: 'FAILED', message: expect.stringContaining('a process is left') })
  expect(walls.get('coder')).toBe(WALL)

  const late = unwalling.run('coder')
  await expect(unwalling.run('coder')).rejects.toMatchObject({ code: 'EXISTS' })
  clock.advance(60_000)
  await expect(late).rejects.toMatchObject({ code: 'TIMED_OUT' })
  expect(walls.get('coder')).toBe(WALL)
  expect(events).toEqual(['removed', UNWALL, 'restored', 'removed', UNWALL, 'restored'])
})

test.each(['starting', 'up', 'stopping'] as const)('a gateway that is %s keeps its wall', async (state) => {
  const { events, unwalling } = make(state)
  await expect(unwalling.run('coder')).rejects.toMatchObject({ code: 'REFUSED', next: 'hermes -p coder gateway stop' })
  expect(events).toEqual([])
})
