import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Batch } from '../../../src/forward/batch.ts'
import { runCourier } from '../../../src/forward/program/courier.ts'
import { forwardTotals } from '../../../src/forward/store/report.ts'
import { openForwardStore } from '../../../src/forward/store/store.ts'
import { LogFile } from '../../../src/log/io/log-file.ts'
import { sharedLogResources } from '../../../src/log/io/shared-resources.ts'
import type { Attempt } from '../../../src/notify/retry.ts'
import type { ForwardTarget } from '../../../src/profile/config/kinds/forward-kinds.ts'
import type { Clock } from '../../../src/system/clock.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

const TARGET: ForwardTarget = {
  name: 'central',
  to: 'loki',
  address: { value: 'http://x' },
  labels: {},
  headers: {},
  tokenEnv: null,
  profiles: null,
}
const AT = Date.UTC(2026, 10, 22)
/** Every pause is over in the next turn. */
const hasty: Clock = {
  nowMs: () => 0,
  wallMs: () => AT,
  at(_, wake) {
    const timer = setImmediate(wake)
    return () => clearImmediate(timer)
  },
}

type Outcome = 'taken' | 'failed' | 'failed at the end' | 'refused' | 'killed before' | 'killed after'
class Killed extends Error {}

/** Real log files and a real store; a target and a process that fail as the test wants. */
function scene({ isNew = false, maxBytes = 400, archives = 10_000 } = {}) {
  const home = quickDir('hermes-forward-')
  const clock = fakeClock()
  const shared = sharedLogResources(clock, () => undefined)
  const logs = new Map(
    ['a', 'b'].map((name) => {
      const dir = join(home, 'logs', 'gateways', name)
      mkdirSync(dir, { recursive: true })
      return [name, new LogFile({ place: { dir, maxBytes, archives }, clock, shared })]
    }),
  )
  const store = openForwardStore(home, () => undefined)
  const written = new Map<string, string[]>()
  const received = new Map<string, { text: string; ns: bigint }[]>()
  const repeatable = new Set<string>()
  const messages: string[] = []
  if (!isNew) store.settle('central', new Map(), { sent: 0, refused: 0, gaps: 0, lostBytes: 0 }, AT)

  function write(name: string, count: number): void {
    const own = written.get(name) ?? []
    written.set(name, own)
    for (let i = 0; i < count; i++) {
      const text = `${name} ${own.length}`
      own.push(text)
      logs.get(name)?.append(Buffer.from(`${text}\n`), false)
      clock.advance(i % 3)
    }
  }

  /** Sends with these outcomes, then ends as by a signal. */
  async function run(outcomes: readonly Outcome[]): Promise<void> {
    const ending = new AbortController()
    let at = 0
    let looks = 0
    let isUnsettled = false
    const send = async (_: ForwardTarget, batch: Batch): Promise<Attempt> => {
      const outcome = outcomes[at++] ?? 'taken'
      looks = 0
      if (outcome === 'killed before') throw new Killed()
      if (outcome === 'failed at the end') ending.abort()
      if (outcome.startsWith('failed')) return { is: 'failed', text: 'answered 503' }
      if (outcome === 'refused') return { is: 'refused', text: 'answered 400' }
      for (const { slot, lines } of batch.slots) {
        const own = received.get(slot.slice('gateway-'.length)) ?? []
        received.set(slot.slice('gateway-'.length), own)
        own.push(...lines.map(({ text, ns }) => ({ text, ns })))
        if (outcome === 'killed after') for (const { text } of lines) repeatable.add(text)
      }
      isUnsettled = outcome === 'killed after'
      return { is: 'delivered', text: 'ok' }
    }
    const target = (): ForwardTarget => {
      if (++looks > 6) ending.abort()
      return TARGET
    }
    const killed: typeof store.settle = (...args) => {
      if (isUnsettled) throw new Killed()
      store.settle(...args)
    }
    const log = (level: string, text: string): void => void messages.push(`${level} ${text}`)
    const facts = { home, node: 'n', clock: hasty, target, send, log }
    const kept = { positions: store.positions.bind(store), trouble: store.trouble.bind(store), settle: killed }
    try {
      await runCourier('central', { ...facts, store: kept }, ending.signal)
    } catch (error) {
      if (!(error instanceof Killed)) throw error
    }
  }

  return {
    home,
    store,
    written,
    received,
    repeatable,
    messages,
    write,
    run,
    async [Symbol.asyncDispose]() {
      for (const log of logs.values()) await log.close()
      store.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

const outcome = fc.constantFrom<Outcome>('taken', 'failed', 'failed at the end', 'killed before', 'killed after')
const step = fc.oneof(
  fc.record({ name: fc.constantFrom('a', 'b'), count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ outcomes: fc.array(outcome, { minLength: 1, maxLength: 4 }) }),
)

test('through rotations, failures and kills each line arrives in order, and twice only after a kill', {
  timeout: 200_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      await using all = scene()
      for (const one of steps) {
        if ('outcomes' in one) await all.run(one.outcomes)
        else all.write(one.name, one.count)
      }
      await all.run([])
      for (const [name, texts] of all.written) {
        const arrived = all.received.get(name) ?? []
        const first = new Map<string, bigint>()
        for (const { text, ns } of arrived) {
          if (first.has(text)) expect([text, all.repeatable.has(text), first.get(text)]).toEqual([text, true, ns])
          first.set(text, ns)
        }
        expect([...first.keys()]).toEqual(texts)
        const instants = [...first.values()]
        expect(instants).toEqual(instants.toSorted((x, y) => (x < y ? -1 : 1)))
        expect(new Set(instants).size).toBe(instants.length)
      }
    }),
    { numRuns: 40 },
  )
})

test('a new target gets what is written from then on, and a new log from its beginning', async () => {
  await using all = scene({ isNew: true })
  all.write('a', 30)
  await all.run([])
  expect(all.received.size).toBe(0)
  all.write('a', 1)
  await all.run([])
  expect(all.received.get('a')?.map(({ text }) => text)).toEqual(['a 30'])
})

test('refused lines are counted and reported once, and the next ones are sent', async () => {
  await using all = scene()
  all.write('a', 3)
  await all.run(['refused'])
  all.write('a', 2)
  await all.run(['failed', 'failed', 'taken'])
  expect(all.received.get('a')?.map(({ text }) => text)).toEqual(['a 3', 'a 4'])
  expect(all.messages).toEqual([
    'warn central: the target answered 400 to 3 line(s), which are not sent; hermes forward list counts what else is refused',
    'warn central: answered 503; the lines wait in their log files',
    'info central: lines are sent again',
  ])
  expect(forwardTotals(all.home)).toEqual([
    { target: 'central', sent: 2, refused: 3, gaps: 0, lostBytes: 0, sentMs: AT, trouble: null, troubleMs: null },
  ])
})
