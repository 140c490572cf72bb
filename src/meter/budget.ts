/** Whether a budget lets another request out. Pure. */
import type { Budget } from '../profile/config/kinds/kinds.ts'
import { NANOS_PER_USD } from './prices.ts'

/** Sums of what was counted. */
export interface Spent {
  readonly nanos: number
  readonly tokens: number
}

export const NOTHING_SPENT: Spent = { nanos: 0, tokens: 0 }

/** One limit of a budget that has been reached, or the share of it from which a warning is given. */
export interface Reached {
  readonly limit: 'usd' | 'tokens' | 'task_usd'
  /** `5.02 of 5 USD`, `1001 of 1000 tokens`. */
  readonly amount: string
}

/** `2026-11-30`, in UTC: days of all containers begin at the same moment. @param wallMs Unix ms */
export const dayOf = (wallMs: number): string => new Date(wallMs).toISOString().slice(0, 10)

/** The first day of the period that a day is in. */
export const periodStart = ({ per }: Pick<Budget, 'per'>, day: string): string =>
  per === 'day' ? day : `${day.slice(0, 8)}01`

/** When the period ends and counting begins anew, Unix ms. */
export function periodEndMs({ per }: Pick<Budget, 'per'>, wallMs: number): number {
  const now = new Date(wallMs)
  return per === 'day'
    ? Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1)
    : Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)
}

/** The first limit of the period that is reached, if one is. @param share 1: the limit itself; less: a part of it */
export function reachedLimit({ usd, tokens }: Budget, spent: Spent, share = 1): Reached | undefined {
  if (usd !== null && spent.nanos >= usd * share * NANOS_PER_USD)
    return { limit: 'usd', amount: usdOf(spent.nanos, usd) }
  if (tokens !== null && spent.tokens >= tokens * share)
    return { limit: 'tokens', amount: `${spent.tokens} of ${tokens} tokens` }
  return undefined
}

/** Likewise for one task, over all of its runs. */
export const reachedTaskLimit = ({ taskUsd }: Budget, spent: Spent, share = 1): Reached | undefined =>
  taskUsd !== null && spent.nanos >= taskUsd * share * NANOS_PER_USD
    ? { limit: 'task_usd', amount: usdOf(spent.nanos, taskUsd) }
    : undefined

const usdOf = (nanos: number, limit: number): string => `${usdText(nanos)} of ${limit} USD`

/** `0.0123`: as many digits as keep an amount from looking like nothing, four at least after the point. */
export const usdText = (nanos: number): string => {
  const usd = nanos / NANOS_PER_USD
  return nanos > 0 && nanos < NANOS_PER_USD / 1e4 ? usd.toFixed(9).replace(/0+$/, '') : usd.toFixed(4)
}

/**
 * What an answer has changed: `limit` if it was the one that reached a limit, `warning` if it was the one that passed
 * the share `warn_at` of one. Each is reported once in a period, also over restarts, because only sums decide.
 */
export function crossed(
  reached: (spent: Spent, share: number) => Reached | undefined,
  warnAt: number,
  before: Spent,
  after: Spent,
): { readonly kind: 'limit' | 'warning'; readonly reached: Reached } | undefined {
  const limit = reached(after, 1)
  if (limit !== undefined) return reached(before, 1) === undefined ? { kind: 'limit', reached: limit } : undefined
  const warning = reached(after, warnAt)
  if (warning === undefined || reached(before, warnAt) !== undefined) return undefined
  return { kind: 'warning', reached: warning }
}
