// The steps of histories, some ten million, are checked by node:assert: each expect() would take as long as a step.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Ending } from '../../src/slot/ending.ts'
import { type Effect, isOccupied, MAX_DEATHS, type Slot, type SlotEvent, type SlotPolicy } from '../../src/slot/slot.ts'
import { step } from '../../src/slot/step.ts'
import { policy } from './policies.ts'
import { type Act, type Watch, World } from './world.ts'

const ending: fc.Arbitrary<Ending> = fc.oneof(
  fc.constantFrom(0, 1, 75, 78, 125, 3).map((exitCode) => ({ exitCode })),
  fc.constantFrom('KILL' as const, 'TERM' as const, 'SEGV' as const).map((signal) => ({ signal })),
)

/** fast-check makes some records without a prototype, which no file gives back. */
const plainObject = <T extends object>(record: T): T => ({ ...record })

const aPolicy: fc.Arbitrary<SlotPolicy> = fc
  .record({
    kind: fc.constantFrom(
      'service' as const,
      'service' as const,
      'service' as const,
      'job' as const,
      'oneshot' as const,
    ),
    restart: fc.constantFrom('always' as const, 'always' as const, 'on-failure' as const, 'never' as const),
    firstMs: fc.integer({ min: 0, max: 2_000 }),
    maxMs: fc.integer({ min: 0, max: 8_000 }),
    forgetAfterMs: fc.integer({ min: 0, max: 5_000 }),
    readiness: fc.constantFrom('alive' as const, 'announced' as const),
    readyAfterMs: fc.integer({ min: 0, max: 2_000 }),
    startTimeoutMs: fc.integer({ min: 1, max: 5_000 }),
    stopTimeoutMs: fc.integer({ min: 0, max: 3_000 }),
    giveUpAfter: fc.option(
      fc
        .record({ deaths: fc.integer({ min: 1, max: 5 }), withinMs: fc.integer({ min: 1, max: 20_000 }) })
        .map(plainObject),
    ),
    finish: fc.option(fc.record({ timeoutMs: fc.integer({ min: 1, max: 2_000 }) }).map(plainObject), { freq: 3 }),
  })
  .map(({ firstMs, maxMs, finish, ...rest }) =>
    policy({ ...rest, restartDelay: { firstMs, maxMs }, ...(finish && { finish }) }),
  )

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('up', 'down', 'once').map((wanted) => ({ do: 'want', wanted }) as Act) },
  { weight: 1, arbitrary: fc.constant<Act>({ do: 'restart' }) },
  { weight: 1, arbitrary: fc.constant<Act>({ do: 'condemn' }) },
  { weight: 1, arbitrary: fc.constant<Act>({ do: 'outdate' }) },
  { weight: 6, arbitrary: fc.constant<Act>({ do: 'init' }) },
  { weight: 6, arbitrary: fc.constant<Act>({ do: 'hear' }) },
  { weight: 4, arbitrary: ending.map((end) => ({ do: 'end', ending: end }) as Act) },
  { weight: 2, arbitrary: fc.constant<Act>({ do: 'announce' }) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6_000 }).map((ms) => ({ do: 'pass', ms }) as Act) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }).map((taken) => ({ do: 'crash', taken }) as Act) },
  { weight: 1, arbitrary: aPolicy.map((next) => ({ do: 'configure', policy: next }) as Act) },
)
const history = fc.array(act, { minLength: 20, maxLength: 60, size: 'max' })

/** Runs random histories; `watch` sees every step, `after` the world at its end. */
function forAllHistories(watch: Watch, after: (world: World) => void = () => {}, extra: readonly Act[] = []): void {
  fc.assert(
    fc.property(aPolicy, history, (first, acts) => {
      const world = new World(first, watch)
      for (const one of [...acts, ...extra]) world.act(one)
      after(world)
      assert.deepEqual(world.broken, [])
    }),
    { numRuns: 2_000 },
  )
}

const spawnsRun = (effects: readonly Effect[]): boolean =>
  effects.some((effect) => effect.type === 'spawn' && effect.program === 'run')

