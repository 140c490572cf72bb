import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../src/slot/backoff.ts'
import type { Ending } from '../../src/slot/ending.ts'
import { shellCode } from '../../src/slot/ending.ts'
import { rediscoveredSlot } from '../../src/slot/moves.ts'
import {
  type Child,
  dueAt,
  type Effect,
  newSlot,
  type Slot,
  type SlotEvent,
  type SlotPolicy,
} from '../../src/slot/slot.ts'
import { step } from '../../src/slot/step.ts'
import { policy } from './policies.ts'

const T0 = 1_000_000
const child = (id: number, spawnedAtMs = T0): Child => ({ id, pid: 100 + id, startTime: id, spawnedAtMs })

/** Events one after the other; each may carry its own moment. */
function play(
  first: Slot,
  ...events: readonly (SlotEvent | readonly [SlotEvent, number])[]
): { slot: Slot; effects: Effect[] } {
  let slot = first
  let effects: Effect[] = []
  let nowMs = T0
  for (const one of events) {
    const [event, atMs] = 'type' in one ? [one, nowMs] : one
    nowMs = atMs
    const [next, ...rest] = step(slot, event, nowMs)
    slot = next
    effects = rest
  }
  return { slot, effects }
}

const down = (change: Partial<SlotPolicy> = {}): Slot => newSlot(policy(change), T0)
const up: SlotEvent = { type: 'want', wanted: 'up' }
const stop: SlotEvent = { type: 'want', wanted: 'down' }
const once: SlotEvent = { type: 'want', wanted: 'once' }
const spawned = (id: number, request = id): SlotEvent => ({ type: 'spawned', request, child: child(id) })
const ready = (id: number): SlotEvent => ({ type: 'ready', child: id, atMs: T0 })
const exited = (id: number, ending: Ending, atMs = T0, random = 0.5): SlotEvent => ({
  type: 'exited',
  child: id,
  pid: 100 + id,
  ending,
  atMs,
  wallMs: atMs,
  random,
})
const killed: Ending = { signal: 'KILL' }
const code = (exitCode: number): Ending => ({ exitCode })
const spawn = (request: number): Effect => ({ type: 'spawn', request, program: 'run' })
const term = (id: number): Effect => ({
  type: 'signal',
  child: id,
  pid: 100 + id,
  signal: 'TERM',
  target: 'process',
  cont: true,
})
const kill = (id: number): Effect => ({
  type: 'signal',
  child: id,
  pid: 100 + id,
  signal: 'KILL',
  target: 'group',
  cont: false,
})

const starting = (change: Partial<SlotPolicy> = {}): Slot => play(down(change), up, spawned(1)).slot
const isUp = (change: Partial<SlotPolicy> = {}): Slot => play(starting(change), ready(1)).slot

describe('ready', () => {
  test('a slot without announced readiness is up once it has been alive for ready_after', () => {
    const slot = starting({ readyAfterMs: 1_000 })
    expect(dueAt(slot)).toBe(T0 + 1_000)
    expect(play(slot, [{ type: 'due' }, T0 + 999]).slot.state).toBe('starting')
    expect(play(slot, [{ type: 'due' }, T0 + 1_000]).slot).toMatchObject({ state: 'up', readyAtMs: T0 + 1_000 })
  })

  test('a newline on the notification fd makes it up at once', () => {
    const { slot } = play(starting({ readiness: 'announced' }), [{ type: 'ready', child: 1, atMs: T0 + 7 }, T0 + 9])
    expect(slot).toMatchObject({ state: 'up', readyAtMs: T0 + 7, sinceMs: T0 + 9 })
  })
})

