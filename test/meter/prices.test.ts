import { expect, test } from 'vitest'
import { BUILT_IN_PRICES, costNanos, priceOf, readPrices } from '../../src/meter/prices.ts'

const counted = (model: string | undefined, inputTokens: number, cachedTokens: number, outputTokens: number) => ({
  usage: { inputTokens, cachedTokens, outputTokens },
  model,
})

test('cached tokens have a price of their own, and a sum of many small costs is exact', () => {
  // gpt-4o: 2.50, cached 1.25, output 10 USD for a million.
  expect(costNanos(counted('gpt-4o', 1_000_000, 400_000, 100_000), '', BUILT_IN_PRICES)).toBe(3_000_000_000)
  const one = costNanos(counted('gpt-5-nano', 1, 1, 0), '', BUILT_IN_PRICES)
  expect(one).toBe(5)
})

test('the model of the answer decides, then the one that was asked for; a model without a price has no cost', () => {
  expect(costNanos(counted('gpt-4o-2024-08-06', 1_000_000, 0, 0), 'x', BUILT_IN_PRICES)).toBe(2_500_000_000)
  expect(costNanos(counted('up-7b', 1_000_000, 0, 0), 'gpt-4o', BUILT_IN_PRICES)).toBe(2_500_000_000)
  expect(costNanos(counted(undefined, 1_000_000, 0, 0), 'gpt-4o', BUILT_IN_PRICES)).toBe(2_500_000_000)
  expect(costNanos(counted('up-7b', 1_000_000, 0, 0), 'mine', BUILT_IN_PRICES)).toBeUndefined()
  expect(priceOf('constructor', BUILT_IN_PRICES)).toBeUndefined()
})

test('an exact name comes before a pattern, and a longer pattern before a shorter one', () => {
  const { prices, problems } = readPrices(
    {
      'local/*': { input: 1, output: 1 },
      'local/big-*': { input: 2, output: 2, cached_input: 0.5 },
      'local/big-x': { input: 3, output: 3 },
    },
    'prices.yaml',
  )
  expect(problems).toEqual([])
  expect(['local/a', 'local/big-a', 'local/big-x'].map((name) => priceOf(name, prices))).toEqual([
    { input: 1, cachedInput: 1, output: 1 },
    { input: 2, cachedInput: 0.5, output: 2 },
    { input: 3, cachedInput: 3, output: 3 },
  ])
  expect(priceOf('gpt-4o', prices)).toEqual(BUILT_IN_PRICES['gpt-4o'])
})

test('an entry that is wrong is left out, with a line that names it and the expectation; the others count', () => {
  const { prices, problems } = readPrices(
    {
      a: { input: 1 },
      b: { input: -1, output: 1 },
      c: { input: 1, output: 1, price: 3 },
      'gpt-4o': { input: 9, output: 9 },
    },
    '/data/prices.yaml',
  )
  expect(problems).toHaveLength(3)
  expect(problems[0]).toMatch(/^\/data\/prices\.yaml: "a": expected \{input: .*; the entry is left out$/)
  expect(priceOf('gpt-4o', prices)?.input).toBe(9)
  expect(readPrices([1], 'p').problems).toEqual([expect.stringMatching(/^p: expected a map of models/)])
})
