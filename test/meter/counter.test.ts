import { beforeEach, expect, test } from 'vitest'
import { type Ledger, openLedger } from '../../src/meter/ledger/ledger.ts'
import { BUILT_IN_PRICES } from '../../src/meter/prices.ts'
import { Counter } from '../../src/meter/proxy/counter.ts'
import { quickScratchDir } from '../support/scratch.ts'

const lines: string[] = []
let ledger: Ledger
let nowMs: number
let counter: Counter
const start = (): void => {
  counter = new Counter({
    ledger,
    clock: { wallMs: () => nowMs },
    log: (level, text) => lines.push(`${level}: ${text}`),
    pricesFile: '/data/prices.yaml',
  })
}
beforeEach(() => {
  lines.length = 0
  nowMs = Date.UTC(2026, 10, 30, 12)
  ledger = openLedger(quickScratchDir('hermes-counter-'), () => undefined)
  start()
  return () => ledger.close()
})

const budget = { per: 'day', usd: 1, tokens: null, warnAt: 0.5, taskUsd: 0.3 } as const
const coder = { profile: 'coder' }
const inTask = { profile: 'coder', task: 't_1', board: 'default' }
/** An answer of gpt-4o that costs so much. */
const spend = (holder: typeof coder | typeof inTask, usd: number, model = 'gpt-4o'): void => {
  const ticket = counter.begin(holder, budget, model, BUILT_IN_PRICES)
  ticket.note({ usage: { inputTokens: 0, cachedTokens: 0, outputTokens: usd * 100_000 }, model })
  ticket.finish(true)
}
const refusal = (holder: typeof coder | typeof inTask) => counter.refusal(holder, budget)?.code

test('a task past its limit is refused, its profile is not, until its own limit is reached', () => {
  spend(inTask, 0.2)
  expect(refusal(inTask)).toBeUndefined()
  spend(inTask, 0.1)
  expect([refusal(inTask), refusal({ ...inTask, task: 't_2' }), refusal(coder)]).toEqual([
    'task_budget_spent',
    undefined,
    undefined,
  ])
  spend(coder, 0.7)
  expect([refusal(coder), refusal({ ...inTask, task: 't_2' })]).toEqual(['budget_spent', 'budget_spent'])
  expect(lines).toEqual([
    'warn: task t_1 of coder has spent 0.2000 of 0.3 USD',
    'error: task t_1 of coder has spent 0.3000 of 0.3 USD; no further request of it goes out',
    'error: the budget of coder is spent: 1.0000 of 1 USD this day; no further request goes out before 2026-12-01T00:00:00.000Z',
  ])
})

test('the limit of a day ends with the day, that of a task does not', () => {
  spend(inTask, 1)
  expect([refusal(coder), refusal(inTask)]).toEqual(['budget_spent', 'budget_spent'])
  nowMs = Date.UTC(2026, 11, 1)
  expect([refusal(coder), refusal(inTask)]).toEqual([undefined, 'task_budget_spent'])
})

test('a warning is given once, also by a meter that has started again', () => {
  spend(coder, 0.6)
  start()
  spend(coder, 0.1)
  expect(lines).toEqual(['warn: coder has spent 0.6000 of 1 USD this day'])
})

test('requests that went out before the limit was reached are finished and counted', () => {
  const early = counter.begin(coder, budget, 'gpt-4o', BUILT_IN_PRICES)
  spend(coder, 2)
  expect(refusal(coder)).toBe('budget_spent')
  early.note({ usage: { inputTokens: 1, cachedTokens: 0, outputTokens: 0 }, model: undefined })
  early.finish(true)
  expect(ledger.spent('coder', '2026-11-30')).toEqual({ nanos: 2_000_002_500, tokens: 200_001 })
})

test('a model without a price counts its tokens, with one line that names the file to add it to', () => {
  spend(coder, 50, 'my-7b')
  spend(coder, 50, 'my-7b')
  expect(refusal(coder)).toBeUndefined()
  expect(ledger.spent('coder', '2026-11-30')).toEqual({ nanos: 0, tokens: 10_000_000 })
  expect(lines).toEqual([
    'warn: model "my-7b" has no price: its tokens count, its cost does not; add it to /data/prices.yaml',
  ])
})

test('a profile without a budget is never refused', () => {
  spend(coder, 1000)
  expect(counter.refusal(coder, null)).toBeUndefined()
})

test('a request that cannot be written down does not go out', () => {
  ledger.close()
  expect(() => counter.begin(coder, budget, 'm', BUILT_IN_PRICES)).toThrow()
  expect(() => counter.refusal(coder, budget)).toThrow()
  ledger = openLedger(quickScratchDir('hermes-counter-'), () => undefined)
})