describe('restart and restart_delay', () => {
  test('the first death of a process that had been up is answered by a start at once', () => {
    const { slot, effects } = play(isUp(), exited(1, killed))
    expect(effects).toEqual([spawn(2)])
    expect(slot).toMatchObject({ state: 'starting', restarts: 1, deathsInRow: 1 })
    expect(slot.deaths).toEqual([{ atMs: T0, wallMs: T0, upMs: 0, ending: killed }])
  })

  test('a process that dies before it was up waits first, then twice as long, and so on to max, less up to a tenth', () => {
    let slot = starting()
    const delays: number[] = []
    for (let id = 1; id <= 9; id++) {
      slot = play(slot, exited(id, code(1), T0, id % 2 === 0 ? 0 : 0.999999)).slot
      if (slot.state !== 'backoff') throw new Error(slot.state)
      delays.push(Math.round(slot.startAtMs - T0))
      slot = play(slot, [{ type: 'due' }, slot.startAtMs], {
        type: 'spawned',
        request: id + 1,
        child: child(id + 1),
      }).slot
    }
    expect(delays).toEqual([1_000, 1_800, 4_000, 7_200, 16_000, 28_800, 60_000, 54_000, 60_000])
  })

  test('the delay is 0 for k = 1 after up, and never above max, however often it died', () => {
    const delay = { firstMs: 1_000, maxMs: 60_000 }
    expect(backoffMs(delay, 1, true, 0.9)).toBe(0)
    expect(backoffMs(delay, 2, true, 0)).toBe(1_800)
    expect(backoffMs(delay, 1_000_000, false, 0.999)).toBeLessThanOrEqual(60_000)
    expect(backoffMs({ firstMs: 0, maxMs: 60_000 }, 1_000_000, false, 0.5)).toBe(0)
    expect(backoffMs({ firstMs: 5_000, maxMs: 100 }, 1, false, 0.5)).toBeLessThanOrEqual(100)
  })

  test('on-failure does not start again what ended with 0, and does what failed', () => {
    const ended = play(isUp({ restart: 'on-failure' }), exited(1, code(0)))
    expect(ended.slot).toMatchObject({
      state: 'down',
      wanted: 'down',
      reason: 'exited with code 0; restart is on-failure',
    })
    expect(ended.effects).toEqual([
      { type: 'ended', ending: code(0), reason: 'exited with code 0; restart is on-failure' },
    ])
    expect(play(isUp({ restart: 'on-failure' }), exited(1, code(1))).slot.state).toBe('starting')
    expect(play(isUp({ restart: 'on-failure' }), exited(1, { signal: 'TERM' })).slot.state).toBe('starting')
  })

  test('never starts nothing again, whatever it ended with, not even 75', () => {
    for (const how of [code(0), code(1), code(75), killed]) {
      const { slot } = play(isUp({ restart: 'never' }), exited(1, how))
      expect(slot).toMatchObject({ state: 'down', wanted: 'down' })
      expect(slot.deaths).toHaveLength(1)
    }
  })
})

test('forget_after: as long up as that, and the deaths in a row begin again', () => {
  const tired = { ...isUp({ forgetAfterMs: 30_000 }), deathsInRow: 5 }
  expect(play(tired, [exited(1, killed, T0 + 29_999), T0 + 29_999]).slot).toMatchObject({
    state: 'backoff',
    deathsInRow: 6,
  })
  expect(play(tired, [exited(1, killed, T0 + 30_000), T0 + 30_000]).slot).toMatchObject({
    state: 'starting',
    deathsInRow: 1,
  })
})

describe('exit codes that say what to do', () => {
  test.each([78, 125])('%i parks the slot, before up and after, and whatever restart says', (exitCode) => {
    for (const slot of [starting(), isUp(), isUp({ restart: 'never' }), isUp({ restart: 'on-failure' })]) {
      const parked = play(slot, exited(1, code(exitCode)))
      expect(parked.slot.state).toBe('parked')
      expect(parked.slot.deaths).toHaveLength(1)
      expect(parked.effects).toEqual([
        { type: 'ended', ending: code(exitCode), reason: expect.stringContaining(`code ${exitCode}`) },
      ])
    }
  })

  test('75 after up is a start at once and no death', () => {
    const { slot, effects } = play({ ...isUp(), deathsInRow: 4 }, exited(1, code(75)))
    expect(effects).toEqual([spawn(2)])
    expect(slot).toMatchObject({ state: 'starting', deaths: [], deathsInRow: 4, restarts: 1 })
  })

  test('75 before up is a death like any other', () => {
    const { slot } = play(starting(), exited(1, code(75)))
    expect(slot).toMatchObject({ state: 'backoff', deathsInRow: 1 })
    expect(slot.deaths).toHaveLength(1)
  })
})