describe('whatever happens, and whenever the supervisor dies,', () => {
  test('a second process is never asked for while one lives or is on its way', () => {
    forAllHistories(() => {})
  })

  test('a slot that is wanted down never starts its program', () => {
    forAllHistories((_before, _event, after, effects) => {
      if (spawnsRun(effects)) assert.notEqual(after.wanted, 'down')
      if (after.state === 'down') assert.equal(after.wanted, 'down')
      if (after.state === 'backoff') assert.notEqual(after.wanted, 'down')
    })
  })

  test("a parked slot only leaves by an operator's command", () => {
    forAllHistories((before, event, after) => {
      if (before.state === 'parked' && after.state !== 'parked') expect(['want', 'restart']).toContain(event.type)
    })
  })

  test('the delay never exceeds its maximum, and the first death after being up has none', () => {
    forAllHistories((before, event, after) => {
      if (after.state !== 'backoff' || before.state === 'backoff' || event.type === 'configured') return
      const fromMs = after.lastEnding?.atMs ?? 0
      const { firstMs, maxMs } = after.policy.restartDelay
      if (event.type === 'exited' && before.state !== 'stopping') {
        expect(after.startAtMs - fromMs).toBeLessThanOrEqual(maxMs)
        expect(after.startAtMs - fromMs).toBeGreaterThanOrEqual(0.9 * Math.min(maxMs, firstMs) - 1e-6)
        if (before.state === 'up') expect(after.deathsInRow).toBeGreaterThan(1)
      }
      expect(after.deathsInRow).toBeGreaterThan(0)
    })
  })

  test('time comes only from the caller, and the same history always leads to the same slot', () => {
    const clocks = { now: Date.now, perf: performance.now, random: Math.random, hr: process.hrtime.bigint }
    const forbidden = (): never => {
      throw new Error('the machine looked at a clock or threw dice')
    }
    forAllHistories((before, event, after, effects) => {
      const frozen = deepFreeze(structuredClone(before))
      Date.now = performance.now = Math.random = forbidden
      process.hrtime.bigint = forbidden
      try {
        // A slot that knows the moment it is in says so in `sinceMs`; else the step at that moment is not known here.
        const nowMs = after.state !== before.state ? after.sinceMs : undefined
        if (nowMs !== undefined) assert.deepEqual(step(frozen, event, nowMs), [after, ...effects])
      } finally {
        Date.now = clocks.now
        performance.now = clocks.perf
        Math.random = clocks.random
        process.hrtime.bigint = clocks.hr
      }
    })
  })

  test('a slot is plain data: what is read back from its file behaves as what was written', () => {
    forAllHistories((_before, _event, after) => {
      assert.deepEqual(JSON.parse(JSON.stringify(after)), after)
      assert.ok(after.deaths.length <= MAX_DEATHS, `${after.deaths.length} deaths are kept`)
    })
  })

  test('once everything has arrived, the slot and the world agree, and what is wanted is so', () => {
    forAllHistories(
      () => {},
      (world) => {
        world.settle()
        const { slot, living } = world
        expect(living?.id).toBe(world.believed?.id)
        if (slot.state === 'down') expect(living).toBeNull()
        if (slot.wanted === 'down') expect(['down', 'parked']).toContain(slot.state)
        if (slot.wanted === 'up') expect(['up', 'backoff', 'parked', 'done']).toContain(slot.state)
        if (slot.state === 'done') expect(living).toBeNull()
        expect(['down', 'up', 'backoff', 'parked', 'done']).toContain(slot.state)
      },
    )
  })

  test('a start that was under way when the supervisor died leads to exactly one process', () => {
    fc.assert(
      fc.property(
        aPolicy,
        fc.integer({ min: 0, max: 2 }),
        fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 5 }),
        (rules, taken, more) => {
          const world = new World(rules)
          world.act({ do: 'want', wanted: 'up' })
          world.act({ do: 'crash', taken })
          for (const again of more) world.act({ do: 'crash', taken: again })
          for (let i = 0; i < 10; i++) {
            world.act({ do: 'init' })
            world.act({ do: 'hear' })
          }
          expect(world.born).toEqual(['run'])
          expect(world.believed?.id).toBe(world.living?.id)
          expect(world.slot.restarts).toBe(0)
          expect(world.slot.deaths).toEqual([])
        },
      ),
    )
  })

  test('an exit is acted on once, however often it is reported', () => {
    forAllHistories((before, event, after, effects) => {
      if (event.type !== 'exited' || event.child > before.lastChild) return
      expect(after).toBe(before)
      expect(effects).toEqual([])
    })
  })

  test('after the container has begun to stop, nothing is started and nothing is signalled by us that had not been', () => {
    fc.assert(
      fc.property(aPolicy, history, history, (rules, before, after) => {
        let halted = false
        const world = new World(rules, (_before, _event, _after, effects) => {
          if (halted) assert.ok(!spawnsRun(effects), 'the program is started')
        })
        for (const one of before) world.act(one)
        world.act({ do: 'halt' })
        halted = true
        // The supervisor refuses operators' words from here on.
        for (const one of after) if (one.do !== 'want' && one.do !== 'restart') world.act(one)
        expect(world.broken).toEqual([])
      }),
      { numRuns: 1_000 },
    )
  })
})

test('no event is a surprise in any state: every pair is decided and none throws', () => {
  const states = new Map<string, Slot>()
  forAllHistories((_before, _event, after) => {
    states.set(
      `${after.state} ${after.state === 'stopping' ? after.cause : ''} ${isOccupied(after) && 'child' in after && after.child !== null}`,
      after,
    )
  })
  const child = { id: 1_000_000, pid: 7, startTime: 7, spawnedAtMs: 0 }
  const events: readonly SlotEvent[] = [
    { type: 'want', wanted: 'up' },
    { type: 'want', wanted: 'down' },
    { type: 'want', wanted: 'once' },
    { type: 'restart' },
    { type: 'configured', policy: policy() },
    { type: 'spawned', request: 1_000_000, child },
    { type: 'spawn-failed', request: 1_000_000, error: 'EAGAIN', random: 0 },
    { type: 'ready', child: 1_000_000, atMs: 0 },
    { type: 'exited', child: 1_000_000, pid: 7, ending: { exitCode: 0 }, atMs: 0, wallMs: 0, random: 0 },
    { type: 'due' },
    { type: 'adopted', child },
    { type: 'gone', request: 1_000_000, random: 0 },
    { type: 'halt' },
  ]
  expect([...states.keys()].map((key) => key.split(' ')[0])).toEqual(
    expect.arrayContaining(['starting', 'up', 'stopping', 'backoff', 'parked', 'down', 'done']),
  )
  for (const slot of states.values())
    for (const event of events) expect(step(slot, event, 1e12)[0]).toHaveProperty('state')
})

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(Object.freeze(value))) deepFreeze(inner)
  return value
}
