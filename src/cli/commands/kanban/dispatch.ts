/** Dispatcher commands: run one tick, show its state, explain why a task waits. */
import { type Dispatched, dispatchOnce, planDispatch } from '../../../kanban/dispatch/dispatch.ts'
import { readDispatchState } from '../../../kanban/dispatch/dispatch-state.ts'
import { explainTask, noDispatcher, withJobs } from '../../../kanban/dispatch/explain.ts'
import { readWrittenRules } from '../../../kanban/dispatch/settings.ts'
import { reportText } from '../../../kanban/report.ts'
import { isBusy, verdictOf } from '../../../kanban/verdict.ts'
import { EXIT } from '../../../system/errors.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import type { Command, Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { BOARD, dispatchBase, ID, onBoard, onBoardIfAny, wholeOption } from './shared.ts'

const NO_SUPERVISOR = { [EXIT.noSupervisor]: 'the supervisor is not running' }

export const DISPATCH_COMMANDS: readonly Command[] = [
  {
    path: 'kanban dispatch',
    summary: 'Run one tick now: collect the results of finished workers and start tasks that may start',
    options: [
      { long: '--dry-run', help: 'print what a tick would do without doing it; needs no supervisor' },
      { long: '--max', value: 'N', help: 'run at most N tasks on the board' },
      {
        long: '--failure-limit',
        value: 'N',
        help: 'block a task after N failures; default: kanban.failure_limit',
      },
      BOARD,
    ],
    exits: NO_SUPERVISOR,
    run: dispatch,
  },
  {
    path: 'kanban dispatch-status',
    summary: "Show the state and health of the board's dispatcher",
    options: [BOARD],
    run: status,
  },
  {
    path: 'kanban why',
    summary: 'Explain in one line why a task is not running',
    arguments: [ID],
    options: [BOARD],
    run: explain,
  },
]

async function dispatch(context: Context, input: Input): Promise<Outcome> {
  const dryRun = input.options['dry-run'] === true
  const max = wholeOption(input, 'max', 0)
  const failureLimit = wholeOption(input, 'failure-limit', 1)
  const options = { ...(max === undefined ? {} : { max }), ...(failureLimit === undefined ? {} : { failureLimit }) }
  return onBoardIfAny(context, input, dryRun ? 'read' : 'write', async (board, isThere) => {
    const done: Dispatched = await withJobs(context.connect, (jobs) =>
      (dryRun || !isThere ? planDispatch : dispatchOnce)({ ...dispatchBase(context), board, jobs, ...options }),
    )
    for (const warning of done.warnings) context.output.err(`${warning}\n`)
    const { report, rules } = done
    const reasons = done.decision?.reasons
    const assigneeOf = (id: string): string | null => {
      const reason = reasons?.get(id)
      return reason?.why === 'unconfigured' ? reason.assignee : null
    }
    const text = reportText(report, { dryRun, defaultAssignee: rules.defaultAssignee, assigneeOf })
    return { text: plainText(text), json: report }
  })
}

async function explain(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.args
  const facts = { ...dispatchBase(context), connect: context.connect }
  const answer = await onBoard(context, input, 'read', (board) => explainTask(facts, board, id))
  return { text: plainText(`${answer.text}\n`), json: answer }
}

const TICKS_UNTIL_OVERDUE = 3

async function status(context: Context, input: Input): Promise<Outcome> {
  const written = readWrittenRules(context.home)
  const missing = await noDispatcher(context.home, context.connect)
  return onBoardIfAny(context, input, 'read', async (board) => {
    const { decision, rules, warnings } = await withJobs(context.connect, (jobs) =>
      planDispatch({ ...dispatchBase(context), board, jobs }),
    )
    const last = readDispatchState(context.home, board.place.slug)
    const counts = await board.statusCounts()
    const running = await board.runningByAssignee()
    const sinceMs = last === undefined ? Number.POSITIVE_INFINITY : context.clock.wallMs() - last.atMs
    const overdue =
      decision.report.spawned.length > 0 && sinceMs > TICKS_UNTIL_OVERDUE * written.dispatchIntervalSeconds * 1000
    const verdict = verdictOf(isBusy(decision), last?.starvedTicks ?? 0, overdue)
    const json = {
      board: board.place.slug,
      enabled: written.dispatchInGateway,
      dispatching: missing === null,
      ...(missing === null ? {} : { why_not: missing }),
      ...(last === undefined ? {} : { host: last.host, pid: last.pid, last_tick: new Date(last.atMs).toISOString() }),
      interval: written.dispatchIntervalSeconds * 1000,
      queue: {
        ready: counts.ready ?? 0,
        todo: counts.todo ?? 0,
        scheduled: counts.scheduled ?? 0,
        running: counts.running ?? 0,
      },
      running,
      caps: { max_in_progress: rules.maxInProgress, max_in_progress_per_profile: rules.maxInProgressPerProfile },
      ...(rules.pools.size === 0 ? {} : { pools: Object.fromEntries(rules.pools) }),
      default_assignee: rules.defaultAssignee,
      verdict,
      ...(last?.lastError == null ? {} : { last_error: last.lastError }),
      ...(last?.report == null ? {} : { last_report: last.report }),
    }
    for (const warning of warnings) context.output.err(`${warning}\n`)
    return { text: plainText(statusText(json)), json }
  })
}

interface StatusJson {
  readonly board: string
  readonly enabled: boolean
  readonly dispatching: boolean
  readonly why_not?: string
  readonly host?: string
  readonly pid?: number
  readonly last_tick?: string
  readonly queue: Readonly<Record<string, number>>
  readonly running: Readonly<Record<string, number>>
  readonly caps: Readonly<Record<string, number | null>>
  readonly pools?: Readonly<Record<string, number>>
  readonly default_assignee: string | null
  readonly verdict: string
  readonly last_error?: string
  readonly last_report?: object
}

function statusText(status: StatusJson): string {
  const pairs = (facts: Readonly<Record<string, number | null>>): string =>
    Object.entries(facts)
      .map(([name, value]) => `${name === '' ? 'unassigned' : name} ${value ?? '-'}`)
      .join(', ') || 'none'
  const buckets = Object.entries(status.last_report ?? {}).flatMap(([name, value]) => {
    const n = Array.isArray(value) ? value.length : Number(value)
    return n === 0 ? [] : [`${name} ${n}`]
  })
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['board', status.board],
    ['enabled', status.enabled ? 'yes' : 'no (kanban.dispatch_in_gateway is false)'],
    ['dispatcher', status.dispatching ? 'slot dispatcher' : status.why_not],
    [
      'last tick',
      status.last_tick === undefined ? 'none yet' : `${status.last_tick} on ${status.host} (pid ${status.pid})`,
    ],
    ['queue', pairs(status.queue)],
    ['running', pairs(status.running)],
    ['caps', pairs(status.caps)],
    ['pools', status.pools && pairs(status.pools)],
    ['default', status.default_assignee ?? '-'],
    ['last error', status.last_error],
    ['verdict', status.verdict],
    ['buckets', status.last_report === undefined ? undefined : buckets.join(', ') || 'all empty'],
  ]
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(11)}${value}\n`])).join('')
}