describe('finish', () => {
  const finish = { timeoutMs: 5_000 }
  const dying = play(isUp({ finish }), exited(1, code(1)))

  test('runs after a death, before the next start', () => {
    expect(dying.effects).toEqual([{ type: 'spawn', request: 2, program: 'finish' }])
    expect(dying.slot.state).toBe('stopping')
    expect(play(dying.slot, spawned(2), exited(2, code(0))).effects).toEqual([spawn(3)])
  })

  test('that exits 125 parks the slot', () => {
    expect(play(dying.slot, spawned(2), exited(2, code(125))).slot.state).toBe('parked')
  })

  test('that takes too long is killed with its group', () => {
    expect(play(dying.slot, spawned(2), [{ type: 'due' }, T0 + 5_000]).effects).toEqual([kill(2)])
  })

  test('is waited for by a stop, after which the slot is down', () => {
    expect(play(dying.slot, spawned(2), stop, exited(2, code(125))).slot).toMatchObject({
      state: 'down',
      wanted: 'down',
    })
  })

  test('that cannot be started delays nothing', () => {
    expect(play(dying.slot, { type: 'spawn-failed', request: 2, error: 'ENOENT', random: 0 }).effects).toEqual([
      spawn(3),
    ])
  })
})

test('jobs: every exit is the result, with no restart and no parking', () => {
  for (const how of [code(0), code(1), code(75), code(78), code(125), killed]) {
    const { slot, effects } = play(isUp({ kind: 'job', restart: 'never' }), exited(1, how))
    expect(slot).toMatchObject({ state: 'down', wanted: 'down', deaths: [], lastEnding: { ending: how } })
    expect(effects).toEqual([{ type: 'ended', ending: how, reason: expect.any(String) }])
  }
})

describe('give_up_after', () => {
  const giveUpAfter = { deaths: 3, withinMs: 10_000 }

  test('parks after so many deaths within the time, those that were answered at once too', () => {
    let slot = isUp({ giveUpAfter, forgetAfterMs: 0 })
    slot = play(slot, exited(1, killed), spawned(2), ready(2), exited(2, killed), spawned(3), ready(3)).slot
    expect(slot.state).toBe('up')
    expect(play(slot, [exited(3, killed, T0 + 9_999), T0 + 9_999]).slot).toMatchObject({
      state: 'parked',
      reason: 'It crashed 3 times in 10 s (last SIGKILL), so it is no longer restarted',
    })
    expect(play(slot, [exited(3, killed, T0 + 10_001), T0 + 10_001]).slot.state).toBe('starting')
  })

  test("counts no death from before an operator's start", () => {
    let slot = isUp({ giveUpAfter, forgetAfterMs: 0 })
    slot = play(
      slot,
      exited(1, killed),
      spawned(2),
      ready(2),
      exited(2, killed),
      spawned(3),
      ready(3),
      exited(3, killed),
    ).slot
    expect(slot.state).toBe('parked')
    slot = play(slot, [up, T0 + 5], [{ type: 'spawned', request: 4, child: child(4) }, T0 + 5], ready(4)).slot
    expect(play(slot, [exited(4, killed, T0 + 6), T0 + 6]).slot.state).toBe('starting')
  })
})

