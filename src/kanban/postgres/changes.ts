/**
 * Changes that people and workers make. Each locks the rows that it looks at, in the order of their ids, with FOR NO
 * KEY UPDATE: KEY SHARE, which a foreign key takes for a comment or an event, does not wait for that.
 */
import { storedNeeds } from '../labels.ts'
import { endsPause, forgivesFailures, linkedChild, type Operation } from '../operations.ts'
import type { Actor, ChangeOptions, Created } from '../port/board.ts'
import { newTaskId, planChange, statusOfNew } from '../port/changes.ts'
import { checkLimits, type NewTask } from '../port/input.ts'
import { cycle, noTask, selfLink } from '../port/refusals.ts'
import { type TaskRow, toTask } from '../port/rows.ts'
import type { SettingKey } from '../port/settings.ts'
import { isClosed, type Task } from '../task.ts'
import { type Client, jsonText } from './connection.ts'
import { assigneeOnBoard } from './nodes.ts'
import { rows, TASK } from './queries.ts'
import { NOW } from './schema.ts'

/** A board inside a transaction. */
export interface Writing {
  readonly client: Client
  /** The board's schema, quoted. */
  readonly s: string
  readonly slug: string
  /** The id of the node that this process belongs to. */
  readonly node?: string | undefined
}

/** Locks tasks until the transaction ends. @throws HermesError FAILED: one of them is not there */
export async function lockTasks({ client, s, slug }: Writing, ids: readonly string[]): Promise<readonly Task[]> {
  const wanted = [...new Set(ids)]
  const found = await rows<TaskRow>(
    client,
    `SELECT ${TASK} FROM ${s}.tasks t WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE`,
    wanted,
  )
  const byId = new Map(found.map((row) => [row.id, toTask(row)]))
  return wanted.map((id) => {
    const task = byId.get(id)
    if (task === undefined) throw noTask(slug, id)
    return task
  })
}

export async function taskNow({ client, s, slug }: Writing, id: string): Promise<Task> {
  const [row] = await rows<TaskRow>(client, `SELECT ${TASK} FROM ${s}.tasks t WHERE id = $1`, id)
  if (row === undefined) throw noTask(slug, id)
  return toTask(row)
}

/** Records an event, inside the transaction of the change that it reports. */
export async function record(
  { client, s }: Writing,
  taskId: string,
  kind: string,
  payload: Readonly<Record<string, unknown>> = {},
  runId: number | null = null,
): Promise<void> {
  await client.query(
    `INSERT INTO ${s}.events (task_id, run_id, kind, payload, at) VALUES ($1, $2, $3, $4::json, ${NOW})`,
    [taskId, runId, kind, jsonText(payload)],
  )
}

