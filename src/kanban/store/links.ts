/** Links between tasks, and comments. */
import { HermesError } from '../../system/errors.ts'
import { linkedChild } from '../operations.ts'
import type { Board } from './board.ts'
import type { Actor } from './changes.ts'
import { record } from './events.ts'
import { parentsOf, requireTask } from './queries.ts'

/** @throws HermesError REFUSED for a cycle, a self-link, a child that has begun */
export function link(board: Board, parentId: string, childId: string, actor: Actor): boolean {
  return board.write(() => {
    const parent = requireTask(board, parentId)
    const child = requireTask(board, childId)
    if (parentId === childId)
      throw new HermesError('REFUSED', `cannot link ${parentId} to itself`, {
        next: 'name two different tasks: hermes kanban link PARENT CHILD',
      })
    if (parentsOf(board, childId).some(({ id }) => id === parentId)) return false
    const status = linkedChild(child, parent)
    const path = pathBetween(board, childId, parentId)
    if (path !== undefined) {
      throw new HermesError(
        'REFUSED',
        `cannot link ${parentId} -> ${childId}: it would close a cycle: ${[parentId, ...path].join(' -> ')}`,
        {
          next: '"hermes kanban unlink PARENT CHILD" removes a link',
        },
      )
    }
    board.run('INSERT INTO links (parent, child) VALUES (?, ?)', parentId, childId)
    board.run('UPDATE tasks SET status = ?, changed_at = ? WHERE id = ?', status, actor.wallMs, childId)
    record(board, childId, 'linked', actor.wallMs, { parent: parentId, child: childId })
    return true
  })
}

/** The links that lead from one task down to another, both ends named. */
function pathBetween(board: Board, from: string, to: string): readonly string[] | undefined {
  const cameFrom = new Map<string, string | null>([[from, null]])
  const queue = [from]
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    if (id === to) {
      const path: string[] = []
      for (let at: string | null | undefined = id; at != null; at = cameFrom.get(at)) path.unshift(at)
      return path
    }
    for (const { child } of board.all<{ child: string }>('SELECT child FROM links WHERE parent = ?', id)) {
      if (cameFrom.has(child)) continue
      cameFrom.set(child, id)
      queue.push(child)
    }
  }
  return undefined
}

/** @returns false: there was no such link */
export function unlink(board: Board, parentId: string, childId: string, actor: Actor): boolean {
  return board.write(() => {
    requireTask(board, parentId)
    requireTask(board, childId)
    if (board.run('DELETE FROM links WHERE parent = ? AND child = ?', parentId, childId).changes === 0) return false
    record(board, childId, 'unlinked', actor.wallMs, { parent: parentId, child: childId })
    const child = requireTask(board, childId)
    const free = child.status === 'todo' && child.openParents === 0
    board.run(
      'UPDATE tasks SET status = ?, changed_at = ? WHERE id = ?',
      free ? 'ready' : child.status,
      actor.wallMs,
      childId,
    )
    if (free) record(board, childId, 'promoted', actor.wallMs, { from: 'todo', to: 'ready' })
    return true
  })
}

export function comment(board: Board, id: string, text: string, actor: Actor): void {
  board.write(() => {
    requireTask(board, id)
    board.run(
      'INSERT INTO comments (task_id, author, body, at) VALUES (?, ?, ?, ?)',
      id,
      actor.name,
      text,
      actor.wallMs,
    )
    if (actor.runId === undefined) board.run('UPDATE tasks SET changed_at = ? WHERE id = ?', actor.wallMs, id)
    record(board, id, 'commented', actor.wallMs, { by: actor.name })
  })
}
