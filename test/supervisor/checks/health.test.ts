import { beforeEach, expect, test } from 'vitest'
import type { OpenRequests } from '../../../src/profile/state/open-requests.ts'
import { newSlot, type Slot } from '../../../src/slot/slot.ts'
import { HealthChecks } from '../../../src/supervisor/checks/health.ts'
import type { Health } from '../../../src/supervisor/launch/launch.ts'
import type { ProcessFacts } from '../../../src/system/programs/proc.ts'
import { policy } from '../../slot/policies.ts'
import { type FakeClock, fakeClock } from '../../support/supervisor/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'

const KEY = 'gateway-coder'
let clock: FakeClock
let condemned: string[]
let outdated: number[]
let log: string[]
let processes: Pick<ProcessFacts, 'pid' | 'ppid' | 'startTime' | 'state' | 'cpuTicks'>[]
let requests: OpenRequests | undefined
beforeEach(() => {
  clock = fakeClock()
  condemned = []
  outdated = []
  log = []
  processes = []
  requests = undefined
})

const BOOT_MS = fakeClock().nowMs()
const up = (id: number): Slot => {
  const child = { id, pid: process.pid, startTime: 0, spawnedAtMs: 0 }
  return { ...newSlot(policy(), 0), state: 'up', child, readyAtMs: BOOT_MS }
}

const checks = (): HealthChecks =>
  new HealthChecks({
    clock,
    log: (_, text) => log.push(text),
    openRequests: () => requests,
    processes: () => processes as ProcessFacts[],
    dispatch(key, event) {
      if (event.type === 'condemned') condemned.push(`${key} ${event.child} ${event.why}`)
      if (event.type === 'outdated') outdated.push(event.child)
    },
  })
function watched(health: Health): HealthChecks {
  const made = checks()
  made.follow(KEY, up(7), health)
  return made
}

test('a process that prints no line for the time of `silence` is condemned once, however long it lasts', () => {
  watched({ liveness: { silenceMs: 600_000 } })
  clock.advance(599_999)
  expect(condemned).toEqual([])
  clock.advance(3_600_000)
  expect(condemned).toEqual([`${KEY} 7 has printed no line for 10 minutes`])
})

test('each line begins the time again', () => {
  const health = watched({ liveness: { silenceMs: 60_000 } })
  for (let minute = 0; minute < 100; minute++) {
    clock.advance(59_999)
    health.printed(KEY)
  }
  expect(condemned).toEqual([])
  clock.advance(62_000)
  expect(condemned).toEqual([`${KEY} 7 has printed no line for 1 minute`])
})

test('lines that a stall of the supervisor has kept waiting count when they are read afterwards', () => {
  const health = watched({ liveness: { silenceMs: 60_000 } })
  clock.oversleep(3_600_000)
  health.printed(KEY)
  clock.advance(59_000)
  expect(condemned).toEqual([])
})

test('a process that is not up any more, and a slot without rules, is not watched: no alarm is left', () => {
  const health = watched({
    liveness: { silenceMs: 60_000, probe: { check: PORT, everyMs: 1, timeoutMs: 1, failures: 1 } },
    maxAgeMs: 5,
  })
  expect(clock.alarms()).toHaveLength(4)
  health.follow(KEY, newSlot(policy(), 0), { liveness: { silenceMs: 60_000 } })
  health.follow('gateway-other', up(8), undefined)
  health.printed(KEY)
  expect(clock.alarms()).toEqual([])
})

const PORT = { by: 'command', command: ['false'] } as const

test('silence and a check may stand together: whichever fails first decides', async () => {
  watched({ liveness: { silenceMs: 60_000, probe: { check: PORT, everyMs: 1000, timeoutMs: 30_000, failures: 1 } } })
  clock.advance(1000)
  await waitFor('the answer', () => condemned.length > 0)
  expect(condemned).toEqual([`${KEY} 7 does not answer: false ends with 1`])
})

test('before anything is done, the evidence says whether it works', async () => {
  const health = watched({ liveness: { silenceMs: 600_000 } })
  clock.advance(60_000)
  expect(health.report(KEY)).toEqual({ health: 'ok', evidence: ['has printed no line for 60 s'] })
  clock.advance(300_000)
  expect(health.report(KEY)).toEqual({ health: 'quiet', evidence: ['has printed no line for 6 min'] })
  health.printed(KEY)
  expect(health.report(KEY)).toMatchObject({ health: 'ok' })
  health.follow(KEY, up(8), {
    liveness: { silenceMs: 600_000, probe: { check: PORT, everyMs: 1000, timeoutMs: 30_000, failures: 3 } },
  })
  expect(health.report(KEY)).toMatchObject({ health: 'ok', evidence: ['has not been asked yet', expect.anything()] })
  clock.advance(1000)
  await waitFor('the answer', () => health.report(KEY)?.health === 'stuck')
  expect(health.report(KEY)?.evidence).toEqual(['does not answer (1 of 3 times in a row): false ends with 1'])
  expect(condemned).toEqual([])
  expect(health.report('gateway-other')).toBeUndefined()
})

