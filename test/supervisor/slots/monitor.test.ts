import { expect, test } from 'vitest'
import { newSlot, type Slot, type SlotEvent } from '../../../src/slot/slot.ts'
import type { Launch } from '../../../src/supervisor/launch/launch.ts'
import { SlotMonitor } from '../../../src/supervisor/slots/monitor.ts'
import { policy } from '../../slot/policies.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

const KEY = 'service-cache'

function scene() {
  const clock = fakeClock()
  const events: SlotEvent[] = []
  const monitor = new SlotMonitor({
    clock,
    launcher: { secretsRecord: () => '', secretsCheck: () => ({ command: [], cwd: '', env: {} }) },
    log: () => undefined,
    openRequests: () => undefined,
    dispatch: (_, event) => events.push(event),
  })
  const slot = { ...newSlot(policy({ readiness: 'announced' }), 0), state: 'starting' } as unknown as Slot
  const launch = { readiness: { by: 'log', pattern: 'ready for work' } } as unknown as Launch
  const follow = (child: { readonly id: number } | null): void =>
    monitor.follow({ key: KEY, slot: { ...slot, child } as unknown as Slot, launch })
  const lines = (text: string): void => monitor.lines(KEY, Buffer.from(text))
  return { events, follow, lines, monitor }
}

test('a line by which a process is ready counts when it comes before the news of its start', () => {
  const { events, follow, lines } = scene()
  follow(null)
  lines('loading\n')
  lines('ready for work\n')
  expect(events).toEqual([])
  follow({ id: 7 })
  expect(events).toMatchObject([{ type: 'ready', child: 7 }])
})

test('a line of a process before it does not', () => {
  const { events, follow, lines, monitor } = scene()
  lines('ready for work\n')
  follow(null)
  follow({ id: 7 })
  expect(events).toEqual([])
  follow(null)
  lines('ready for work\n')
  monitor.forget(KEY)
  follow({ id: 8 })
  expect(events).toEqual([])
})
