import { expect, test } from 'vitest'
import { leaseProblem, leaseTimes, QUERY_MS } from '../../../src/kanban/nodes/timing.ts'

test('the default lease leaves workers five seconds to stop, and three seconds to spare', () => {
  expect(leaseTimes(30_000)).toEqual({
    leaseMs: 30_000,
    renewMs: 7500,
    stopMs: 5000,
    marginMs: 3000,
    endWorkersAfterMs: 22_000,
  })
})

test('a lease of six seconds can be kept, with a second to spare', () => {
  expect(leaseTimes(6000)).toMatchObject({ renewMs: 1500, stopMs: 1000, marginMs: 1000, endWorkersAfterMs: 4000 })
  expect(leaseProblem(leaseTimes(6000))).toBeUndefined()
})

test('of every lease that can be kept, the workers have ended and a renewal has been answered before its end', () => {
  for (let leaseMs = 1000; leaseMs <= 3_600_000; leaseMs += 499) {
    const times = leaseTimes(leaseMs)
    if (leaseProblem(times) !== undefined) continue
    expect(times.endWorkersAfterMs + times.stopMs + times.marginMs).toBe(leaseMs)
    expect(times.endWorkersAfterMs).toBeGreaterThan(QUERY_MS)
    expect(times.endWorkersAfterMs).toBeGreaterThan(times.renewMs)
  }
})

test('a lease that is too short names both values', () => {
  expect(leaseProblem(leaseTimes(5000))).toBe(
    'kanban.node_lease is 5 s, and must be longer than 5.133 s: 3.3 s for an answer of the database, 0.833 s to stop ' +
      'a worker, and 1 s to spare',
  )
})