describe('start_timeout', () => {
  const announced = { readiness: 'announced', startTimeoutMs: 60_000 } as const

  test('TERM, then KILL to the group, then it is a death with that reason', () => {
    let { slot, effects } = play(starting(announced), [{ type: 'due' }, T0 + 60_000])
    expect(effects).toEqual([term(1)])
    expect(slot).toMatchObject({ state: 'stopping', cause: 'start-timeout', killAtMs: T0 + 70_000 })
    ;({ slot, effects } = play(slot, [{ type: 'due' }, T0 + 70_000]))
    expect(effects).toEqual([kill(1)])
    ;({ slot } = play(slot, [exited(1, killed, T0 + 70_001), T0 + 70_001]))
    expect(slot).toMatchObject({
      state: 'backoff',
      deathsInRow: 1,
      reason: 'It did not become ready within 1 minute (start_timeout) and was stopped',
    })
    expect(slot.deaths).toEqual([{ atMs: T0 + 70_001, wallMs: T0 + 70_001, ending: killed }])
  })

  test('does not apply where readiness is not announced', () => {
    expect(play(starting({ readyAfterMs: 100_000 }), [{ type: 'due' }, T0 + 60_000]).slot.state).toBe('starting')
  })

  test('an operator who stops it in the meantime gets it down', () => {
    const late = play(starting(announced), [{ type: 'due' }, T0 + 60_000]).slot
    expect(play(late, stop, exited(1, killed)).slot).toMatchObject({ state: 'down', deaths: [] })
    expect(play(late, up, exited(1, killed)).slot.state).toBe('backoff')
  })
})

describe('condemned by liveness or memory_limit', () => {
  const condemned = (id: number): SlotEvent => ({ type: 'condemned', child: id, why: 'does not answer' })
  const term1 = code(0)

  test('it gets the stop signal, and its end is a death with that reason: the first is answered at once, later ones wait', () => {
    let { slot, effects } = play(isUp(), condemned(1))
    expect(effects).toEqual([term(1)])
    expect(slot).toMatchObject({ state: 'stopping', cause: 'condemned' })
    ;({ slot } = play(slot, exited(1, term1)))
    expect(slot).toMatchObject({ state: 'starting', deathsInRow: 1, restarts: 1 })
    ;({ slot } = play(slot, spawned(2), ready(2), condemned(2), exited(2, killed)))
    expect(slot).toMatchObject({
      state: 'backoff',
      deathsInRow: 2,
      reason: 'does not answer; it was killed by SIGKILL',
    })
    expect(slot.deaths).toHaveLength(2)
  })

  test('give_up_after counts it, restart: never and on-failure go by it, and 75 does not request a restart', () => {
    const giveUpAfter = { deaths: 1, withinMs: 60_000 }
    expect(play(isUp({ giveUpAfter }), condemned(1), exited(1, term1)).slot.state).toBe('parked')
    const never = play(isUp({ restart: 'never' }), condemned(1), exited(1, term1))
    expect(never.slot).toMatchObject({ state: 'down', reason: expect.stringContaining('does not answer; it exited') })
    expect(never.effects).toContainEqual(expect.objectContaining({ type: 'ended' }))
    expect(play(isUp({ restart: 'on-failure' }), condemned(1), exited(1, term1)).slot.state).toBe('starting')
    expect(play(isUp(), condemned(1), exited(1, code(75))).slot.deaths).toHaveLength(1)
  })

  test('a long life before it forgives earlier deaths', () => {
    const forgetAfterMs = 30_000
    const twice = play(isUp({ forgetAfterMs }), condemned(1), exited(1, term1), spawned(2), ready(2)).slot
    const later = T0 + forgetAfterMs
    const end = play(twice, [condemned(2), later], [exited(2, killed, later), later])
    expect(end.slot).toMatchObject({ state: 'starting', deathsInRow: 1 })
  })

  test('an operator who stops or restarts it in the meantime decides', () => {
    const going = play(isUp(), condemned(1)).slot
    expect(play(going, stop, exited(1, killed)).slot).toMatchObject({ state: 'down', deaths: [] })
    expect(play(going, { type: 'restart' }, exited(1, killed)).slot).toMatchObject({ state: 'starting', deaths: [] })
  })

  test('another process than the one that was judged stays', () => {
    expect(play(isUp(), condemned(7)).slot.state).toBe('up')
    expect(play(down(), condemned(1)).slot.state).toBe('down')
  })
})

