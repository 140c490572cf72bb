import { useSignal } from '@preact/signals'
import type { Usage as UsageAnswer } from '../../contract/usage.ts'
import { plural } from '../core/format.ts'
import { Empty, FailureMessage } from '../parts/failure.tsx'
import { useApp } from '../stores/app-context.ts'
import { useLoaded } from '../stores/async.ts'

type By = UsageAnswer['by']
type Budget = UsageAnswer['budgets'][number]

const TITLES: Readonly<Record<By, string>> = { profile: 'Profile', task: 'Task', day: 'Day', model: 'Model' }
/** Columns besides the profile, by what is grouped by. */
const KEYS: Readonly<Record<By, readonly ('day' | 'board' | 'task' | 'model')[]>> = {
  profile: [],
  task: ['board', 'task'],
  day: ['day'],
  model: ['model'],
}

const usd = (amount: number | undefined): string => (amount === undefined ? '–' : `$${amount.toFixed(4)}`)
const tokens = (count: number): string => count.toLocaleString('en')

/** Usage of endpoints by profile in the last 30 days, and the part of each budget that is left. */
export function Usage() {
  const by = useSignal<By>('profile')
  return (
    <div class="page">
      <header class="page-head">
        <div class="title">
          <h1>Usage</h1>
          <select
            aria-label="Group by"
            value={by.value}
            onChange={({ currentTarget }) => {
              by.value = currentTarget.value as By
            }}
          >
            {(Object.keys(TITLES) as By[]).map((one) => (
              <option key={one} value={one}>
                By {TITLES[one].toLowerCase()}
              </option>
            ))}
          </select>
        </div>
      </header>
      <Amounts key={by.value} by={by.value} />
    </div>
  )
}

function Amounts({ by }: { readonly by: By }) {
  const { client } = useApp()
  const { value, failure, reload } = useLoaded(by, () => client.get<UsageAnswer>(`/api/usage?by=${by}`))
  const usage = value.value
  if (failure.value) return <FailureMessage failure={failure.value} again={() => void reload()} />
  if (usage === undefined) return null
  return (
    <>
      {usage.budgets.map((budget) => (
        <BudgetLine key={budget.profile} budget={budget} />
      ))}
      {usage.groups.length === 0 ? (
        <Empty
          title="Nothing has been counted"
          hint={`No request has gone through the meter since ${usage.since} (UTC).`}
        />
      ) : (
        <Groups usage={usage} />
      )}
    </>
  )
}

function BudgetLine({ budget }: { readonly budget: Budget }) {
  const { profile, per, spent } = budget
  const parts = [
    ...(budget.usd === null ? [] : [`${usd(budget.spent_usd)} of $${budget.usd}`]),
    ...(budget.tokens === null ? [] : [`${tokens(budget.spent_tokens)} of ${plural(budget.tokens, 'token')}`]),
  ]
  return (
    <p class={spent ? 'warn' : ''}>
      <strong>{profile}</strong>{' '}
      {parts.length === 0 ? `$${budget.task_usd} for each task` : `${parts.join(', ')} this ${per}`}
      {spent && ': spent, its requests are refused'}
    </p>
  )
}

function Groups({ usage }: { readonly usage: UsageAnswer }) {
  const keys = KEYS[usage.by]
  const { total } = usage
  return (
    <div class="table-box">
      <table>
        <thead>
          <tr>
            <th>Profile</th>
            {keys.map((key) => (
              <th key={key}>{key === 'day' ? 'Day (UTC)' : key === 'board' ? 'Board' : TITLES[key]}</th>
            ))}
            <th>Requests</th>
            <th>Input</th>
            <th>Output</th>
            <th>USD</th>
          </tr>
        </thead>
        <tbody>
          {usage.groups.map((group) => (
            <tr key={[group.profile, ...keys.map((key) => group[key])].join('/')}>
              <td>{group.profile}</td>
              {keys.map((key) => (
                <td key={key} class="mono">
                  {group[key] ?? '–'}
                </td>
              ))}
              <td class="number">{group.requests}</td>
              <td class="number">{tokens(group.input_tokens)}</td>
              <td class="number">{tokens(group.output_tokens)}</td>
              <td class="number">{usd(group.usd)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th>Since {usage.since}</th>
            {keys.map((key) => (
              <td key={key} />
            ))}
            <td class="number">{total.requests}</td>
            <td class="number">{tokens(total.input_tokens)}</td>
            <td class="number">{tokens(total.output_tokens)}</td>
            <td class="number">{usd(total.usd)}</td>
          </tr>
        </tfoot>
      </table>
    </div>
  )
}
