import { expect, test } from 'vitest'
import { WorkersDeadline } from '../../../src/supervisor/operator/workers-deadline.ts'
import type { SlotEntry } from '../../../src/supervisor/slots/entry.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

function scene() {
  const clock = fakeClock({ nowMs: 0 })
  /** Time for which the machine slept: CLOCK_MONOTONIC stands still. */
  let sleptMs = 0
  const kept: string[] = []
  const warnings: string[] = []
  const states = new Map([
    ['job-t_1-1', 'up'],
    ['job-t_2-2', 'down'],
    ['gateway-default', 'up'],
  ])
  const table = {
    entries: () =>
      [...states].map(([key, state]) => ({
        key,
        slot: { state },
        ...(key.startsWith('job-') && { job: { slot: key } }),
      })) as unknown as readonly SlotEntry[],
    dispatch: (key: string) => void states.set(key, 'down'),
  }
  const make = () =>
    new WorkersDeadline({
      ...{ table, clock, bootMs: () => clock.nowMs() + sleptMs },
      stateStore: { keep: (_: string, text: string) => void kept.push(text) },
      warn: (text) => void warnings.push(text),
    })
  return {
    ...{ clock, kept, warnings, states, make, deadline: make() },
    sleep: (ms: number) => {
      sleptMs += ms
    },
  }
}

const isOver = expect.objectContaining({ code: 'REFUSED', detail: 'LEASE_OVER' })
const lease = (epoch: number, workersUntilMs: number) => ({ epoch, workersUntilMs })

test('workers are ended at the deadline, and nothing else is', () => {
  const { clock, deadline, states, warnings } = scene()
  deadline.set(lease(1, 10_000))
  clock.advance(9999)
  expect(states.get('job-t_1-1')).toBe('up')
  clock.advance(1)
  expect([...states.values()]).toEqual(['down', 'down', 'up'])
  expect(warnings).toEqual([expect.stringMatching(/not renewed in time; a worker is ended .* gateways go on$/)])
  clock.advance(100_000)
  expect(warnings).toHaveLength(1)
})

test('each renewal moves the deadline', () => {
  const { clock, deadline, states, warnings } = scene()
  for (let i = 0; i < 10; i++) {
    deadline.set(lease(1, clock.nowMs() + 10_000))
    clock.advance(9000)
  }
  expect(states.get('job-t_1-1')).toBe('up')
  expect(warnings).toEqual([])
})

test('a deadline that passed during a pause counts, even if a renewal comes before the alarm', () => {
  const { deadline, states, sleep } = scene()
  deadline.set(lease(1, 10_000))
  sleep(60_000)
  deadline.set(lease(2, 100_000))
  expect(states.get('job-t_1-1')).toBe('down')
})

test('the time while the machine slept counts, a second late at most', () => {
  const { clock, deadline, states, sleep } = scene()
  deadline.set(lease(1, 60_000))
  sleep(60_000)
  clock.advance(1000)
  expect(states.get('job-t_1-1')).toBe('down')
})

test('a job is refused under another epoch, after the deadline, and before any lease', () => {
  const { clock, deadline } = scene()
  expect(() => deadline.check(undefined)).not.toThrow()
  expect(() => deadline.check(1)).toThrow(isOver)
  deadline.set(lease(2, 10_000))
  expect(() => deadline.check(2)).not.toThrow()
  expect(() => deadline.check(1)).toThrow(isOver)
  clock.advance(10_000)
  expect(() => deadline.check(2)).toThrow(isOver)
  deadline.set(lease(3, 30_000))
  expect(() => deadline.check(2)).toThrow(isOver)
  expect(() => deadline.check(3)).not.toThrow()
})

test('the next supervisor of this life keeps the deadline, also one that has passed', () => {
  const first = scene()
  first.deadline.set(lease(1, 10_000))
  first.deadline.close()
  const next = first.make()
  next.restore(first.kept.at(-1) ?? '')
  expect(() => next.check(1)).not.toThrow()
  first.clock.advance(20_000)
  next.watch()
  expect(first.states.get('job-t_1-1')).toBe('down')
  expect(() => next.restore('{"epoch":"x"}')).toThrow('it is not the lease of a node')
})
