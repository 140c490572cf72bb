/** Commands about what profiles have used of their endpoints, as the meter has counted it. */
import { reachedLimit, usdText } from '../../../meter/budget.ts'
import { type BudgetState, DEFAULT_DAYS, MOST_DAYS, usageJson, usageOfHome } from '../../../meter/ledger/home-usage.ts'
import type { MeterBundle } from '../../../meter/proxy/meter-program.ts'
import {
  GROUPINGS,
  type Grouping,
  groupUsage,
  isPriced,
  KEY_NAMES,
  totalUsage,
  type UsageGroup,
} from '../../../meter/report.ts'
import type { UsageRow } from '../../../meter/row.ts'
import { HermesError } from '../../../system/errors.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import { type Command, type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import { meterFacts } from '../../context/dispatcher-facts.ts'
import type { Outcome } from '../../terminal/output.ts'
import { table } from '../../view/slots-view.ts'

export const USAGE_COMMANDS: readonly Command[] = [
  {
    path: 'usage',
    summary: 'Show the tokens and the money that profiles have used, and how much of their budgets is left',
    options: [
      { long: '--by', value: 'WHAT', help: `group by ${GROUPINGS.join(', ')}; default: profile`, completes: GROUPINGS },
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
  const usage = usageOfHome(context.home, {
    days,
    wallMs: context.clock.wallMs(),
    sees: (name) => profile === undefined || name === profile,
  })
  const { since, rows, budgets } = usage
  const groups = groupUsage(rows, by)
  return {
    text: plainText(usageText(groups, rows, by, since) + budgets.map(budgetLine).join('')),
    json: usageJson(usage, by),
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

function budgetLine({ profile, budget, spent }: BudgetState): string {
  const parts = [
    ...(budget.usd === null ? [] : [`${usdText(spent.nanos)} of ${budget.usd} USD`]),
    ...(budget.tokens === null ? [] : [`${spent.tokens} of ${budget.tokens} tokens`]),
  ]
  if (parts.length === 0) return `budget of ${profile}: ${budget.taskUsd} USD for each task\n`
  const isSpent = reachedLimit(budget, spent) !== undefined
  return `budget of ${profile}: ${parts.join(', ')} this ${budget.per}${isSpent ? ': spent, its requests are refused' : ''}\n`
}
