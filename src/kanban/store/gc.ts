import { rmSync, statSync } from 'node:fs'
import type { Board } from './board.ts'
import { promptFile, taskLog } from './places.ts'

export interface SweepResult {
  readonly tasks: number
  readonly files: number
}

const BATCH = 500

/** Removes tasks that were archived before `beforeMs`, with their history, prompts and logs. Workspaces are kept. */
export function sweep(board: Board, home: string, beforeMs: number): SweepResult {
  let tasks = 0
  let files = 0
  for (;;) {
    const ids = board
      .all<{ id: string }>("SELECT id FROM tasks WHERE status = 'archived' AND changed_at < ? LIMIT ?", beforeMs, BATCH)
      .map(({ id }) => id)
    // In batches, so that other writers need not wait for all of them.
    board.write(() => {
      for (const id of ids) remove(board, id)
    })
    for (const id of ids) {
      for (const file of [taskLog(home, id), `${taskLog(home, id)}.1`, promptFile(home, id)]) {
        if (statSync(file, { throwIfNoEntry: false }) === undefined) continue
        rmSync(file, { force: true })
        files += 1
      }
    }
    tasks += ids.length
    if (ids.length < BATCH) return { tasks, files }
  }
}

function remove(board: Board, id: string): void {
  board.run('DELETE FROM links WHERE parent = ? OR child = ?', id, id)
  for (const table of ['comments', 'runs', 'events']) board.run(`DELETE FROM ${table} WHERE task_id = ?`, id)
  board.run('DELETE FROM tasks WHERE id = ?', id)
}