/** @throws HermesError for input that cannot be a task */
export async function createTask(on: Writing, input: NewTask, actor: Actor): Promise<Created> {
  const { client, s } = on
  const checked = checkLimits(input)
  const fields = { ...checked, assignee: await assigneeOnBoard(client, checked.assignee, on.node) }
  const parents = await lockTasks(on, fields.parents)
  const status = statusOfNew(fields, parents)
  for (;;) {
    const id = newTaskId()
    // Waits for another transaction with the same key; when that commits, ours inserts nothing.
    const [made] = await rows<{ id: string }>(
      client,
      `INSERT INTO ${s}.tasks (id, title, body, assignee, status, priority, created_by, created_at, changed_at,
         scheduled_at, workspace_kind, workspace_path, max_runtime_ms, max_retries, idempotency_key,
         once, result_schema, needs)
       VALUES ($1, $2, $3, $4, $5, $6, $7, ${NOW}, ${NOW}, $8, $9, $10, $11, $12, $13, $14, $15, $16)
       ON CONFLICT DO NOTHING RETURNING id`,
      id,
      fields.title,
      fields.body,
      fields.assignee,
      status,
      fields.priority,
      actor.name,
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
    if (made === undefined) {
      const [known] = await rows<TaskRow>(
        client,
        `SELECT ${TASK} FROM ${s}.tasks t WHERE idempotency_key = $1`,
        fields.idempotencyKey,
      )
      if (known !== undefined) return { task: toTask(known), created: false }
      continue // the id was taken
    }
    await record(on, id, 'created', { by: actor.name, assignee: fields.assignee, status })
    for (const parent of parents) await insertLink(on, parent.id, id)
    return { task: await taskNow(on, id), created: true }
  }
}

async function insertLink(on: Writing, parent: string, child: string): Promise<void> {
  await on.client.query(`INSERT INTO ${on.s}.links (parent, child) VALUES ($1, $2)`, [parent, child])
  await record(on, child, 'linked', { parent, child })
}

export async function change(
  on: Writing,
  operation: Operation,
  id: string,
  given: ChangeOptions,
  actor: Actor,
): Promise<Task> {
  const { client, s } = on
  const options =
    given.assignee === undefined
      ? given
      : { ...given, assignee: await assigneeOnBoard(client, given.assignee, on.node) }
  const [task] = await lockTasks(on, [id])
  if (task === undefined) throw noTask(on.slug, id)
  const { status, byWorker, ends, event, resultJson } = planChange(operation, task, options, actor)
  if (operation === 'heartbeat') {
    await client.query(`UPDATE ${s}.tasks SET heartbeat_at = ${NOW} WHERE id = $1`, [id])
    await record(on, id, event.kind, event.payload, task.currentRun)
    return taskNow(on, id)
  }
  if (ends !== null)
    await client.query(
      `UPDATE ${s}.runs SET outcome = $2, ended_at = ${NOW}, summary = $3, error = $4 WHERE id = $1 AND ended_at IS NULL`,
      [task.currentRun, ends.outcome, ends.summary, ends.error],
    )
  const free = `current_run = NULL, claim_lock = NULL, claim_expires_at = NULL, worker_pid = NULL,
    worker_start_time = NULL, heartbeat_at = NULL`
  const success = status === 'done' || status === 'review'
  await client.query(
    `UPDATE ${s}.tasks SET status = $2, changed_at = CASE WHEN $3 THEN changed_at ELSE ${NOW} END,
       assignee = CASE WHEN $4 THEN $5 ELSE assignee END,
       scheduled_at = coalesce($6, scheduled_at),
       failures = CASE WHEN $7 THEN 0 ELSE failures END,
       pauses = CASE WHEN $8 THEN 0 ELSE pauses END,
       paused_until = CASE WHEN $8 THEN NULL ELSE paused_until END,
       result = coalesce($9, result),
       completed_at = CASE WHEN $10 THEN ${NOW} ELSE completed_at END,
       succeeded_at = CASE WHEN $11 THEN ${NOW} ELSE succeeded_at END,
       last_error = CASE WHEN $12 THEN $13 ELSE last_error END,
       result_json = CASE WHEN $14 THEN $15 ELSE result_json END${ends === null ? '' : `, ${free}`}
     WHERE id = $1`,
    [
      id,
      status,
      byWorker,
      options.assignee !== undefined,
      options.assignee ?? null,
      options.scheduledAtMs ?? null,
      forgivesFailures(operation),
      endsPause(operation),
      options.result ?? null,
      status === 'done',
      success && byWorker,
      operation === 'block' && options.reason !== undefined,
      options.reason ?? null,
      resultJson !== undefined,
      resultJson ?? null,
    ],
  )
  await record(on, id, event.kind, event.payload)
  if (isClosed(status)) await promoteChildren(on, id)
  return taskNow(on, id)
}

/** Children that only this task held back are promoted at once. */
async function promoteChildren(on: Writing, parent: string): Promise<void> {
  const free = await rows<{ id: string }>(
    on.client,
    `UPDATE ${on.s}.tasks SET status = 'ready' WHERE status = 'todo' AND open_parents = 0
       AND id IN (SELECT child FROM ${on.s}.links WHERE parent = $1) RETURNING id`,
    parent,
  )
  for (const { id } of free) await record(on, id, 'promoted', { from: 'todo', to: 'ready' })
}

export async function link(on: Writing, parentId: string, childId: string): Promise<boolean> {
  const { client, s } = on
  // Two links at once could close a cycle that neither of them sees.
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`hermes.links.${on.slug}`])
  const tasks = await lockTasks(on, [parentId, childId])
  const [parent, child] = [tasks.find(({ id }) => id === parentId), tasks.find(({ id }) => id === childId)]
  if (parentId === childId || parent === undefined || child === undefined) throw selfLink(parentId)
  const known = await client.query(`SELECT 1 FROM ${s}.links WHERE parent = $1 AND child = $2`, [parentId, childId])
  if (known.rows.length > 0) return false
  const status = linkedChild(child, parent)
  const path = await pathBetween(on, childId, parentId)
  if (path !== undefined) throw cycle(parentId, childId, path)
  await client.query(`UPDATE ${s}.tasks SET status = $2, changed_at = ${NOW} WHERE id = $1`, [childId, status])
  await insertLink(on, parentId, childId)
  return true
}