describe('outdated by max_age or a changed file', () => {
  const outdated = (id: number): SlotEvent => ({ type: 'outdated', child: id, why: 'is old' })

  test('it gets the stop signal and starts again; its end is not a death, whatever its code and its restart rule', () => {
    for (const restart of ['always', 'on-failure', 'never'] as const)
      for (const ending of [code(0), code(78), killed]) {
        const { slot, effects } = play(isUp({ restart }), outdated(1))
        expect(effects).toEqual([term(1)])
        expect(slot).toMatchObject({ state: 'stopping', cause: 'asked', wanted: 'up', why: 'is old' })
        expect(play(slot, exited(1, ending)).slot).toMatchObject({ state: 'starting', deaths: [], restarts: 1 })
      }
  })

  test('while it starts, too; in a backoff it is started at once, and the delays go on from there', () => {
    const going = play(starting(), outdated(1))
    expect(going.effects).toEqual([term(1)])
    const waits = play(starting(), exited(1, code(1))).slot
    expect(waits).toMatchObject({ state: 'backoff', deathsInRow: 1 })
    expect(play(waits, outdated(1)).slot).toMatchObject({ state: 'starting', deathsInRow: 1, wanted: 'up' })
  })

  test('an operator who stops it in the meantime gets it down', () => {
    const going = play(isUp(), outdated(1)).slot
    expect(play(going, stop, exited(1, killed)).slot).toMatchObject({ state: 'down', deaths: [] })
  })

  test('another process than the one that was meant stays, and a slot that is down stays down', () => {
    expect(play(isUp(), outdated(7)).slot.state).toBe('up')
    expect(play(down(), outdated(1)).slot.state).toBe('down')
    expect(play(down(), outdated(0)).slot.state).toBe('down')
  })
})

describe('stopping', () => {
  test('the stop signal goes to the process, KILL to its group after stop_timeout', () => {
    const { slot, effects } = play(isUp({ stopSignal: 'INT', stopTimeoutMs: 10_000 }), stop)
    expect(effects).toEqual([{ ...term(1), signal: 'INT' }])
    expect(dueAt(slot)).toBe(T0 + 10_000)
    expect(play(slot, [{ type: 'due' }, T0 + 9_999]).effects).toEqual([])
    const late = play(slot, [{ type: 'due' }, T0 + 10_000])
    expect(late.effects).toEqual([kill(1)])
    expect(dueAt(late.slot)).toBeNull()
  })

  test('a requested end does not count as a death, whatever its exit code', () => {
    for (const how of [code(0), code(1), code(78), killed])
      expect(play(isUp(), stop, exited(1, how)).slot).toMatchObject({
        state: 'down',
        deaths: [],
        lastEnding: { ending: how },
      })
  })

  test('a process that is still on its way is signalled as soon as it is there', () => {
    const { slot, effects } = play(down(), up, stop)
    expect(effects).toEqual([])
    expect(slot).toMatchObject({ state: 'stopping', child: null })
    expect(play(slot, spawned(1)).effects).toEqual([term(1)])
  })

  test('stop during backoff goes down at once', () => {
    expect(play(starting(), exited(1, code(1)), stop).slot).toMatchObject({ state: 'down', wanted: 'down' })
  })
})

