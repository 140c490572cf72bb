/** The usage of the profiles of a home, with their budgets. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../profile/config/config.ts'
import type { Budget } from '../../profile/config/kinds/kinds.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import { dayOf, periodStart, reachedLimit, type Spent } from '../budget.ts'
import { amountsJson, type Grouping, groupUsage, KEY_NAMES, totalUsage, type UsageGroup } from '../report.ts'
import type { UsageRow } from '../row.ts'
import { openUsage, type UsageReader, usageFile } from './ledger.ts'

export const DEFAULT_DAYS = 30
export const MOST_DAYS = 36_500
const DAY_MS = 86_400_000

export interface UsageQuestion {
  /** Days in UTC, with today. */
  readonly days: number
  readonly wallMs: number
  readonly sees: (profile: string) => boolean
}

export interface HomeUsage {
  /** The first day, `2026-11-30`. */
  readonly since: string
  readonly rows: readonly UsageRow[]
  readonly budgets: readonly BudgetState[]
}

export interface BudgetState {
  readonly profile: string
  readonly budget: Budget
  /** The first day of the period. */
  readonly since: string
  readonly spent: Spent
}

/** @throws HermesError: the file of the meter cannot be read */
export function usageOfHome(home: string, { days, wallMs, sees }: UsageQuestion): HomeUsage {
  const since = dayOf(wallMs - (days - 1) * DAY_MS)
  // A reader must not make the file: the meter has not counted anything yet.
  const reader = existsSync(usageFile(home)) ? openUsage(home) : undefined
  try {
    const rows = (reader?.rows(since) ?? []).filter(({ profile }) => sees(profile))
    return { since, rows, budgets: budgetsOf(home, reader, wallMs).filter(({ profile }) => sees(profile)) }
  } finally {
    reader?.close()
  }
}

/** Of each profile that has a budget now. */
const budgetsOf = (home: string, reader: UsageReader | undefined, wallMs: number): readonly BudgetState[] =>
  listProfiles(home).profiles.flatMap(({ name, dir }) => {
    const { budget } = loadConfig(join(dir, 'config.yaml')).config
    if (budget === null) return []
    const since = periodStart(budget, dayOf(wallMs))
    return [{ profile: name, budget, since, spent: reader?.spent(name, since) ?? { nanos: 0, tokens: 0 } }]
  })

/** Of `hermes usage --json` and `/api/usage`. */
export const usageJson = ({ since, rows, budgets }: HomeUsage, by: Grouping) => ({
  since,
  by,
  groups: groupUsage(rows, by).map((group) => ({ ...keyJson(group, by), ...amountsJson(group) })),
  total: amountsJson(totalUsage(rows)),
  budgets: budgets.map(budgetJson),
})

const keyJson = ({ key }: UsageGroup, by: Grouping): Readonly<Record<string, string | null>> =>
  Object.fromEntries(KEY_NAMES[by].map((name, at) => [name, key[at] || null]))

const budgetJson = ({ profile, budget, since, spent }: BudgetState) => ({
  profile,
  per: budget.per,
  since,
  usd: budget.usd,
  tokens: budget.tokens,
  task_usd: budget.taskUsd,
  spent_usd: spent.nanos / 1e9,
  spent_tokens: spent.tokens,
  spent: reachedLimit(budget, spent) !== undefined,
})
