import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Fault, faultLine, planFaults } from './schedule.ts'
import { planWork } from './work.ts'

const LEASE_MS = 6000
const options = { durationMs: 600_000, everyMs: 2000, leaseMs: LEASE_MS, nodes: ['ada', 'bob', 'cyd'] }
const isOfDatabase = ({ kind }: Fault): boolean => kind.startsWith('database-')
const anySeed = fc.integer({ min: 0, max: 2 ** 31 })

test('one seed makes one schedule and one set of tasks, and another seed makes others', () => {
  const lines = (seed: number): readonly string[] => planFaults({ ...options, seed }).map(faultLine)
  expect(lines(1)).toEqual(lines(1))
  expect(lines(1)).not.toEqual(lines(2))
  const work = (seed: number) => planWork(seed, 100, ['ada1', 'bob1'], 0.1)
  expect(work(1)).toEqual(work(1))
  expect(work(1)).not.toEqual(work(2))
})

test('a fault begins every two seconds, and at most one node and the database are away at a time', () => {
  fc.assert(
    fc.property(anySeed, (seed) => {
      const faults = planFaults({ ...options, seed })
      expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map((_, index) => (index + 1) * 2000))
      for (const ofDatabase of [true, false]) {
        const away = faults.filter((fault) => fault.lastsMs > 0 && isOfDatabase(fault) === ofDatabase)
        for (const [index, { atMs, lastsMs }] of away.entries()) {
          expect(lastsMs).toBeLessThanOrEqual(2 * LEASE_MS)
          expect(away[index + 1]?.atMs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(atMs + lastsMs)
          expect(atMs + lastsMs).toBeLessThanOrEqual(options.durationMs)
        }
      }
    }),
  )
})

test('every kind of fault is in the schedule of ten minutes, and a pause is longer than the lease', () => {
  fc.assert(
    fc.property(anySeed, (seed) => {
      const faults = planFaults({ ...options, seed })
      expect(new Set(faults.map(({ kind }) => kind)).size).toBe(11)
      for (const { kind, lastsMs } of faults) if (kind === 'pause') expect(lastsMs).toBeGreaterThan(LEASE_MS)
    }),
  )
})

test('a task has earlier tasks as parents, and none that was made with --once', () => {
  fc.assert(
    fc.property(anySeed, (seed) => {
      const work = planWork(seed, 200, ['ada1', 'bob1'], 0.2)
      expect(work.some(({ parents }) => parents.length > 0)).toBe(true)
      for (const { number, parents } of work)
        for (const parent of parents) {
          expect(parent).toBeLessThan(number)
          expect(work[parent]?.once).toBe(false)
        }
    }),
  )
})
