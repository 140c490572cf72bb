import type { Tables } from './tables.ts'

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
  tables.run('DELETE FROM tasks WHERE id = ?', id)
}
