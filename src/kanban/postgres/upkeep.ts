/** Edits and removals of tasks. */
import type { Actor, Expected, TaskEdit } from '../port/board.ts'
import { DELETED, planEdit, planRemoval } from '../port/changes.ts'
import { noTask } from '../port/refusals.ts'
import type { Task } from '../task.ts'
import { lockTasks, record, taskNow, type Writing } from './changes.ts'
import { childrenOf, rows } from './queries.ts'
import { NOW } from './schema.ts'

/** @throws HermesError as the port says */
export async function editTask(on: Writing, id: string, edit: TaskEdit, actor: Actor): Promise<Task> {
  const [task] = await lockTasks(on, [id])
  if (task === undefined) throw noTask(on.slug, id)
  const planned = planEdit(task, edit, actor)
  if (planned === undefined) return task
  const { title, body, priority, payload } = planned
  await on.client.query(
    `UPDATE ${on.s}.tasks SET title = $2, body = $3, priority = $4,
       changed_at = CASE WHEN $5 THEN changed_at ELSE ${NOW} END WHERE id = $1`,
    [id, title, body, priority, actor.runId !== undefined],
  )
  await record(on, id, 'edited', payload)
  return taskNow(on, id)
}

/** @throws HermesError as the port says */
export async function removeTask(on: Writing, id: string, expected: Expected | null, actor: Actor): Promise<void> {
  const [task] = await lockTasks(on, [id])
  if (task === undefined) throw noTask(on.slug, id)
  const payload = planRemoval(task, await childrenOf(on.client, on.s, id), expected, actor)
  await removeAll(on, [id])
  await record(on, id, DELETED, payload)
}

/** Removes archived tasks with their history. @returns their ids */
export async function removeArchived(on: Writing, beforeMs: number, limit: number): Promise<readonly string[]> {
  const found = await rows<{ id: string }>(
    on.client,
    `SELECT id FROM ${on.s}.tasks WHERE status = 'archived' AND changed_at < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`,
    beforeMs,
    limit,
  )
  const ids = found.map(({ id }) => id)
  await removeAll(on, ids)
  return ids
}

async function removeAll({ client, s }: Writing, ids: readonly string[]): Promise<void> {
  await client.query(`DELETE FROM ${s}.links WHERE parent = ANY ($1) OR child = ANY ($1)`, [ids])
  for (const table of ['comments', 'runs', 'events'])
    await client.query(`DELETE FROM ${s}.${table} WHERE task_id = ANY ($1)`, [ids])
  await client.query(`DELETE FROM ${s}.tasks WHERE id = ANY ($1)`, [ids])
}
