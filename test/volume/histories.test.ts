// The life of the volume (docs/volume-life.md): whatever happens to two containers on one volume, and whenever.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { size } from '../support/size.ts'
import { type Act, World } from './world.ts'

const who = fc.integer({ min: 0, max: 1 })
const of = (...all: readonly ('init' | 'hear' | 'hooks' | 'stop' | 'slot-ends' | 'kill')[]): fc.Arbitrary<Act> =>
  fc.record({ do: fc.constantFrom(...all), who })

const usual: readonly fc.WeightedArbitrary<Act>[] = [
  { weight: 10, arbitrary: of('init', 'hear') },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('answer'), who, which: fc.nat(3) }) },
  { weight: 3, arbitrary: of('hooks') },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('crash'), who, taken: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('doom'), who, effects: fc.nat(5) }) },
  { weight: 1, arbitrary: of('kill') },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.integer({ min: 1, max: 5_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.integer({ min: 5_000, max: 90_000 }) }) },
]
const stops: fc.WeightedArbitrary<Act> = { weight: 2, arbitrary: of('stop', 'slot-ends') }
const late: fc.WeightedArbitrary<Act> = {
  weight: 4,
  arbitrary: fc.record({ do: fc.constant('late'), ms: fc.integer({ min: 1, max: 15_000 }) }),
}
const tampers: fc.WeightedArbitrary<Act> = {
  weight: 3,
  arbitrary: fc.record({ do: fc.constant('tamper'), how: fc.constantFrom('delete', 'replace', 'obstacle') }),
}

/** Runs random histories, with locks and without; `after` sees the world at the end of each. */
function forAllHistories(more: readonly fc.WeightedArbitrary<Act>[], after: (world: World) => void): void {
  const history = fc.array(fc.oneof(...usual, ...more), { minLength: 20, maxLength: 60, size: 'max' })
  fc.assert(
    fc.property(fc.boolean(), history, (hasLocks, all) => {
      const world = new World(hasLocks)
      for (const act of all) world.act(act)
      after(world)
      expect(world.disk.broken).toEqual([])
    }),
    { numRuns: size(400, 20_000) },
  )
}

const states = (world: World): readonly (readonly [string, boolean])[] =>
  world.all.filter(({ ended }) => !ended).map(({ life, slotUp }) => [life.at, slotUp] as const)

describe('whatever happens to two containers on one volume, and whenever their supervisors die,', () => {
  test('their lives have never begun at once, and slots start only while the lease is held', () => {
    forAllHistories([stops], () => {})
  })

  test('one of them runs in the end, and the other one waits', () => {
    forAllHistories([], (world) => {
      world.settle()
      expect([...states(world)].sort()).toEqual([
        ['running', true],
        ['waiting', false],
      ])
    })
  })

  test('a lease that was lost because run.lease was deleted or replaced stops what was started, and brings it back', () => {
    forAllHistories([tampers, late], (world) => {
      world.settle()
      expect([...states(world)].sort()).toEqual([
        ['running', true],
        ['waiting', false],
      ])
      // The holder goes: the other one has to come back.
      world.all.find(({ life }) => life.at === 'running')?.end()
      world.settle()
      expect(states(world)).toEqual([['running', true]])
    })
  })

  test('a stop at any point ends with drained, once, and frees the lease', () => {
    forAllHistories([stops, tampers, late], (world) => {
      for (const one of world.all) one.stop()
      world.settle()
      expect(world.all.map(({ ended, drained }) => [ended, drained])).toEqual([
        [true, 1],
        [true, 1],
      ])
      expect(world.ever.every(({ drained }) => drained <= 1)).toBe(true)
      expect([...world.disk.lockedBy]).toEqual([])
      if (!world.disk.tampered)
        for (const one of world.all) expect(world.disk.text).not.toMatchObject({ instance: one.name })
    })
  })

  test('the next supervisor begins again, without a second boot log once the first boot was kept', () => {
    forAllHistories([], (world) => {
      world.settle()
      const holder = world.all.find(({ life }) => life.at === 'running')
      if (holder === undefined) return expect.fail('no container runs')
      const { bootLogs } = holder
      for (const taken of [0, 1, 2]) {
        holder.crash(taken)
        world.settle()
        expect([holder.life.at, holder.slotUp, holder.bootLogs]).toEqual(['running', true, bootLogs])
      }
    })
  })
})

test('a supervisor that dies while it acts on its welcome takes the rest of it along', () => {
  const world = new World(true)
  const history: readonly Act[] = [
    // The first container locks the file, boots and runs; its supervisor dies, and the next one greets init.
    { do: 'answer', who: 0, which: 0 },
    { do: 'pass', ms: 1 },
    { do: 'hooks', who: 0 },
    { do: 'answer', who: 0, which: 0 },
    { do: 'pass', ms: 1 },
    { do: 'answer', who: 0, which: 0 },
    { do: 'crash', who: 0, taken: 0 },
    // It dies as it hears that the lease is held; the same message says that the boot has begun.
    { do: 'doom', who: 0, effects: 0 },
    { do: 'init', who: 0 },
    { do: 'hear', who: 0 },
  ]
  for (const act of history) world.act(act)
  world.settle()
  expect(world.disk.broken).toEqual([])
})

test('slots come back although their supervisor died while it stopped them, before the next one saw the lease free', () => {
  const world = new World(false)
  const history: readonly Act[] = [
    // The first container takes the lease by its counter and runs.
    { do: 'answer', who: 0, which: 0 },
    { do: 'late', ms: 1 },
    { do: 'hooks', who: 0 },
    { do: 'pass', ms: 3_000 },
    { do: 'answer', who: 0, which: 0 },
    { do: 'answer', who: 0, which: 0 },
    { do: 'tamper', how: 'delete' },
    { do: 'hear', who: 0 },
    { do: 'answer', who: 0, which: 0 },
    // The second one finds no file and puts its claim there. The first one sees that, and dies while it stops.
    { do: 'answer', who: 1, which: 0 },
    { do: 'doom', who: 0, effects: 3 },
    { do: 'answer', who: 1, which: 0 },
    { do: 'pass', ms: 1 },
    { do: 'late', ms: 1 },
    { do: 'late', ms: 7_466 },
    { do: 'late', ms: 2_532 },
    // Its next supervisor finds the lease free.
    { do: 'tamper', how: 'delete' },
  ]
  for (const act of history) world.act(act)
  world.settle()
  expect([...states(world)].sort()).toEqual([
    ['running', true],
    ['waiting', false],
  ])
})
