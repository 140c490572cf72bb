// After a storm: what the board and the workers' own account say must agree, and be right. Pure.
import type { Life } from './account.ts'
import { capViolations } from './caps.ts'
import { type GatewayFacts, gatewayViolations } from './gateways.ts'
import { lifeViolations } from './lives.ts'

export interface CheckedTask {
  readonly id: string
  readonly status: string
  readonly failures: number
  readonly last_error: string | null
}

export interface CheckedRun {
  readonly id: number
  readonly task_id: string
  readonly profile: string
  readonly outcome: string | null
  readonly ended_at: number | null
  readonly error: string | null
}

export interface CheckedEvent {
  readonly id: number
  readonly task_id: string
  readonly run_id: number | null
  readonly kind: string
}

/** A node that was stopped as a whole, and did not notice. Instants are those of the machine's clock, ms. */
export interface Pause {
  readonly node: string
  readonly fromMs: number
  readonly toMs: number
}

/** The facts after a storm. Rows are those of an exported board. */
export interface StormFacts extends GatewayFacts {
  /** Tasks that were made: id → whether with `--once`. */
  readonly made: ReadonlyMap<string, { readonly once: boolean }>
  readonly tasks: readonly CheckedTask[]
  readonly links: readonly { readonly parent: string; readonly child: string }[]
  readonly runs: readonly CheckedRun[]
  /** In the order of their ids. */
  readonly events: readonly CheckedEvent[]
  readonly lives: readonly Life[]
  readonly pauses: readonly Pause[]
  readonly caps: { readonly perProfile: number; readonly board: number }
  /** After a pause, how long a node may take to end the workers that it should not have any more. */
  readonly windowMs: number
}

export interface Violation {
  readonly rule:
    | 'lost'
    | 'unfinished'
    | 'completed twice'
    | 'completed without work'
    | 'a fault of the machine blamed on the task'
    | 'a child before its parent'
    | 'a cap passed'
    | 'once, and run twice'
    | 'two live runs'
    | 'outlived its run'
    | 'an unknown run'
    | 'one run begun twice'
    | 'a gateway is not up'
    | 'a gateway where none is wanted'
    | 'a gateway was restarted'
    | 'two live gateways'
  /** Its id, or `gateway PROFILE`. */
  readonly task: string
  readonly text: string
}

/** Ends of a run that a worker of a storm never causes by itself: it always exits with 0, unless it is stopped. */
const BLAME = new Set(['crashed', 'timed_out', 'stale', 'spawn_failed', 'rate_limited', 'auto_blocked'])

export function check(facts: StormFacts): readonly Violation[] {
  return [
    ...taskViolations(facts),
    ...completionViolations(facts),
    ...orderViolations(facts),
    ...capViolations(facts),
    ...lifeViolations(facts),
    ...gatewayViolations(facts),
  ]
}

/** Each task is there, and done; one that was made with `--once` may be blocked, with the reason. */
function taskViolations({ made, tasks }: StormFacts): readonly Violation[] {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const lost = [...made.keys()].filter((id) => !byId.has(id))
  const unfinished = tasks.filter(({ id, status, last_error }) => {
    const isBlocked = made.get(id)?.once === true && status === 'blocked' && (last_error ?? '') !== ''
    return status !== 'done' && !isBlocked
  })
  return [
    ...lost.map((task): Violation => ({ rule: 'lost', task, text: 'the board does not have it' })),
    ...unfinished.map(
      ({ id, status, failures, last_error }): Violation => ({
        rule: 'unfinished',
        task: id,
        text: `it is ${status}, with ${failures} failures; last error: ${last_error ?? 'none'}`,
      }),
    ),
  ]
}

/** A task is completed once, by a run whose worker has finished, and no fault of the machine is its failure. */
function completionViolations({ made, tasks, runs, events, lives }: StormFacts): readonly Violation[] {
  const completions = new Map<string, number>()
  for (const { task_id, kind } of events)
    if (kind === 'completed') completions.set(task_id, (completions.get(task_id) ?? 0) + 1)
  const finished = new Set(lives.filter((life) => life.finished).map(({ run }) => run))
  const completing = new Map(runs.filter(({ outcome }) => outcome === 'completed').map((run) => [run.task_id, run.id]))
  const violations: Violation[] = []
  for (const { id, status } of tasks) {
    const times = completions.get(id) ?? 0
    if (times > 1) violations.push({ rule: 'completed twice', task: id, text: `completed ${times} times` })
    const run = completing.get(id)
    if (status === 'done' && (run === undefined || !finished.has(run)))
      violations.push({
        rule: 'completed without work',
        task: id,
        text: run === undefined ? 'no run completed it' : `the worker of run ${run} has not finished`,
      })
  }
  for (const { task_id, run_id, kind } of events)
    if (BLAME.has(kind) && !(kind === 'auto_blocked' && made.get(task_id)?.once === true))
      violations.push({
        rule: 'a fault of the machine blamed on the task',
        task: task_id,
        text: `run ${run_id ?? '?'}: ${kind}`,
      })
  return violations
}

/** A task is claimed only when each of its parents is completed. */
function orderViolations({ events, links }: StormFacts): readonly Violation[] {
  const completedBy = new Map<string, number>()
  const claimedFrom = new Map<string, number>()
  for (const { id, task_id, kind } of events) {
    if (kind === 'completed' && !completedBy.has(task_id)) completedBy.set(task_id, id)
    if (kind === 'claimed' && !claimedFrom.has(task_id)) claimedFrom.set(task_id, id)
  }
  return links.flatMap(({ parent, child }): readonly Violation[] => {
    const claimed = claimedFrom.get(child)
    const completed = completedBy.get(parent)
    if (claimed === undefined || (completed !== undefined && completed < claimed)) return []
    return [{ rule: 'a child before its parent', task: child, text: `claimed before ${parent} was completed` }]
  })
}
