import { dropAll } from '../attachments/in-sqlite.ts'
import type { Actor, Expected } from '../port/board.ts'
import { DELETED, planRemoval } from '../port/changes.ts'
import { record } from './events.ts'
import { childrenOf, requireTask } from './queries.ts'
import type { Tables } from './tables.ts'

/** @throws HermesError as the port says */
export function removeTask(tables: Tables, id: string, expected: Expected | null, actor: Actor): void {
  tables.write(() => {
    const payload = planRemoval(requireTask(tables, id), childrenOf(tables, id), expected, actor)
    remove(tables, id)
    record(tables, id, DELETED, actor.wallMs, payload)
  })
}

/** Removes archived tasks with their history. @returns their ids */
export function removeArchived(tables: Tables, beforeMs: number, limit: number): readonly string[] {
  return tables.write(() => {
    const ids = tables
      .all<{ id: string }>("SELECT id FROM tasks WHERE status = 'archived' AND changed_at < ? LIMIT ?", beforeMs, limit)
      .map(({ id }) => id)
    for (const id of ids) remove(tables, id)
    return ids
  })
}

function remove(tables: Tables, id: string): void {
  tables.run('DELETE FROM links WHERE parent = ? OR child = ?', id, id)
  for (const table of ['comments', 'runs', 'events']) tables.run(`DELETE FROM ${table} WHERE task_id = ?`, id)
  dropAll(tables, id)
  tables.run('DELETE FROM tasks WHERE id = ?', id)
}
