/** The decisions about a change, which every adapter writes in its own way. */
import { randomBytes } from 'node:crypto'
import { HermesError } from '../../system/errors.ts'
import { type Operation, target } from '../operations.ts'
import { isClosed, type Outcome, readyOrTodo, type Status, type Task } from '../task.ts'
import type { Actor, ChangeOptions } from './board.ts'
import { CHANGES_REQUESTED } from './handover.ts'

/** An id for a new task; the board's other tasks may have it already. */
export const newTaskId = (): string => `t_${randomBytes(4).toString('hex')}`

/** Status of a new task. @param parents as they are inside the transaction that will write it */
export function statusOfNew(
  { triage, scheduledAtMs }: { readonly triage: boolean; readonly scheduledAtMs: number | null },
  parents: readonly Pick<Task, 'status'>[],
): Status {
  if (triage) return 'triage'
  if (scheduledAtMs !== null) return 'scheduled'
  return readyOrTodo(parents.filter(({ status }) => !isClosed(status)).length)
}

export interface PlannedChange {
  readonly status: Status
  /** The change is a worker's about its own task: it is not a person's. */
  readonly byWorker: boolean
  /** How the current run ends; null: there is none, or it goes on. */
  readonly ends: { readonly outcome: Outcome; readonly summary: string | null; readonly error: string | null } | null
  readonly event: { readonly kind: string; readonly payload: Readonly<Record<string, unknown>> }
  /** The new result as JSON; undefined: it stays as it is. */
  readonly resultJson: string | null | undefined
}

/**
 * Decides a change of the task as it is now, inside the transaction that will write it.
 * @throws HermesError REFUSED: not from its status, or the acting run is not the current one
 */
export function planChange(operation: Operation, task: Task, options: ChangeOptions, actor: Actor): PlannedChange {
  // A worker that was taken for dead must not finish, block or keep alive what another one has now.
  if (actor.runId !== undefined && actor.runId !== task.currentRun) {
    throw new HermesError('REFUSED', `cannot ${operation} ${task.id}: run ${actor.runId} is no longer its run`, {
      next: 'the task was taken back from this worker; stop working on it',
    })
  }
  const byWorker = actor.runId !== undefined
  const wanted = target(operation, task)
  const status = wanted === 'done' && byWorker && options.requireReview === true ? 'review' : wanted
  if (operation === 'heartbeat') {
    const payload = options.reason === undefined ? {} : { note: options.reason }
    return { status, byWorker, ends: null, event: { kind: 'heartbeat', payload }, resultJson: undefined }
  }
  if (operation === 'complete') requireResult(task, options)
  // The next attempt has to give a result of its own.
  const isAgain = task.status === 'review' && (status === 'ready' || status === 'todo')
  return {
    status,
    byWorker,
    resultJson: isAgain ? null : operation === 'complete' ? options.resultJson : undefined,
    ends: task.status === 'running' ? endOf(operation, options, actor) : null,
    event: { kind: eventKind(operation, status), payload: payloadOf(operation, task, status, options, actor) },
  }
}

function requireResult({ id, resultSchema, resultJson }: Task, options: ChangeOptions): void {
  if (resultSchema === null || options.resultJson !== undefined || resultJson !== null) return
  throw new HermesError('REFUSED', `cannot complete ${id} without a result that fits its schema`, {
    next: `hermes kanban complete ${id} --result-json FILE; "hermes kanban show ${id}" prints the schema`,
  })
}

const endOf = (operation: Operation, options: ChangeOptions, actor: Actor): PlannedChange['ends'] => ({
  outcome: operation === 'complete' ? 'completed' : operation === 'block' ? 'blocked' : 'reclaimed',
  summary: options.result ?? null,
  error: operation === 'complete' ? null : (options.reason ?? `${operation} by ${actor.name}`),
})

const KINDS: { readonly [O in Operation]: string } = {
  assign: 'assigned',
  reassign: 'reassigned',
  promote: 'promoted',
  schedule: 'scheduled',
  block: 'blocked',
  unblock: 'unblocked',
  complete: 'completed',
  'request-changes': CHANGES_REQUESTED,
  archive: 'archived',
  reclaim: 'reclaimed',
  heartbeat: 'heartbeat',
}

const eventKind = (operation: Operation, status: Status): string =>
  operation === 'complete' && status === 'review' ? 'review' : KINDS[operation]

const payloadOf = (
  operation: Operation,
  task: Task,
  status: Status,
  options: ChangeOptions,
  actor: Actor,
): Record<string, unknown> => ({
  by: actor.name,
  from: task.status,
  to: status,
  ...(options.assignee === undefined ? {} : { assignee: options.assignee }),
  ...(options.reason === undefined ? {} : { reason: options.reason }),
  ...(operation === 'schedule' ? { at: new Date(options.scheduledAtMs ?? 0).toISOString() } : {}),
})