describe('commands are idempotent', () => {
  test('start on up and stop on down do nothing', () => {
    const running = isUp()
    expect(step(running, up, T0)).toEqual([running])
    expect(step(running, up, T0)[0]).toBe(running)
    const idle = down()
    expect(step(idle, stop, T0)[0]).toBe(idle)
  })

  test('start during stopping starts once the old process is gone', () => {
    const { slot, effects } = play(isUp(), stop, up)
    expect(effects).toEqual([])
    expect(play(slot, exited(1, code(0)))).toMatchObject({ effects: [spawn(2)], slot: { restarts: 0 } })
  })

  test('stop during a restart leaves it down', () => {
    expect(play(isUp(), { type: 'restart' }, stop, exited(1, code(0))).slot).toMatchObject({
      state: 'down',
      wanted: 'down',
    })
  })

  test('restart stops and starts; on down it starts; many at once are one', () => {
    const again = play(isUp(), { type: 'restart' })
    expect(again.effects).toEqual([term(1)])
    expect(play(again.slot, { type: 'restart' }, { type: 'restart' }).effects).toEqual([])
    expect(play(again.slot, { type: 'restart' }, exited(1, code(0)))).toMatchObject({
      effects: [spawn(2)],
      slot: { restarts: 1, deaths: [] },
    })
    expect(play(down(), { type: 'restart' })).toMatchObject({ effects: [spawn(1)], slot: { restarts: 0 } })
  })

  test('restart while a fresh process is on its way is answered by that process', () => {
    const { slot } = play(down(), up)
    expect(step(slot, { type: 'restart' }, T0)).toEqual([slot])
  })

  test('start in backoff starts now and forgets the deaths in a row', () => {
    const { slot, effects } = play(starting(), exited(1, code(1)), up)
    expect(effects).toEqual([spawn(2)])
    expect(slot).toMatchObject({ state: 'starting', deathsInRow: 0, restarts: 1 })
  })

  test('start of a parked slot un-parks it; stop puts it down', () => {
    expect(play(starting(), exited(1, code(78)), up).effects).toEqual([spawn(2)])
    expect(play(starting(), exited(1, code(78)), stop).slot).toMatchObject({ state: 'down', wanted: 'down' })
  })
})

describe('once', () => {
  test('runs and is not started again', () => {
    const { slot, effects } = play(down(), once)
    expect(effects).toEqual([spawn(1)])
    expect(play(slot, spawned(1), ready(1), exited(1, code(1))).slot).toMatchObject({ state: 'down', wanted: 'down' })
    expect(play(slot, spawned(1), ready(1), exited(1, code(75))).slot).toMatchObject({ state: 'down', wanted: 'down' })
  })

  test('lets a running slot run, and is taken back by start', () => {
    expect(play(isUp(), once).slot).toMatchObject({ state: 'up', wanted: 'once' })
    expect(play(isUp(), once, up, exited(1, killed)).slot.state).toBe('starting')
  })
})

describe('a spawn that failed', () => {
  const failed = play(down(), up, { type: 'spawn-failed', request: 1, error: 'EAGAIN: no more processes', random: 0 })

  test('is one more failure in a row, with its reason, and no death of a process', () => {
    expect(failed.slot).toMatchObject({
      state: 'backoff',
      deathsInRow: 1,
      deaths: [],
      startAtMs: T0 + 900,
      reason: 'cannot be started: EAGAIN: no more processes',
      unstarted: true,
    })
    expect(play(isUp(), exited(1, code(1)), exited(1, code(1))).slot).not.toHaveProperty('unstarted')
  })

  test('of an earlier request is old news', () => {
    const slot = play(failed.slot, up).slot
    expect(step(slot, { type: 'spawn-failed', request: 1, error: 'EAGAIN', random: 0 }, T0)[0]).toBe(slot)
  })
})

