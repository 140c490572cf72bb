import { existsSync } from 'node:fs'
import { dayOf, periodEndMs, periodStart, reachedLimit } from '../../meter/budget.ts'
import { openUsage, usageFile } from '../../meter/ledger/ledger.ts'
import type { Budget } from '../../profile/config/kinds/kinds.ts'
import { HermesError } from '../../system/errors.ts'
import type { Profiles } from '../nodes/profiles.ts'
import type { SpentBudget } from '../tick.ts'

/**
 * Budgets of profiles that are spent at the moment: their workers would only be refused by the meter. Looks once for
 * each profile, and opens no file for one without a budget.
 * @param wallMs by the clock of this machine, as the meter counts
 */
export function spentBudgets(
  home: string,
  profiles: Pick<Profiles, 'config' | 'directory'>,
  wallMs: number,
): (name: string) => SpentBudget | undefined {
  const known = new Map<string, SpentBudget | undefined>()
  return (name) => {
    if (!known.has(name)) {
      const { budget } = profiles.config(name)
      known.set(name, budget === null ? undefined : look(home, profiles.directory(name), budget, wallMs))
    }
    return known.get(name)
  }
}

function look(home: string, profile: string, budget: Budget, wallMs: number): SpentBudget | undefined {
  if (!existsSync(usageFile(home))) return undefined
  try {
    const usage = openUsage(home)
    try {
      const reached = reachedLimit(budget, usage.spent(profile, periodStart(budget, dayOf(wallMs))))
      return reached === undefined ? undefined : { amount: reached.amount, untilMs: periodEndMs(budget, wallMs) }
    } finally {
      usage.close()
    }
  } catch (error) {
    // The meter itself decides, and reports why it cannot read the file.
    if (error instanceof HermesError) return undefined
    throw error
  }
}
