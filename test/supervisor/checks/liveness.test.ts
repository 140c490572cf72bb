import { beforeEach, expect, test } from 'vitest'
import type { Liveness } from '../../../src/profile/config/program-kinds.ts'
import { newSlot, type Slot } from '../../../src/slot/slot.ts'
import { HealthChecks } from '../../../src/supervisor/checks/health.ts'
import { policy } from '../../slot/policies.ts'
import { type FakeClock, fakeClock } from '../../support/supervisor/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'

const KEY = 'gateway-coder'
let clock: FakeClock
let condemned: string[]
beforeEach(() => {
  clock = fakeClock()
  condemned = []
})

const up = (id: number): Slot => {
  const child = { id, pid: process.pid, startTime: 0, spawnedAtMs: 0 }
  return { ...newSlot(policy(), 0), state: 'up', child, readyAtMs: 0 }
}

function watched(liveness: Liveness): HealthChecks {
  const health = new HealthChecks({ clock, condemn: (key, child, why) => condemned.push(`${key} ${child} ${why}`) })
  health.follow(KEY, up(7), { liveness })
  return health
}

test('a process that prints no line for the time of `silence` is condemned once, however long it lasts', () => {
  watched({ silenceMs: 600_000 })
  clock.advance(599_999)
  expect(condemned).toEqual([])
  clock.advance(3_600_000)
  expect(condemned).toEqual([`${KEY} 7 has printed no line for 10 minutes`])
})

test('each line begins the time again', () => {
  const health = watched({ silenceMs: 60_000 })
  for (let minute = 0; minute < 100; minute++) {
    clock.advance(59_999)
    health.printed(KEY)
  }
  expect(condemned).toEqual([])
  clock.advance(62_000)
  expect(condemned).toEqual([`${KEY} 7 has printed no line for 1 minute`])
})

test('lines that a stall of the supervisor has kept waiting count when they are read afterwards', () => {
  const health = watched({ silenceMs: 60_000 })
  clock.oversleep(3_600_000)
  health.printed(KEY)
  clock.advance(59_000)
  expect(condemned).toEqual([])
})

test('a process that is not up any more, and a slot without rules, is not watched: no alarm is left', () => {
  const health = watched({ silenceMs: 60_000, probe: { check: PORT, everyMs: 1, timeoutMs: 1, failures: 1 } })
  expect(clock.alarms()).toHaveLength(2)
  health.follow(KEY, newSlot(policy(), 0), { liveness: { silenceMs: 60_000 } })
  health.follow('gateway-other', up(8), undefined)
  health.printed(KEY)
  expect(clock.alarms()).toEqual([])
})

const PORT = { by: 'command', command: ['false'] } as const

test('silence and a check may stand together: whichever fails first decides', async () => {
  watched({ silenceMs: 60_000, probe: { check: PORT, everyMs: 1000, timeoutMs: 30_000, failures: 1 } })
  clock.advance(1000)
  await waitFor('the answer', () => condemned.length > 0)
  expect(condemned).toEqual([`${KEY} 7 does not answer: false ends with 1`])
})
