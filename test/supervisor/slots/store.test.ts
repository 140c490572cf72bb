import { expect, test } from 'vitest'
import { newSlot, type Slot } from '../../../src/slot/slot.ts'
import { StateStore } from '../../../src/supervisor/slots/state-store.ts'
import { parseSlot, type StoredSlot, saveSlot } from '../../../src/supervisor/slots/store.ts'
import { policy } from '../../slot/policies.ts'

const ending = { signal: 'KILL' } as const
const child = { id: 3, pid: 70, startTime: 9, spawnedAtMs: 4 }
const facts = {
  ...newSlot(policy({ finish: { timeoutMs: 5 }, giveUpAfter: { deaths: 3, withinMs: 9 } }), 5),
  deaths: [{ atMs: 1, wallMs: 2, upMs: 3, ending }],
  lastEnding: { atMs: 1, wallMs: 2, pid: 70, ending: { exitCode: 1 }, asked: true as const },
}
const states: readonly Slot[] = [
  { ...facts, state: 'down', reason: 'stopped' },
  { ...facts, state: 'starting', child: null },
  { ...facts, state: 'starting', child, readyAtMs: 5 },
  { ...facts, state: 'up', child, readyAtMs: 5 },
  {
    ...facts,
    state: 'stopping',
    child,
    cause: 'finish',
    killAtMs: 9,
    again: true,
    verdict: { to: 'backoff', startAtMs: 9, reason: 'x' },
  },
  { ...facts, state: 'backoff', startAtMs: 9, reason: 'x' },
  { ...facts, state: 'parked', reason: 'x' },
  { ...facts, state: 'done' },
]
const storedOf = (slot: Slot): StoredSlot => ({
  slot,
  sinceWallMs: 7,
  normallyUp: true,
  launch: {
    policy: slot.policy,
    readiness: { by: 'fd', fd: 3 },
    killLeftovers: true,
    essential: false,
    health: {
      liveness: {
        probe: { check: { by: 'tcp', host: 'a', port: 1 }, everyMs: 1, timeoutMs: 2, failures: 3 },
        silenceMs: 4,
      },
      memoryLimitBytes: 5,
      maxAgeMs: 6,
      watch: ['/x'],
    },
    schedule: '* * * * *',
    dependsOn: [{ name: 'a', until: 'started' }],
  },
  job: {
    slot: 'job-1',
    profile: 'a',
    command: ['x'],
    cwd: '/',
    env: { A: 'b' },
    logFile: '/x',
    resultFile: '/y',
    stopTimeoutMs: 4,
  },
  startedIn: '1:2',
})
const textOf = (stored: StoredSlot): string => {
  const kept = new Map<string, string>()
  saveSlot({ keep: (name, text) => void kept.set(name, text) }, 'gateway-a', stored)
  return kept.get('gateway-a') ?? ''
}

test.each(states.map((slot) => [slot.state, slot] as const))(
  'the stored state of a slot that is %s comes back',
  (_, slot) => {
    expect(parseSlot(textOf(storedOf(slot)))).toEqual({ v: 1, ...storedOf(slot) })
  },
)

test.each([
  ['empty', ''],
  ['torn', '{"v":1,"slot":{"state":"up"'],
  ['of another version', JSON.stringify({ v: 2, ...storedOf(states[0] as Slot) })],
  ['in no state there is', textOf(storedOf({ ...facts, state: 'flying' } as unknown as Slot))],
  ['in a state of Object.prototype', textOf(storedOf({ ...facts, state: 'constructor' } as unknown as Slot))],
  ['null', 'null'],
  ['a list', '[]'],
])('a text that is %s is refused', (_, text) => {
  expect(() => parseSlot(text)).toThrow()
})

/** Every place in a value, and what it holds. */
function* placesOf(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (path.length > 0) yield path
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) yield* placesOf(inner, [...path, key])
}

function withValue(value: unknown, [key, ...rest]: readonly string[], replacement: unknown): unknown {
  if (key === undefined) return replacement
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>
  copy[key] = withValue(copy[key], rest, replacement)
  return copy
}

// A function is what JSON leaves out.
const WRONG = [null, 'x', 1e300, -1, 0.5, [], [[]], {}, { signal: 'NONE' }, true, () => undefined]

test('a value of another kind in any place of any state is refused, or is what that place may hold', () => {
  let refused = 0
  for (const slot of states) {
    const whole = { v: 1, ...storedOf(slot) }
    for (const path of placesOf(whole)) {
      for (const wrong of WRONG) {
        const text = JSON.stringify(withValue(whole, path, wrong))
        let restored: StoredSlot
        try {
          restored = parseSlot(text)
        } catch {
          refused += 1
          continue
        }
        // Uses it as the supervisor does at once: nothing of it may throw.
        const { slot: back, launch, job } = restored
        expect(back.policy.restartDelay.firstMs).toEqual(expect.any(Number))
        expect(Array.isArray(back.deaths)).toBe(true)
        for (const { wallMs } of back.deaths) new Date(wallMs).toISOString()
        if (back.lastEnding !== undefined) {
          new Date(back.lastEnding.wallMs).toISOString()
          expect(back.lastEnding.pid).toBeGreaterThan(0)
          expect(back.lastEnding.ending).toEqual(expect.any(Object))
        }
        if ('child' in back && back.child !== null) expect(back.child.pid).toBeGreaterThan(0)
        if (launch !== undefined) expect(launch.readiness.by).toEqual(expect.any(String))
        if (job !== undefined) expect(job.command.every((argument) => typeof argument === 'string')).toBe(true)
        new Date(restored.sinceWallMs).toISOString()
      }
    }
  }
  expect(refused).toBeGreaterThan(1_000)
})

test('a state that fits into no line to init is reported and not sent, so the line is not lost', () => {
  const sent: string[] = []
  const warned: string[] = []
  const stateStore = new StateStore(
    (message) => sent.push(message.type),
    (text) => warned.push(text),
  )
  stateStore.keep('job-1', '"'.repeat(600_000))
  stateStore.keep('job-1', 'x'.repeat(900_000))
  expect(sent).toEqual(['keep'])
  expect(warned).toEqual([expect.stringContaining('job-1 takes 1200')])
})