/** The links that lead from one task down to another, both ends named. Each task is looked at once. */
async function pathBetween({ client, s }: Writing, from: string, to: string): Promise<readonly string[] | undefined> {
  const cameFrom = new Map<string, string | null>([[from, null]])
  for (let level: readonly string[] = [from]; level.length > 0 && !cameFrom.has(to); ) {
    const below = await rows<{ parent: string; child: string }>(
      client,
      `SELECT parent, child FROM ${s}.links WHERE parent = ANY ($1)`,
      level,
    )
    const next = below.filter(({ child }) => !cameFrom.has(child))
    for (const { parent, child } of next) cameFrom.set(child, parent)
    level = [...new Set(next.map(({ child }) => child))]
  }
  if (!cameFrom.has(to)) return undefined
  const path: string[] = []
  for (let at: string | null | undefined = to; at != null; at = cameFrom.get(at)) path.unshift(at)
  return path
}

export async function unlink(on: Writing, parentId: string, childId: string): Promise<boolean> {
  const { client, s } = on
  await lockTasks(on, [parentId, childId])
  const gone = await client.query(`DELETE FROM ${s}.links WHERE parent = $1 AND child = $2`, [parentId, childId])
  if (gone.rowCount === 0) return false
  await record(on, childId, 'unlinked', { parent: parentId, child: childId })
  const child = await taskNow(on, childId)
  const free = child.status === 'todo' && child.openParents === 0
  await client.query(`UPDATE ${s}.tasks SET status = $2, changed_at = ${NOW} WHERE id = $1`, [
    childId,
    free ? 'ready' : child.status,
  ])
  if (free) await record(on, childId, 'promoted', { from: 'todo', to: 'ready' })
  return true
}

export async function comment(on: Writing, id: string, text: string, actor: Actor): Promise<void> {
  const { client, s } = on
  await lockTasks(on, [id])
  await client.query(`INSERT INTO ${s}.comments (task_id, author, body, at) VALUES ($1, $2, $3, ${NOW})`, [
    id,
    actor.name,
    text,
  ])
  if (actor.runId === undefined) await client.query(`UPDATE ${s}.tasks SET changed_at = ${NOW} WHERE id = $1`, [id])
  await record(on, id, 'commented', { by: actor.name })
}

/** @param value undefined removes the key */
export async function changeSetting(on: Writing, key: SettingKey, value: unknown, actor: Actor): Promise<void> {
  const { client, s } = on
  if (value === undefined) await client.query(`DELETE FROM ${s}.settings WHERE key = $1`, [key])
  else
    await client.query(
      `INSERT INTO ${s}.settings (key, value, changed_by, changed_at) VALUES ($1, $2::json, $3, ${NOW})
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by,
         changed_at = excluded.changed_at`,
      [key, jsonText(value), actor.name],
    )
}