describe('a new supervisor', () => {
  test('adopts what it knows as it is', () => {
    const slot = isUp()
    expect(step(slot, { type: 'adopted', child: child(1), readyAtMs: T0 }, T0)[0]).toBe(slot)
  })

  test('finds the process whose start was under way', () => {
    const inFlight = play(down({ readiness: 'announced' }), up).slot
    expect(play(inFlight, { type: 'adopted', child: child(1) }).slot).toMatchObject({
      state: 'starting',
      child: { id: 1 },
    })
    expect(play(inFlight, { type: 'adopted', child: child(1), readyAtMs: T0 + 3 }).slot).toMatchObject({
      state: 'up',
      readyAtMs: T0 + 3,
    })
  })

  test('asks again for a start that died with the last supervisor', () => {
    const { slot, effects } = play(down(), up, { type: 'gone', request: 1, random: 0 })
    expect(effects).toEqual([spawn(2)])
    expect(slot).toMatchObject({ state: 'starting', restarts: 0, deathsInRow: 0 })
  })

  test('hears of a process that came, was ready and went while there was no supervisor', () => {
    const inFlight = play(down(), up).slot
    expect(play(inFlight, exited(1, code(1))).slot).toMatchObject({ state: 'backoff', deathsInRow: 1 })
    const wasUp = play(inFlight, ready(1), [exited(1, code(75), T0 + 5), T0 + 9])
    expect(wasUp.effects).toEqual([spawn(2)])
    expect(wasUp.slot.deaths).toEqual([])
  })

  test('takes a replayed exit of the process before for what it is', () => {
    const { slot } = play(isUp(), exited(1, killed))
    expect(slot.state).toBe('starting')
    expect(step(slot, exited(1, killed), T0)[0]).toBe(slot)
  })

  test('treats a process that is gone without a report as a failure without an ending', () => {
    expect(play(isUp(), { type: 'gone', request: 1, random: 0 }).slot).toMatchObject({
      state: 'backoff',
      deaths: [],
      deathsInRow: 1,
    })
    expect(play(isUp(), stop, { type: 'gone', request: 1, random: 0 }).slot.state).toBe('down')
  })

  test('says again what it wants of a process that was being stopped', () => {
    const stopping = play(isUp(), stop).slot
    expect(play(stopping, { type: 'adopted', child: child(1) }).effects).toEqual([term(1)])
    const killing = play(stopping, [{ type: 'due' }, T0 + 10_000]).slot
    expect(play(killing, { type: 'adopted', child: child(1) }).effects).toEqual([kill(1)])
  })

  test('stops a process that is not wanted, and a parked slot is parked again afterwards', () => {
    const stray = play(down(), { type: 'adopted', child: child(1) })
    expect(stray.effects).toEqual([term(1)])
    expect(play(stray.slot, exited(1, killed)).slot).toMatchObject({ state: 'down', deaths: [] })
    const parked = play(starting(), exited(1, code(78))).slot
    const found = play(parked, { type: 'adopted', child: child(2) })
    expect(found.effects).toEqual([term(2)])
    expect(play(found.slot, exited(2, killed)).slot).toMatchObject({
      state: 'parked',
      reason: expect.stringContaining('78'),
    })
  })

  test('that has lost the file of a slot goes on with its process', () => {
    const slot = rediscoveredSlot(policy(), T0)
    expect(play(slot, { type: 'adopted', child: child(9), readyAtMs: T0 })).toMatchObject({
      effects: [],
      slot: { state: 'up', wanted: 'up' },
    })
  })
})

test('the end of the container: nothing is started, and init does the signalling', () => {
  const halted = play(isUp(), { type: 'halt' })
  expect(halted.effects).toEqual([])
  expect(halted.slot).toMatchObject({ state: 'stopping', cause: 'halt', killAtMs: null })
  expect(play(halted.slot, up, exited(1, killed))).toMatchObject({ effects: [], slot: { state: 'down', deaths: [] } })
  expect(play(starting(), exited(1, code(1)), { type: 'halt' }).slot).toMatchObject({ state: 'down' })
  expect(play(starting(), exited(1, code(78)), { type: 'halt' }).slot.state).toBe('parked')
  expect(play(down(), up, { type: 'halt' }, spawned(1)).effects).toEqual([])
})

