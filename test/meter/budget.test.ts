import { expect, test } from 'vitest'
import {
  crossed,
  dayOf,
  periodEndMs,
  periodStart,
  reachedLimit,
  reachedTaskLimit,
  usdText,
} from '../../src/meter/budget.ts'
import { budgetSpent, refusalBody, taskBudgetSpent } from '../../src/meter/refusals.ts'

const budget = { per: 'day', usd: 1, tokens: null, warnAt: 0.8, taskUsd: null } as const
const spent = (usd: number, tokens = 0) => ({ nanos: usd * 1e9, tokens })

test('a limit is reached with its last cent and its last token, not before', () => {
  expect(reachedLimit(budget, spent(0.999_999_999))).toBeUndefined()
  expect(reachedLimit(budget, spent(1))).toEqual({ limit: 'usd', amount: '1.0000 of 1 USD' })
  const tokens = { ...budget, usd: null, tokens: 10 }
  expect([reachedLimit(tokens, spent(5, 9)), reachedLimit(tokens, spent(0, 10))?.amount]).toEqual([
    undefined,
    '10 of 10 tokens',
  ])
  expect(reachedLimit({ ...budget, usd: 0 }, spent(0))).toMatchObject({ limit: 'usd' })
  expect(reachedTaskLimit({ ...budget, taskUsd: 0.5 }, spent(0.5))).toMatchObject({ limit: 'task_usd' })
  expect(reachedTaskLimit(budget, spent(100))).toBeUndefined()
})

test('days and months begin at midnight UTC', () => {
  const late = Date.UTC(2026, 10, 30, 23, 59, 59, 999)
  expect([dayOf(late), dayOf(late + 1)]).toEqual(['2026-11-30', '2026-12-01'])
  expect(periodStart({ per: 'day' }, '2026-11-30')).toBe('2026-11-30')
  expect(periodStart({ per: 'month' }, '2026-11-30')).toBe('2026-11-01')
  expect(periodEndMs({ per: 'day' }, late)).toBe(late + 1)
  expect(periodEndMs({ per: 'month' }, Date.UTC(2026, 11, 5))).toBe(Date.UTC(2027, 0, 1))
})

test('a warning and a limit are reported by the one answer that reaches them', () => {
  const at = (before: number, after: number) =>
    crossed((one, share) => reachedLimit(budget, one, share), budget.warnAt, spent(before), spent(after))?.kind
  expect([at(0, 0.79), at(0.79, 0.8), at(0.8, 0.9), at(0.9, 1), at(1, 1.1), at(0, 2)]).toEqual([
    undefined,
    'warning',
    undefined,
    'limit',
    undefined,
    'limit',
  ])
})

test('the refusal of a period is 429 until it ends, and that of a task does not ask to wait', () => {
  const nowMs = Date.UTC(2026, 10, 30, 23, 59, 0, 500)
  const refusal = budgetSpent('coder', budget, { limit: 'usd', amount: '1.2 of 1 USD' }, nowMs)
  expect(refusal).toMatchObject({ status: 429, retryAfterS: 60 })
  expect(JSON.parse(refusalBody(refusal))).toEqual({
    error: {
      message:
        'the budget of profile "coder" is spent: 1.2 of 1 USD this day; requests are forwarded again from ' +
        "2026-12-01T00:00:00.000Z, or after: hermes -p coder config set budget '{…}'",
      type: 'insufficient_quota',
      param: null,
      code: 'budget_spent',
    },
  })
  const ofTask = taskBudgetSpent('coder', 't_1', { limit: 'task_usd', amount: '2 of 1 USD' })
  expect([ofTask.status, ofTask.retryAfterS, ofTask.code]).toEqual([403, undefined, 'task_budget_spent'])
})

test('small amounts keep their digits', () => {
  expect([0, 27_500, 100_000, 5_021_300_000].map(usdText)).toEqual(['0.0000', '0.0000275', '0.0001', '5.0213'])
})
