import { expect, test } from 'vitest'
import type { Point } from '../../../src/dashboard/history/ring.ts'
import { inSteps } from '../../../src/dashboard/history/steps.ts'

/** Five minutes into a step of ten. */
const NOW = 29_400_005
const point = (minute: number, more: Partial<Point> = {}): Point => ({
  minute,
  cpuMillis: 0,
  memoryKiB: 0,
  restarts: 0,
  queued: 0,
  ...more,
})

test('a day is one entry a step, and the last one contains the present', () => {
  const steps = inSteps([point(NOW)], 10, NOW)
  expect(steps.cpu).toHaveLength(144)
  expect(steps.fromMinute).toBe(NOW - 5 - 143 * 10)
  expect([steps.cpu.at(-1), steps.cpu.at(-2)]).toEqual([0, null])
  expect(inSteps([], 1, NOW).cpu).toHaveLength(1440)
})

test('a step has the mean of CPU, the most of memory and tasks, and all restarts', () => {
  const steps = inSteps(
    [
      point(NOW - 3, { cpuMillis: 100, memoryKiB: 2, restarts: 1, queued: 4 }),
      point(NOW - 2, { cpuMillis: 401, memoryKiB: 5, restarts: 2, queued: 1 }),
      point(NOW - 10, { cpuMillis: 7 }),
    ],
    10,
    NOW,
  )
  const last = { cpu: 0.251, memoryBytes: 5120, restarts: 3, queued: 4 }
  for (const [name, value] of Object.entries(last)) expect(steps[name as keyof typeof last].at(-1)).toBe(value)
  expect(steps.cpu.at(-2)).toBe(0.007)
})

test('a minute is in the same step, whenever it is asked for', () => {
  const minute = NOW - 3
  for (const now of [NOW, NOW + 4, NOW + 700]) {
    const { fromMinute, restarts } = inSteps([point(minute, { restarts: 9 })], 10, now)
    expect(fromMinute + restarts.indexOf(9) * 10).toBe(29_400_000)
  }
})

test('tasks are unknown where no minute of the step knew them, and known where one did', () => {
  const unknown = { queued: undefined }
  expect(inSteps([point(NOW, unknown)], 10, NOW).queued.at(-1)).toBeNull()
  expect(inSteps([point(NOW - 1, { queued: 2 }), point(NOW, unknown)], 10, NOW).queued.at(-1)).toBe(2)
})
