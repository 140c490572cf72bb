/** Commands about what profiles have used of their endpoints, as the meter has counted it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { dayOf, periodStart, reachedLimit, usdText } from '../../../meter/budget.ts'
import { openUsage, type UsageReader, usageFile } from '../../../meter/ledger/ledger.ts'
import type { MeterBundle } from '../../../meter/proxy/meter-program.ts'
import {
  amountsJson,
  GROUPINGS,
  type Grouping,
  groupUsage,
  isPriced,
  KEY_NAMES,
  totalUsage,
  type UsageGroup,
} from '../../../meter/report.ts'
import type { UsageRow } from '../../../meter/row.ts'
import { loadConfig } from '../../../profile/config/config.ts'
import type { Budget } from '../../../profile/config/kinds.ts'
import { listProfiles } from '../../../profile/directory/disk.ts'
import { HermesError } from '../../../system/errors.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import { type Command, type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import { meterFacts } from '../../context/dispatcher-facts.ts'
import type { Outcome } from '../../terminal/output.ts'
import { table } from '../../view/slots-view.ts'

const DEFAULT_DAYS = 30
const MOST_DAYS = 36_500
const DAY_MS = 86_400_000

export const USAGE_COMMANDS: readonly Command[] = [
  {
    path: 'usage',
    summary: 'Show the tokens and the money that profiles have used, and how much of their budgets is left',
    options: [
      { long: '--by', value: 'WHAT', help: `group by ${GROUPINGS.join(', ')}; default: profile` },
      { long: '--days', value: 'N', help: `the last N days, in UTC, with today; default: ${DEFAULT_DAYS}` },
    ],
    details:
      'With -p NAME: one profile. Only requests through the meter count: those of profiles with a budget or agent.meter.\n' +
      'UNCOUNTED requests have answers that did not say what they used, or did not come to their end.\n' +
      'USD leaves out models without a price; prices.yaml in the data directory adds them.',
    run: show,
  },
  {
    path: 'meter',
    summary: 'Run the meter, which forwards and counts requests of profiles (the meter slot runs this command)',
    run: async (context) => {
      const { meterProgram } = require('#bundle/meter.cjs') as MeterBundle
      return { exitCode: await meterProgram(meterFacts(context)) }
    },
  },
]

function show(context: Context, input: Input): Outcome {
  const by = groupingOf(input)
  const days = daysOf(input)
  const profile = context.requestedProfile === undefined ? undefined : context.profile().name
  const wallMs = context.clock.wallMs()
  const since = dayOf(wallMs - (days - 1) * DAY_MS)
  // A command must not make the file: the meter has not counted anything yet.
  const reader = existsSync(usageFile(context.home)) ? openUsage(context.home) : undefined
  try {
    const rows = reader?.rows(since, profile) ?? []
    const budgets = budgetsOf(context, reader, profile, wallMs)
    const groups = groupUsage(rows, by)
    return {
      text: plainText(usageText(groups, rows, by, since) + budgets.map(budgetLine).join('')),
      json: {
        since,
        by,
        groups: groups.map((group) => ({ ...keyJson(group, by), ...amountsJson(group) })),
        total: amountsJson(totalUsage(rows)),
        budgets: budgets.map(budgetJson),
      },
    }
  } finally {
    reader?.close()
  }
}

function groupingOf(input: Input): Grouping {
  const by = textOption(input, 'by') ?? 'profile'
  const found = GROUPINGS.find((name) => name === by)
  if (found !== undefined) return found
  throw new HermesError('USAGE', `--by must be one of ${GROUPINGS.join(', ')}, not ${JSON.stringify(by.slice(0, 80))}`)
}

function daysOf(input: Input): number {
  const text = textOption(input, 'days')
  const days = text === undefined ? DEFAULT_DAYS : Number(text)
  if (/^\d+$/.test(text ?? '1') && days >= 1 && days <= MOST_DAYS) return days
  throw new HermesError('USAGE', `--days expects a whole number from 1 to ${MOST_DAYS}, not ${JSON.stringify(text)}`)
}

const keyJson = ({ key }: UsageGroup, by: Grouping) =>
  Object.fromEntries(KEY_NAMES[by].map((name, at) => [name, key[at] === '' ? null : key[at]]))

function usageText(groups: readonly UsageGroup[], rows: readonly UsageRow[], by: Grouping, since: string): string {
  if (groups.length === 0) return `Nothing has been counted since ${since} (UTC).\n`
  const header = [...KEY_NAMES[by], 'requests', 'uncounted', 'input', 'cached', 'output', 'usd']
  const line = (key: readonly string[], amounts: Omit<UsageGroup, 'key'>): readonly string[] => [
    ...key.map((text) => text || '-'),
    ...[amounts.requests, amounts.uncounted, amounts.inputTokens, amounts.cachedTokens, amounts.outputTokens].map(
      String,
    ),
    isPriced(amounts) ? usdText(amounts.nanos) : '-',
  ]
  const total = totalUsage(rows)
  const totals =
    groups.length > 1
      ? [
          line(
            KEY_NAMES[by].map((_, at) => (at === 0 ? 'total' : '')),
            total,
          ),
        ]
      : []
  const note =
    total.unpricedTokens > 0 ? `${total.unpricedTokens} tokens are of models without a price, and not in USD.\n` : ''
  return (
    table([header.map((name) => name.toUpperCase()), ...groups.map(({ key, ...a }) => line(key, a)), ...totals]) + note
  )
}

interface BudgetState {
  readonly profile: string
  readonly budget: Budget
  readonly since: string
  readonly spent: ReturnType<UsageReader['spent']>
}

/** Of each profile that has a budget now. */
function budgetsOf(
  { home }: Context,
  reader: UsageReader | undefined,
  only: string | undefined,
  wallMs: number,
): readonly BudgetState[] {
  return listProfiles(home).profiles.flatMap(({ name, dir }) => {
    if (only !== undefined && only !== name) return []
    const { budget } = loadConfig(join(dir, 'config.yaml')).config
    if (budget === null) return []
    const since = periodStart(budget, dayOf(wallMs))
    return [{ profile: name, budget, since, spent: reader?.spent(name, since) ?? { nanos: 0, tokens: 0 } }]
  })
}

function budgetLine({ profile, budget, spent }: BudgetState): string {
  const parts = [
    ...(budget.usd === null ? [] : [`${usdText(spent.nanos)} of ${budget.usd} USD`]),
    ...(budget.tokens === null ? [] : [`${spent.tokens} of ${budget.tokens} tokens`]),
  ]
  if (parts.length === 0) return `budget of ${profile}: ${budget.taskUsd} USD for each task\n`
  const isSpent = reachedLimit(budget, spent) !== undefined
  return `budget of ${profile}: ${parts.join(', ')} this ${budget.per}${isSpent ? ': spent, its requests are refused' : ''}\n`
}

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
