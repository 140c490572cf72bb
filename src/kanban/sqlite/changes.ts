/**
 * Changes that people and workers make to tasks. Each is one transaction with its event, checked against the current
 * row.
 */
import { randomBytes } from 'node:crypto'
import { HermesError } from '../../system/errors.ts'
import { endsPause, forgivesFailures, type Operation, target } from '../operations.ts'
import type { Actor, ChangeOptions, Created } from '../port/board.ts'
import { checkLimits, type NewTask } from '../port/input.ts'
import { isClosed, readyOrTodo, type Status, type Task } from '../task.ts'
import { record } from './events.ts'
import { findTask, requireTask } from './queries.ts'
import type { Tables } from './tables.ts'

/** @throws HermesError for input that cannot be a task */
export function createTask(tables: Tables, input: NewTask, actor: Actor): Created {
  const fields = checkLimits(input)
  return tables.write(() => {
    if (fields.idempotencyKey !== null) {
      const known = tables.get<{ id: string }>('SELECT id FROM tasks WHERE idempotency_key = ?', fields.idempotencyKey)
      if (known) return { task: requireTask(tables, known.id), created: false }
    }
    const parents = [...new Set(fields.parents)].map((id) => requireTask(tables, id))
    const open = parents.filter(({ status }) => !isClosed(status)).length
    const status: Status = fields.triage ? 'triage' : fields.scheduledAtMs !== null ? 'scheduled' : readyOrTodo(open)
    const id = freshId(tables)
    tables.run(
      `INSERT INTO tasks (id, title, body, assignee, status, priority, created_by, created_at, changed_at, scheduled_at,
         workspace_kind, workspace_path, max_runtime_ms, max_retries, idempotency_key)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      fields.title,
      fields.body,
      fields.assignee,
      status,
      fields.priority,
      actor.name,
      actor.wallMs,
      actor.wallMs,
      fields.scheduledAtMs,
      fields.workspacePath === null ? 'scratch' : 'dir',
      fields.workspacePath,
      fields.maxRuntimeMs,
      fields.maxRetries,
      fields.idempotencyKey,
    )
    record(tables, id, 'created', actor.wallMs, { by: actor.name, assignee: fields.assignee, status })
    for (const parent of parents) {
      tables.run('INSERT INTO links (parent, child) VALUES (?, ?)', parent.id, id)
      record(tables, id, 'linked', actor.wallMs, { parent: parent.id, child: id })
    }
    return { task: requireTask(tables, id), created: true }
  })
}

function freshId(tables: Tables): string {
  for (;;) {
    const id = `t_${randomBytes(4).toString('hex')}`
    if (findTask(tables, id) === undefined) return id
  }
}

/**
 * Performs an operation.
 * @returns the task after the change
 * @throws HermesError FAILED (no such task), REFUSED (not from its status, or the acting run is not the current one)
 */
export function change(on: Tables, operation: Operation, id: string, options: ChangeOptions, actor: Actor): Task {
  const tables = operation === 'heartbeat' ? on.unsynced : on
  return tables.write(() => {
    const task = requireTask(tables, id)
    const worker = actor.runId !== undefined
    // A worker that was taken for dead must not finish, block or keep alive what another one has now.
    if (actor.runId !== undefined && actor.runId !== task.currentRun) {
      throw new HermesError('REFUSED', `cannot ${operation} ${id}: run ${actor.runId} is no longer its run`, {
        next: 'the task was taken back from this worker; stop working on it',
      })
    }
    const wanted = target(operation, task)
    const status = wanted === 'done' && worker && options.requireReview === true ? 'review' : wanted
    if (operation === 'heartbeat') {
      tables.run('UPDATE tasks SET heartbeat_at = ? WHERE id = ?', actor.wallMs, id)
      record(tables, id, 'heartbeat', actor.wallMs, note(options.reason), task.currentRun)
      return requireTask(tables, id)
    }
    if (task.status === 'running') endRun(tables, task, operation, options, actor)
    const success = status === 'done' || status === 'review'
    tables.run(
      `UPDATE tasks SET status = ?, changed_at = CASE WHEN ? THEN changed_at ELSE ? END,
         assignee = CASE WHEN ? THEN ? ELSE assignee END,
         scheduled_at = coalesce(?, scheduled_at),
         failures = CASE WHEN ? THEN 0 ELSE failures END,
         pauses = CASE WHEN ? THEN 0 ELSE pauses END,
         paused_until = CASE WHEN ? THEN NULL ELSE paused_until END,
         result = coalesce(?, result),
         completed_at = CASE WHEN ? THEN ? ELSE completed_at END,
         succeeded_at = CASE WHEN ? THEN ? ELSE succeeded_at END,
         last_error = CASE WHEN ? THEN ? ELSE last_error END
       WHERE id = ?`,
      status,
      Number(worker),
      actor.wallMs,
      Number(options.assignee !== undefined),
      options.assignee ?? null,
      options.scheduledAtMs ?? null,
      Number(forgivesFailures(operation)),
      Number(endsPause(operation)),
      Number(endsPause(operation)),
      options.result ?? null,
      Number(status === 'done'),
      actor.wallMs,
      Number(success && worker),
      actor.wallMs,
      Number(operation === 'block' && options.reason !== undefined),
      options.reason ?? null,
      id,
    )
    record(tables, id, eventKind(operation, status), actor.wallMs, payloadOf(operation, task, status, options, actor))
    if (isClosed(status)) promoteChildren(tables, id, actor)
    return requireTask(tables, id)
  })
}

function endRun(tables: Tables, task: Task, operation: Operation, options: ChangeOptions, actor: Actor): void {
  const outcome = operation === 'complete' ? 'completed' : operation === 'block' ? 'blocked' : 'reclaimed'
  tables.run(
    'UPDATE runs SET outcome = ?, ended_at = ?, summary = ?, error = ? WHERE id = ? AND ended_at IS NULL',
    outcome,
    actor.wallMs,
    options.result ?? null,
    operation === 'complete' ? null : (options.reason ?? `${operation} by ${actor.name}`),
    task.currentRun,
  )
  tables.run(
    `UPDATE tasks SET current_run = NULL, claim_lock = NULL, claim_expires_at = NULL, worker_pid = NULL,
       worker_start_time = NULL, heartbeat_at = NULL WHERE id = ?`,
    task.id,
  )
}

/** Children that only this task held back are promoted at once. */
function promoteChildren(tables: Tables, parent: string, actor: Actor): void {
  const free = tables.all<{ id: string }>(
    "SELECT id FROM tasks WHERE status = 'todo' AND open_parents = 0 AND id IN (SELECT child FROM links WHERE parent = ?)",
    parent,
  )
  for (const { id } of free) {
    tables.run("UPDATE tasks SET status = 'ready' WHERE id = ?", id)
    record(tables, id, 'promoted', actor.wallMs, { from: 'todo', to: 'ready' })
  }
}

const KINDS: { readonly [O in Operation]: string } = {
  assign: 'assigned',
  reassign: 'reassigned',
  promote: 'promoted',
  schedule: 'scheduled',
  block: 'blocked',
  unblock: 'unblocked',
  complete: 'completed',
  archive: 'archived',
  reclaim: 'reclaimed',
  heartbeat: 'heartbeat',
}

const eventKind = (operation: Operation, status: Status): string =>
  operation === 'complete' && status === 'review' ? 'review' : KINDS[operation]

const note = (reason: string | undefined): Record<string, unknown> => (reason === undefined ? {} : { note: reason })

function payloadOf(
  operation: Operation,
  task: Task,
  status: Status,
  options: ChangeOptions,
  actor: Actor,
): Record<string, unknown> {
  return {
    by: actor.name,
    from: task.status,
    to: status,
    ...(options.assignee === undefined ? {} : { assignee: options.assignee }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    ...(operation === 'schedule' ? { at: new Date(options.scheduledAtMs ?? 0).toISOString() } : {}),
  }
}
