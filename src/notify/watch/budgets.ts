/** Budgets that are spent, or nearly: each is reported once in its period. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { dayOf, periodStart, type Reached, reachedLimit, type Spent } from '../../meter/budget.ts'
import { openUsage, usageFile } from '../../meter/ledger/ledger.ts'
import { ConfigCache } from '../../profile/config/config.ts'
import type { Budget } from '../../profile/config/kinds/kinds.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import type { Observed } from '../notification.ts'
import type { Note } from '../outbox/outbox.ts'

export const BUDGET_NOTES = 'budget:'

export interface BudgetLook {
  /** The report for the outbox to remember; undefined: nothing new. */
  readonly reported?: string
  readonly observed?: Observed
}

/** @param reported as of the last look, if anything was */
export function lookAtBudget(
  profile: string,
  budget: Budget,
  spent: Spent,
  reported: unknown,
  wallMs: number,
): BudgetLook {
  const start = periodStart(budget, dayOf(wallMs))
  const limit = reachedLimit(budget, spent)
  const reached = limit ?? reachedLimit(budget, spent, budget.warnAt)
  if (reached === undefined) return {}
  const level = limit === undefined ? 'warning' : 'limit'
  if (reported === `${start} ${level}` || reported === `${start} limit`) return {}
  return {
    reported: `${start} ${level}`,
    observed: { event: 'budget', atMs: wallMs, profile, text: textOf(profile, budget, reached, limit !== undefined) },
  }
}

const textOf = (profile: string, { per }: Budget, { amount }: Reached, isSpent: boolean): string =>
  isSpent
    ? `the budget of ${profile} is spent: ${amount} this ${per}; its requests are refused`
    : `the budget of ${profile} is nearly spent: ${amount} this ${per}`

/** Looks at all profiles that have a budget. */
export class BudgetWatch {
  readonly #home: string
  readonly #reported: Map<string, unknown>
  readonly #budgets = new ConfigCache(({ config }) => config.budget)

  /** @param reported as the outbox has it, by profile */
  constructor(home: string, reported: ReadonlyMap<string, unknown>) {
    this.#home = home
    this.#reported = new Map(reported)
  }

  /** @throws HermesError: what was used cannot be read */
  look(wallMs: number): { readonly notes: readonly Note[]; readonly observed: readonly Observed[] } {
    const found = { notes: [] as Note[], observed: [] as Observed[] }
    // The meter has not counted anything yet.
    if (!existsSync(usageFile(this.#home))) return found
    const budgets = listProfiles(this.#home).profiles.flatMap(({ name, dir }) => {
      const budget = this.#budgets.of(join(dir, 'config.yaml'))
      return budget === null ? [] : [{ name, budget }]
    })
    if (budgets.length === 0) return found
    const usage = openUsage(this.#home)
    try {
      for (const { name, budget } of budgets) {
        const spent = usage.spent(name, periodStart(budget, dayOf(wallMs)))
        const { reported, observed } = lookAtBudget(name, budget, spent, this.#reported.get(name), wallMs)
        if (reported !== undefined) found.notes.push({ subject: `${BUDGET_NOTES}${name}`, value: reported })
        if (observed !== undefined) found.observed.push(observed)
      }
    } finally {
      usage.close()
    }
    return found
  }

  /** The outbox has what a look has found. */
  kept(notes: readonly Note[]): void {
    for (const { subject, value } of notes) this.#reported.set(subject.slice(BUDGET_NOTES.length), value)
  }
}