const OWN = { pid: process.pid, ppid: 1, startTime: 1, state: 'S', cpuTicks: 0 }
/** Time passes, and the process uses this share of a CPU. */
function passes(ms: number, share = 0): void {
  for (let passed = 0; passed < ms; passed += 1000) {
    processes = processes.map((one) => ({ ...one, cpuTicks: one.cpuTicks + share * 100 }))
    clock.advance(1000)
  }
}

test('a stopped process is stuck: reported at one look, restarted at the next if it is to be, and only then', () => {
  processes = [OWN]
  const health = watched({ onStuck: 'restart' })
  passes(10_000)
  expect(health.report(KEY)).toEqual({ health: 'ok', evidence: ['used 0 % of a CPU in the last 5 s'] })
  processes = [{ ...OWN, state: 'T' }]
  passes(5_000)
  expect(health.report(KEY)).toEqual({ health: 'stuck', evidence: ['is stopped by a signal'] })
  const restarted = 'it is restarted if it still does in 5 s (on_stuck: restart)'
  expect(log).toEqual([`${KEY} seems stuck: it is stopped by a signal; ${restarted}`])
  expect(condemned).toEqual([])
  passes(5_000)
  expect(condemned).toEqual([`${KEY} 7 seems stuck: it is stopped by a signal`])
})

test('a process that continues before the second look is left alone, and so is each one with `report`, the default', () => {
  processes = [{ ...OWN, state: 'T' }]
  const first = watched({ onStuck: 'restart' })
  passes(5_000)
  processes = [OWN]
  passes(60_000)
  first.forget(KEY)
  expect(log[1]).toBe(`${KEY} does not seem stuck any more`)
  for (const rules of [{ onStuck: 'report' }, { liveness: { silenceMs: 3_600_000 } }] as const) {
    processes = [{ ...OWN, state: 'T' }]
    log = []
    const health = watched(rules)
    passes(600_000)
    expect(health.report(KEY)).toMatchObject({ health: 'stuck' })
    expect(log).toEqual([`${KEY} seems stuck: it is stopped by a signal; it is left alone (on_stuck: report)`])
    health.forget(KEY)
  }
  expect(condemned).toEqual([])
})

test('a process that does nothing is quiet, then stuck, while a request waits; without a request it is idle', () => {
  processes = [OWN]
  const health = watched({ onStuck: 'restart' })
  passes(600_000)
  expect(health.report(KEY)).toMatchObject({ health: 'ok' })
  health.printed(KEY)
  requests = { open: 2, oldestAtMs: clock.wallMs() }
  passes(30_000)
  const cpu = 'used 0 % of a CPU in the last 5 s'
  expect(health.report(KEY)).toEqual({
    health: 'ok',
    evidence: ['has 2 requests open, the oldest for 30 s', cpu],
  })
  passes(60_000)
  expect(health.report(KEY)).toEqual({
    health: 'quiet',
    evidence: ['has 2 requests open, the oldest for 90 s', 'has printed no line and used no CPU for 90 s', cpu],
  })
  passes(200_000)
  expect([health.report(KEY)?.health, condemned]).toEqual(['quiet', []])
  passes(20_000)
  expect(condemned[0]).toBe(
    `${KEY} 7 seems stuck: it has 2 requests open, the oldest for 5 min and has printed no line and used no CPU for 5 min`,
  )
})

test.each([
  ['prints', (health: HealthChecks): void => health.printed(KEY)],
  ['works', (): void => passes(6_000, 0.5)],
  [
    'has a child that works',
    (): void => {
      processes = [OWN, { ...OWN, pid: 2, ppid: OWN.pid, cpuTicks: clock.nowMs() }]
      passes(6_000)
    },
  ],
  [
    'starts children',
    (): void => {
      processes = [OWN, { ...OWN, pid: 2, ppid: OWN.pid }]
      passes(6_000)
      processes = [OWN]
      passes(6_000)
    },
  ],
] as const)('a process with a request that %s at times is never stuck, however long the request takes', (_, act) => {
  processes = [OWN]
  const health = watched({ onStuck: 'restart' })
  requests = { open: 1, oldestAtMs: clock.wallMs() }
  for (let minute = 0; minute < 60; minute += 4) {
    passes(228_000)
    act(health)
  }
  expect([log, condemned]).toEqual([[], []])
})

test('a process is outdated once, at its max_age or up to a tenth earlier', () => {
  watched({ maxAgeMs: 100_000 })
  clock.advance(89_999)
  expect(outdated).toEqual([])
  clock.advance(10_001)
  expect(outdated).toEqual([7])
  clock.advance(1_000_000)
  expect(outdated).toEqual([7])
})

test('a hundred processes of one boot do not reach their max_age at once', () => {
  const made = checks()
  for (let id = 1; id <= 100; id++) made.follow(`gateway-${id}`, up(id), { maxAgeMs: 1_000_000 })
  clock.advance(899_999)
  const most = Array.from({ length: 10 }, () => {
    const before = outdated.length
    clock.advance(10_000)
    return outdated.length - before
  })
  expect(Math.max(...most)).toBeLessThan(20)
  clock.advance(1)
  expect(outdated).toHaveLength(100)
})

test('the age counts from readiness, also for a supervisor that comes later', () => {
  clock.advance(60_000)
  watched({ maxAgeMs: 70_000 })
  clock.advance(10_000)
  expect(outdated).toEqual([7])
})
