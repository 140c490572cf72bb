import { rmSync, statSync } from 'node:fs'
import type { Board, BoardPlace } from '../port/board.ts'
import { removeAttachments } from './attachments.ts'
import { promptFile, taskLog } from './places.ts'

export interface SweepResult {
  readonly tasks: number
  readonly files: number
}

const BATCH = 500

/** Removes tasks that were archived before `beforeMs`, with their history, prompts and logs. Workspaces are kept. */
export async function sweep(board: Board, home: string, beforeMs: number): Promise<SweepResult> {
  let tasks = 0
  let files = 0
  for (;;) {
    // In batches, so that other writers need not wait for all of them.
    const ids = await board.removeArchived(beforeMs, BATCH)
    for (const id of ids) files += removeTaskFiles(home, board.place, id)
    tasks += ids.length
    if (ids.length < BATCH) return { tasks, files }
  }
}

/**
 * Removes what lies beside the board of a task that was removed: prompt, logs and
 * attachments.
 * @returns the number of files; attachments count as one
 */
export function removeTaskFiles(home: string, place: BoardPlace, id: string): number {
  const files = [taskLog(home, id), `${taskLog(home, id)}.1`, promptFile(home, id)].filter(
    (file) => statSync(file, { throwIfNoEntry: false }) !== undefined,
  )
  for (const file of files) rmSync(file, { force: true })
  return files.length + Number(removeAttachments(place, id))
}
