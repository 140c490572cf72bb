/** Links between tasks, and comments. */
import { linkedChild } from '../operations.ts'
import type { Actor } from '../port/board.ts'
import { cycle, selfLink } from '../port/refusals.ts'
import { record } from './events.ts'
import { parentsOf, requireTask } from './queries.ts'
import type { Tables } from './tables.ts'

/** @throws HermesError REFUSED for a cycle, a self-link, a child that has begun */
export function link(tables: Tables, parentId: string, childId: string, actor: Actor): boolean {
  return tables.write(() => {
    const parent = requireTask(tables, parentId)
    const child = requireTask(tables, childId)
    if (parentId === childId) throw selfLink(parentId)
    if (parentsOf(tables, childId).some(({ id }) => id === parentId)) return false
    const status = linkedChild(child, parent)
    const path = pathBetween(tables, childId, parentId)
    if (path !== undefined) throw cycle(parentId, childId, path)
    tables.run('INSERT INTO links (parent, child) VALUES (?, ?)', parentId, childId)
    tables.run('UPDATE tasks SET status = ?, changed_at = ? WHERE id = ?', status, actor.wallMs, childId)
    record(tables, childId, 'linked', actor.wallMs, { parent: parentId, child: childId })
    return true
  })
}

/** The links that lead from one task down to another, both ends named. */
function pathBetween(tables: Tables, from: string, to: string): readonly string[] | undefined {
  const cameFrom = new Map<string, string | null>([[from, null]])
  const queue = [from]
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    if (id === to) {
      const path: string[] = []
      for (let at: string | null | undefined = id; at != null; at = cameFrom.get(at)) path.unshift(at)
      return path
    }
    for (const { child } of tables.all<{ child: string }>('SELECT child FROM links WHERE parent = ?', id)) {
      if (cameFrom.has(child)) continue
      cameFrom.set(child, id)
      queue.push(child)
    }
  }
  return undefined
}

/** @returns false: there was no such link */
export function unlink(tables: Tables, parentId: string, childId: string, actor: Actor): boolean {
  return tables.write(() => {
    requireTask(tables, parentId)
    requireTask(tables, childId)
    if (tables.run('DELETE FROM links WHERE parent = ? AND child = ?', parentId, childId).changes === 0) return false
    record(tables, childId, 'unlinked', actor.wallMs, { parent: parentId, child: childId })
    const child = requireTask(tables, childId)
    const free = child.status === 'todo' && child.openParents === 0
    tables.run(
      'UPDATE tasks SET status = ?, changed_at = ? WHERE id = ?',
      free ? 'ready' : child.status,
      actor.wallMs,
      childId,
    )
    if (free) record(tables, childId, 'promoted', actor.wallMs, { from: 'todo', to: 'ready' })
    return true
  })
}

export function comment(tables: Tables, id: string, text: string, actor: Actor): void {
  tables.write(() => {
    requireTask(tables, id)
    tables.run(
      'INSERT INTO comments (task_id, author, body, at) VALUES (?, ?, ?, ?)',
      id,
      actor.name,
      text,
      actor.wallMs,
    )
    if (actor.runId === undefined) tables.run('UPDATE tasks SET changed_at = ? WHERE id = ?', actor.wallMs, id)
    record(tables, id, 'commented', actor.wallMs, { by: actor.name })
  })
}
