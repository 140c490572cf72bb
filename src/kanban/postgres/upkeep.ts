/** Edits and removals: of tasks, and of whole boards. */
import type { Actor, Expected, TaskEdit } from '../port/board.ts'
import { DELETED, planEdit, planRemoval } from '../port/changes.ts'
import { boardIsThere, boardRuns, noTask } from '../port/refusals.ts'
import type { Task } from '../task.ts'
import { lockTasks, record, taskNow, type Writing } from './changes.ts'
import type { Client } from './connection.ts'
import { lockBoards } from './node-tables.ts'
import { childrenOf, rows } from './queries.ts'
import { NOW, schemaOf } from './schema.ts'
import { tickLockName } from './tick-calls.ts'

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

/**
 * Gives the schema of a board another name, and the board, too.
 * @param to undefined: the board is no longer one
 * @returns false: there is no such board
 * @throws HermesError REFUSED
 */
export async function moveBoardSchema(
  client: Client,
  slug: string,
  schema: string,
  to: string | undefined,
): Promise<boolean> {
  await lockBoards(client)
  // Waits for claims that are under way, and keeps out others.
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [tickLockName(slug)])
  const known = await rows<{ slug: string }>(client, 'SELECT slug FROM hermes.boards WHERE slug = ANY ($1)', [
    slug,
    ...(to === undefined ? [] : [to]),
  ])
  if (!known.some((one) => one.slug === slug)) return false
  if (to !== undefined && known.some((one) => one.slug === to)) throw boardIsThere(to)
  const before = schemaOf(slug)
  await client.query(`LOCK TABLE "${before}".tasks IN EXCLUSIVE MODE`)
  const [running] = await rows<{ n: number }>(
    client,
    `SELECT count(*) AS n FROM "${before}".tasks WHERE status = 'running'`,
  )
  if (running !== undefined && running.n > 0) throw boardRuns(slug, running.n)
  await client.query(`ALTER SCHEMA "${before}" RENAME TO "${schema}"`)
  await renameInFunctions(client, before, schema)
  if (to === undefined) await client.query('DELETE FROM hermes.boards WHERE slug = $1', [slug])
  else await client.query('UPDATE hermes.boards SET slug = $2 WHERE slug = $1', [slug, to])
  return true
}

/** The texts of functions name their schema, which is always quoted there. */
async function renameInFunctions(client: Client, before: string, schema: string): Promise<void> {
  const functions = await rows<{ text: string }>(
    client,
    `SELECT pg_get_functiondef(p.oid) AS text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = $1`,
    schema,
  )
  for (const { text } of functions) await client.query(text.replaceAll(`"${before}".`, `"${schema}".`))
}
