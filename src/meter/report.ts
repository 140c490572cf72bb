/** Sums of usage for people and programs. Pure. */
import { NANOS_PER_USD } from './prices.ts'
import type { UsageRow } from './row.ts'

export const GROUPINGS = ['profile', 'task', 'day', 'model'] as const
export type Grouping = (typeof GROUPINGS)[number]

type Amounts = Omit<UsageRow, 'day' | 'profile' | 'board' | 'task' | 'model'>

export interface UsageGroup extends Amounts {
  /** The values of what is grouped by, such as the profile and the task. */
  readonly key: readonly string[]
}

const NONE: Amounts = {
  requests: 0,
  uncounted: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  nanos: 0,
  unpricedTokens: 0,
}

const add = (a: Amounts, b: Amounts): Amounts => ({
  requests: a.requests + b.requests,
  uncounted: a.uncounted + b.uncounted,
  inputTokens: a.inputTokens + b.inputTokens,
  cachedTokens: a.cachedTokens + b.cachedTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  nanos: a.nanos + b.nanos,
  unpricedTokens: a.unpricedTokens + b.unpricedTokens,
})

const KEYS: Readonly<Record<Grouping, (row: UsageRow) => readonly string[]>> = {
  profile: ({ profile }) => [profile],
  task: ({ profile, board, task }) => [profile, board, task],
  day: ({ day, profile }) => [day, profile],
  model: ({ profile, model }) => [profile, model],
}

/** Column titles of {@link KEYS}. */
export const KEY_NAMES: Readonly<Record<Grouping, readonly string[]>> = {
  profile: ['profile'],
  task: ['profile', 'board', 'task'],
  day: ['day', 'profile'],
  model: ['profile', 'model'],
}

/** Sorted by key. Requests outside tasks are one group of their profile, with an empty task. */
export function groupUsage(rows: readonly UsageRow[], by: Grouping): readonly UsageGroup[] {
  const groups = new Map<string, UsageGroup>()
  for (const row of rows) {
    const key = KEYS[by](row)
    const name = key.join('\0')
    groups.set(name, { key, ...add(groups.get(name) ?? NONE, row) })
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
}

export const totalUsage = (rows: readonly UsageRow[]): Amounts => rows.reduce<Amounts>(add, NONE)

/** Of `hermes usage --json`. `usd` is absent where no token had a price. */
export const amountsJson = (amounts: Amounts) => ({
  requests: amounts.requests,
  uncounted_requests: amounts.uncounted,
  input_tokens: amounts.inputTokens,
  cached_input_tokens: amounts.cachedTokens,
  output_tokens: amounts.outputTokens,
  unpriced_tokens: amounts.unpricedTokens,
  ...(isPriced(amounts) && { usd: amounts.nanos / NANOS_PER_USD }),
})

/** At least some of it has a price; without any token, nothing is what it costs. */
export const isPriced = ({ inputTokens, outputTokens, unpricedTokens }: Amounts): boolean =>
  unpricedTokens === 0 || unpricedTokens < inputTokens + outputTokens