test('the last 100 deaths are kept', () => {
  let slot = isUp({ forgetAfterMs: 0 })
  for (let id = 1; id <= 130; id++) slot = play(slot, exited(id, code(id % 50)), spawned(id + 1), ready(id + 1)).slot
  expect(slot.deaths).toHaveLength(100)
  expect(slot.deaths[0]?.ending).toEqual(code(31))
  expect(slot.restarts).toBe(130)
})

test('the code a shell would report', () => {
  expect(shellCode(code(3))).toBe(3)
  expect(shellCode(killed)).toBe(137)
})

describe('a oneshot', () => {
  const finish = { timeoutMs: 500, atStop: true } as const
  const ofKind = { kind: 'oneshot', readiness: 'announced' } as const
  const done = (change: Partial<SlotPolicy> = {}): Slot =>
    play(starting({ ...ofKind, ...change }), exited(1, code(0))).slot
  const runsFinish: Effect = { type: 'spawn', request: 2, program: 'finish' }

  test('is done once it has exited with 0, which does not count as a death, and stays so', () => {
    expect(done()).toMatchObject({ state: 'done', wanted: 'up', deaths: [], lastEnding: { ending: code(0) } })
    expect(play(done(), up)).toMatchObject({ slot: { state: 'done' }, effects: [] })
  })

  test('that fails is down permanently, and says why; its finish program has nothing to undo', () => {
    const { slot, effects } = play(starting({ ...ofKind, finish }), exited(1, code(7)))
    expect(slot).toMatchObject({ state: 'down', reason: 'exited with code 7' })
    expect(effects).toEqual([{ type: 'ended', ending: code(7), reason: 'exited with code 7' }])
  })

  test('that takes too long gets the stop signal, and has failed', () => {
    const late = play(starting({ ...ofKind, startTimeoutMs: 100 }), [{ type: 'due' }, T0 + 100])
    expect(late).toMatchObject({ slot: { state: 'stopping', cause: 'start-timeout' }, effects: [term(1)] })
    expect(play(late.slot, exited(1, { signal: 'TERM' })).slot).toMatchObject({
      state: 'down',
      reason: 'did not finish within 100 ms and was killed by SIGTERM',
    })
  })

  test('that is done is undone by a stop, and by a restart before it runs again', () => {
    const stopping = play(done({ finish }), stop)
    expect(stopping).toMatchObject({ slot: { state: 'stopping', cause: 'finish' }, effects: [runsFinish] })
    expect(play(stopping.slot, spawned(2), exited(2, code(0))).slot).toMatchObject({ state: 'down', wanted: 'down' })
    const again = play(done({ finish }), { type: 'restart' }, spawned(2), exited(2, code(0)))
    expect(again).toMatchObject({ slot: { state: 'starting', wanted: 'up', restarts: 1 }, effects: [spawn(3)] })
    expect(play(done(), stop).slot.state).toBe('down')
    expect(play(done(), { type: 'restart' }).effects).toEqual([spawn(2)])
  })

  test('at the container’s stop waits for what init runs, unasked', () => {
    const halted = play(done({ finish }), { type: 'halt' })
    expect(halted).toMatchObject({ slot: { state: 'stopping', cause: 'finish', wanted: 'down' }, effects: [] })
    expect(play(halted.slot, exited(2, code(0))).slot.state).toBe('down')
    expect(play(done(), { type: 'halt' }).slot.state).toBe('down')
  })
})

test('a service whose finish program init runs at the stop is empty when that has ended', () => {
  const halted = play(isUp({ finish: { timeoutMs: 500, atStop: true } }), { type: 'halt' }, exited(1, code(0)))
  expect(halted).toMatchObject({ slot: { state: 'stopping', cause: 'finish' }, effects: [] })
  expect(play(halted.slot, exited(2, code(0))).slot.state).toBe('down')
})
