/** The decisions about a change, which every adapter writes in its own way. */
import { randomBytes } from 'node:crypto'
import { HermesError } from '../../system/errors.ts'
import { type Operation, target } from '../operations.ts'
import { isClosed, type Outcome, readyOrTodo, type Status, type Task } from '../task.ts'
import type { Actor, Attempt, ChangeOptions, Editable, Expected, Linked, TaskEdit } from './board.ts'
import { CHANGES_REQUESTED } from './handover.ts'
import { checkPriority, checkText, checkTitle } from './input.ts'

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
  requireCurrentRun(operation, task, actor)
  requireExpected(operation, task, options.expected ?? null)
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

/** A worker that was taken for dead must not finish, block or keep alive what another one has now. */
function requireCurrentRun(verb: string, { id, currentRun }: Task, { runId }: Actor): void {
  if (runId === undefined || runId === currentRun) return
  throw new HermesError('REFUSED', `cannot ${verb} ${id}: run ${runId} is no longer its run`, {
    next: 'the task was taken back from this worker; stop working on it',
  })
}

function requireExpected(verb: string, { id, status, assignee }: Task, expected: Expected | null): void {
  if (expected === null || (expected.status === status && expected.assignee === assignee)) return
  const what = (one: Expected): string => `${one.status}, for ${one.assignee ?? 'no one'}`
  throw new HermesError(
    'REFUSED',
    `cannot ${verb} ${id}: it was ${what(expected)}, and is ${what({ status, assignee })} by now`,
    { next: 'look at it again; nothing was changed' },
  )
}

const EDITABLE = ['title', 'body', 'priority'] as const

/**
 * Decides an edit of the task as it is now, inside the transaction that will write it.
 * @returns undefined: it changes nothing
 * @throws HermesError USAGE, REFUSED
 */
export function planEdit(
  task: Task,
  edit: TaskEdit,
  actor: Actor,
): (Editable & { readonly payload: Readonly<Record<string, unknown>> }) | undefined {
  requireCurrentRun('edit', task, actor)
  const { id, status } = task
  if (isClosed(status))
    throw new HermesError('REFUSED', `cannot edit ${id}: it is ${status}`, {
      next: `create a task that follows it: hermes kanban create TITLE --parent ${id}`,
    })
  const { was = {} } = edit
  const stale = EDITABLE.find((field) => was[field] !== undefined && was[field] !== task[field])
  if (stale !== undefined)
    throw new HermesError('REFUSED', `cannot edit ${id}: its ${stale} was changed in the meantime`, {
      next: `hermes kanban show ${id} prints it as it is now; nothing was changed`,
    })
  const edited: Editable = {
    title: edit.title === undefined ? task.title : checkTitle(edit.title),
    body: edit.body === undefined ? task.body : checkText('body', edit.body),
    priority: edit.priority === undefined ? task.priority : checkPriority(edit.priority),
  }
  const changed = EDITABLE.filter((field) => edited[field] !== task[field])
  if (changed.length === 0) return undefined
  // The new body is in the task, the one before only here.
  const to = changed.filter((field) => field !== 'body').map((field) => [field, edited[field]])
  const before = changed.map((field) => [field, task[field]])
  return {
    ...edited,
    payload: { by: actor.name, changed, ...Object.fromEntries(to), was: Object.fromEntries(before) },
  }
}

/** The event that stays of a task that was removed. */
export const DELETED = 'deleted'

/** A run of a task that was removed: its worker, which may still be ending, is a leftover. */
export const attemptOfDeleted = (atMs: number): Attempt => ({
  currentRun: null,
  outcome: 'reclaimed',
  endedAtMs: atMs,
})

/**
 * Decides whether a task may be removed, inside the transaction that will do it.
 * @returns the payload of the event that stays
 * @throws HermesError REFUSED
 */
export function planRemoval(
  task: Task,
  children: readonly Pick<Linked, 'id' | 'status'>[],
  expected: Expected | null,
  actor: Actor,
): Readonly<Record<string, unknown>> {
  const { id, status, title } = task
  requireCurrentRun('delete', task, actor)
  requireExpected('delete', task, expected)
  if (status === 'running')
    throw new HermesError('REFUSED', `cannot delete ${id}: it is running`, {
      next: `take it back from its worker first: hermes kanban reclaim ${id}`,
    })
  const open = children.filter((child) => !isClosed(child.status))
  const [first] = open
  if (first !== undefined)
    throw new HermesError(
      'REFUSED',
      `cannot delete ${id}: ${open.map((child) => `${child.id} (${child.status})`).join(', ')} ${open.length === 1 ? 'follows' : 'follow'} it`,
      { next: `hermes kanban unlink ${id} ${first.id} parts them; hermes kanban archive ${id} hides it and keeps it` },
    )
  return { by: actor.name, title, from: status }
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
