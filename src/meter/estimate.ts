/**
 * Estimates the use of a request before its answer reports it: requests side by side must not pass a limit together.
 * Pure.
 */
import type { Spent } from './budget.ts'
import { costNanos, type Prices } from './prices.ts'
import type { MeteredQuestion } from './question.ts'

/** Of a request that names no limit, while its profile has had no larger answer. */
export const USUAL_OUTPUT_TOKENS = 4096
/** English text has about four bytes for each token. */
const BYTES_PER_TOKEN = 4

/**
 * @param largestOutput tokens of the largest answer that the profile has had
 * @returns no cost for a model without a price, as when it is counted
 */
export function estimate(
  { body, model, mostOutputTokens }: MeteredQuestion,
  largestOutput: number,
  prices: Prices,
): Spent {
  const inputTokens = Math.ceil(body.length / BYTES_PER_TOKEN)
  const outputTokens = mostOutputTokens ?? Math.max(USUAL_OUTPUT_TOKENS, largestOutput)
  const usage = { inputTokens, cachedTokens: 0, outputTokens }
  return { nanos: costNanos({ usage, model }, model, prices) ?? 0, tokens: inputTokens + outputTokens }
}

export const sumOf = (amounts: readonly Spent[]): Spent => ({
  nanos: amounts.reduce((sum, { nanos }) => sum + nanos, 0),
  tokens: amounts.reduce((sum, { tokens }) => sum + tokens, 0),
})
