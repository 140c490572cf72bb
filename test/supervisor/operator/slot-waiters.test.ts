import { expect, test } from 'vitest'
import { newSlot, type Slot, type SlotEvent } from '../../../src/slot/slot.ts'
import { step } from '../../../src/slot/step.ts'
import { SlotWaiters } from '../../../src/supervisor/operator/slot-waiters.ts'
import { policy } from '../../slot/policies.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

function world() {
  const clock = fakeClock()
  const waiters = new SlotWaiters(clock)
  let slot: Slot = newSlot(policy(), clock.nowMs())
  let ids = 0
  const happen = (...events: readonly SlotEvent[]): void => {
    for (const event of events) {
      slot = step(slot, event, clock.nowMs())[0]
      waiters.changed('gateway-a', slot)
    }
  }
  const run = (): void => {
    const id = ++ids
    happen({
      type: 'spawned',
      request: slot.request,
      child: { id, pid: id, startTime: id, spawnedAtMs: clock.nowMs() },
    })
  }
  const exit = (exitCode: number): void =>
    happen({ type: 'exited', child: ids, pid: ids, ending: { exitCode }, atMs: clock.nowMs(), wallMs: 0, random: 0 })
  return {
    clock,
    waiters,
    happen,
    run,
    exit,
    request: () => slot.request,
    wait: (goal: 'up' | 'down', ms = 5_000) => waiters.waitFor('gateway-a', goal, ms, () => slot),
  }
}

test('a start is answered when the slot is ready, a stop when it is down', async () => {
  const { happen, run, exit, wait, clock } = world()
  happen({ type: 'want', wanted: 'up' })
  const up = wait('up')
  run()
  clock.advance(1_000)
  happen({ type: 'due' })
  await up
  await wait('up')
  happen({ type: 'want', wanted: 'down' })
  const down = wait('down')
  exit(0)
  await down
  expect(clock.alarms()).toEqual([])
})

test('a start outlives deaths, and says what the last one was when it is too late', async () => {
  const { happen, run, exit, wait, clock } = world()
  happen({ type: 'want', wanted: 'up' })
  const up = wait('up', 500)
  run()
  exit(3)
  const late = expect(up).rejects.toMatchObject({
    code: 'TIMED_OUT',
    message: 'gateway-a is not ready after 0.5 s; its last process exited with code 3',
  })
  clock.advance(500)
  await late
})

test('a start that gets no process, twice in a row, is answered at once with the reason', async () => {
  const { clock, happen, wait, request } = world()
  const fails = (): void => happen({ type: 'spawn-failed', request: request(), error: 'ENOSPC: disk full', random: 0 })
  happen({ type: 'want', wanted: 'up' })
  const up = wait('up', 60_000)
  fails() // may have been a passing shortage
  clock.advance(1_000)
  happen({ type: 'due' })
  const answer = expect(up).rejects.toMatchObject({
    code: 'FAILED',
    message: 'gateway-a cannot be started: ENOSPC: disk full',
  })
  fails()
  await answer
  expect(clock.alarms()).toEqual([])
})

test('three deaths of one kind answer a start, with what to type; deaths of several kinds do not', async () => {
  const { clock, happen, run, exit, wait } = world()
  const dies = (...codes: readonly number[]): void => {
    for (const code of codes) {
      run()
      exit(code)
      clock.advance(60_000 / 16)
      happen({ type: 'due' })
    }
  }
  happen({ type: 'want', wanted: 'up' })
  const up = wait('up', 60_000)
  dies(1, 2, 1)
  run()
  clock.advance(1_000)
  happen({ type: 'due' })
  await up
  happen({ type: 'restart' })
  exit(0)
  const again = wait('up', 60_000)
  const answer = expect(again).rejects.toMatchObject({
    code: 'FAILED',
    message: 'gateway-a exited with code 3, 3 times in a row',
    next: 'Hermes keeps trying; fix the cause (log: hermes -p a logs), or stop it with hermes -p a gateway stop',
  })
  dies(3, 3, 3)
  await answer
})

test('parking and a permanent end are reported with their reasons', async () => {
  const { happen, run, exit, wait } = world()
  happen({ type: 'want', wanted: 'up' })
  const up = wait('up')
  run()
  exit(78)
  await expect(up).rejects.toMatchObject({ code: 'PARKED', message: expect.stringContaining('configuration') })
  happen({ type: 'configured', policy: policy({ restart: 'never' }) }, { type: 'want', wanted: 'up' })
  const again = wait('up')
  run()
  exit(1)
  await expect(again).rejects.toMatchObject({
    code: 'FAILED',
    message: expect.stringContaining('restart is never'),
  })
})

test('two operators with opposite requests both get an answer at once', async () => {
  const { happen, run, exit, wait } = world()
  happen({ type: 'want', wanted: 'up' })
  run()
  const up = wait('up')
  happen({ type: 'want', wanted: 'down' })
  await expect(up).rejects.toMatchObject({
    code: 'FAILED',
    message: 'gateway-a was stopped while it was being started',
  })
  const down = wait('down')
  happen({ type: 'want', wanted: 'up' })
  await expect(down).rejects.toMatchObject({
    code: 'FAILED',
    message: 'gateway-a was started again while it was being stopped',
  })
  exit(0)
})

test('a slot that is removed during the wait counts as down, and never comes up', async () => {
  const { happen, run, wait, waiters } = world()
  happen({ type: 'want', wanted: 'up' })
  run()
  const up = wait('up')
  waiters.removed('gateway-a')
  await expect(up).rejects.toMatchObject({ code: 'NO_SUCH_SLOT' })
  happen({ type: 'want', wanted: 'down' })
  const down = wait('down')
  waiters.removed('gateway-a')
  await down
})
