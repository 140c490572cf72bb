/**
 * Changes that people and workers make to tasks. Each is one transaction with its event, checked against the current
 * row.
 */
import { storedNeeds } from '../labels.ts'
import { endsPause, forgivesFailures, type Operation } from '../operations.ts'
import type { Actor, ChangeOptions, Created, TaskEdit } from '../port/board.ts'
import { newTaskId, type PlannedChange, planChange, planEdit, statusOfNew } from '../port/changes.ts'
import { checkLimits, type NewTask } from '../port/input.ts'
import { isClosed, type Task } from '../task.ts'
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
    const status = statusOfNew(fields, parents)
    const id = freshId(tables)
    tables.run(
      `INSERT INTO tasks (id, title, body, assignee, status, priority, created_by, created_at, changed_at, scheduled_at,
         workspace_kind, workspace_path, max_runtime_ms, max_retries, idempotency_key, once, result_schema, needs)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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
      fields.once ? 1 : null,
      fields.resultSchema,
      storedNeeds(fields.needs),
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
    const id = newTaskId()
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
    const { status, byWorker, ends, event, resultJson } = planChange(operation, task, options, actor)
    if (operation === 'heartbeat') {
      tables.run('UPDATE tasks SET heartbeat_at = ? WHERE id = ?', actor.wallMs, id)
      record(tables, id, event.kind, actor.wallMs, event.payload, task.currentRun)
      return requireTask(tables, id)
    }
    if (ends !== null) endRun(tables, task, ends, actor)
    const success = status === 'done' || status === 'review'
    tables.run(
      `UPDATE tasks SET status = ?, changed_at = CASE WHEN ? THEN changed_at ELSE ? END,
         assignee = CASE WHEN ? THEN ? ELSE assignee END,
         scheduled_at = coalesce(?, scheduled_at),
         failures = CASE WHEN ? THEN 0 ELSE failures END,
         pauses = CASE WHEN ? THEN 0 ELSE pauses END,
         paused_until = CASE WHEN ? THEN NULL ELSE paused_until END,
         result = coalesce(?, result),
         result_json = CASE WHEN ? THEN ? ELSE result_json END,
         completed_at = CASE WHEN ? THEN ? ELSE completed_at END,
         succeeded_at = CASE WHEN ? THEN ? ELSE succeeded_at END,
         last_error = CASE WHEN ? THEN ? ELSE last_error END
       WHERE id = ?`,
      status,
      Number(byWorker),
      actor.wallMs,
      Number(options.assignee !== undefined),
      options.assignee ?? null,
      options.scheduledAtMs ?? null,
      Number(forgivesFailures(operation)),
      Number(endsPause(operation)),
      Number(endsPause(operation)),
      options.result ?? null,
      Number(resultJson !== undefined),
      resultJson ?? null,
      Number(status === 'done'),
      actor.wallMs,
      Number(success && byWorker),
      actor.wallMs,
      Number(operation === 'block' && options.reason !== undefined),
      options.reason ?? null,
      id,
    )
    record(tables, id, event.kind, actor.wallMs, event.payload)
    if (isClosed(status)) promoteChildren(tables, id, actor)
    return requireTask(tables, id)
  })
}

/** @throws HermesError as the port says */
export function editTask(tables: Tables, id: string, edit: TaskEdit, actor: Actor): Task {
  return tables.write(() => {
    const task = requireTask(tables, id)
    const planned = planEdit(task, edit, actor)
    if (planned === undefined) return task
    const { title, body, priority, payload } = planned
    const changedAtMs = actor.runId === undefined ? actor.wallMs : task.changedAtMs
    tables.run(
      'UPDATE tasks SET title = ?, body = ?, priority = ?, changed_at = ? WHERE id = ?',
      title,
      body,
      priority,
      changedAtMs,
      id,
    )
    record(tables, id, 'edited', actor.wallMs, payload)
    return requireTask(tables, id)
  })
}

function endRun(tables: Tables, task: Task, ends: NonNullable<PlannedChange['ends']>, actor: Actor): void {
  tables.run(
    'UPDATE runs SET outcome = ?, ended_at = ?, summary = ?, error = ? WHERE id = ? AND ended_at IS NULL',
    ends.outcome,
    actor.wallMs,
    ends.summary,
    ends.error,
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
