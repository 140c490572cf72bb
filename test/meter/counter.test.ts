import { beforeEach, describe, expect, test } from 'vitest'
import { type Ledger, openLedger } from '../../src/meter/ledger/ledger.ts'
import { BUILT_IN_PRICES } from '../../src/meter/prices.ts'
import { Counter, type Ticket } from '../../src/meter/proxy/counter.ts'
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

describe('requests side by side', () => {
  const here = new AbortController().signal
  const question = (mostOutputTokens?: number) => ({
    ...{ body: Buffer.from('{}'), model: 'gpt-4o', addsUsage: false, mostOutputTokens },
  })
  const admit = (most?: number, holder: typeof coder | typeof inTask = coder, gone = here) =>
    counter.admit(holder, budget, question(most), BUILT_IN_PRICES, gone)
  const isTicket = (one: unknown): one is Ticket => typeof one === 'object' && one !== null && 'finish' in one
  /** Waits for what can happen by itself. */
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  const end = (ticket: unknown, usd: number): void => {
    if (!isTicket(ticket)) throw new Error(`not admitted: ${JSON.stringify(ticket)}`)
    ticket.note({ usage: { inputTokens: 0, cachedTokens: 0, outputTokens: usd * 100_000 }, model: 'gpt-4o' })
    ticket.finish(true)
  }

  test('go out together while they stay below the limit, and one by one where they could pass it', async () => {
    const all: unknown[] = []
    // 0.40 USD at most for each: two of them stay below 1 USD, three do not.
    for (let n = 0; n < 20; n++) void admit(40_000).then((one) => all.push(one))
    await settled()
    expect(all.map(isTicket)).toEqual([true, true])
    end(all[0], 0.3)
    await settled()
    expect(all).toHaveLength(2) // 0.30 spent, 0.40 on its way: another 0.40 could pass it
    end(all[1], 0.2)
    await settled()
    expect(all.map(isTicket)).toEqual([true, true, true])
    end(all[2], 0.4)
    await settled()
    end(all[3], 0.2) // alone, although it may cost more than what is left
    await settled()
    expect(all.slice(4)).toHaveLength(16)
    expect(all.slice(4)).toEqual(Array(16).fill(expect.objectContaining({ code: 'budget_spent' })))
    expect(lines.filter((line) => line.includes('wait for each other'))).toEqual([
      'warn: requests of coder wait for each other, because together they could pass its budget',
    ])
  })

  test('without a limit of its own a request may use as much as the largest answer before it', async () => {
    end(await admit(), 0.6)
    const all: unknown[] = []
    for (let n = 0; n < 2; n++) void admit().then((one) => all.push(one))
    await settled()
    expect(all).toHaveLength(1)
    end(all[0], 0.1)
    await settled()
    end(all[1], 0)
  })

  test('those of a task wait for each other at the limit of the task, and for no other one', async () => {
    const first = await admit(20_000, inTask)
    const second = admit(20_000, inTask)
    const other = await admit(20_000, { ...inTask, task: 't_2' })
    end(first, 0.3)
    expect(await second).toMatchObject({ code: 'task_budget_spent' })
    end(other, 0)
  })

  test('a client that goes while it waits makes room, and one that asks for nothing does not wait', async () => {
    const first = await admit(200_000)
    const stop = new AbortController()
    const second = admit(200_000, coder, stop.signal)
    expect(isTicket(await counter.admit(coder, budget, undefined, BUILT_IN_PRICES, here))).toBe(true)
    stop.abort()
    expect(await second).toBeUndefined()
    end(first, 0)
    end(await admit(200_000), 0)
  })
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
