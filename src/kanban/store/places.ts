/** Paths of boards and their files. */
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { directoryEntries, FirstInOrder } from '../../system/files/directory.ts'
import type { FilePlace } from '../port/board.ts'

export const DEFAULT_BOARD = 'default'
/** Boards are checked every few seconds, and an unpacked archive may have put many directories there. */
const MAX_BOARDS = 1000
const SLUG = /^[a-z0-9][a-z0-9_-]{0,63}$/

export const kanbanDir = (home: string): string => join(home, 'kanban')

/** `$HERMES_HOME/kanban.db`, the others in `kanban/boards/<slug>/`. */
export const boardPlace = (home: string, slug: string): FilePlace => ({
  slug,
  file: slug === DEFAULT_BOARD ? join(home, 'kanban.db') : join(kanbanDir(home), 'boards', slug, 'kanban.db'),
})

/** Where the directory of a board that was removed is kept. @param stamp of the moment */
export const removedBoardDirectory = (home: string, slug: string, stamp: string): string =>
  join(kanbanDir(home), 'removed', `${slug}-${stamp}`)

/** The directory of a board that is being moved. @param directory that of the board */
export const leavingDirectory = (directory: string): string =>
  join(dirname(directory), `.leaving-${basename(directory)}`)

/** Output of all attempts at a task, one after the other. */
export const taskLog = (home: string, taskId: string): string => join(kanbanDir(home), 'logs', `${taskId}.log`)

/** The prompt of a run, where the worker gets it on stdin. */
export const promptFile = (home: string, taskId: string): string => join(kanbanDir(home), 'prompts', `${taskId}.txt`)

/** The hand-over to the run of a slot; removed with the run. */
export const contextFile = (home: string, slot: string): string => join(contextsDir(home), `${slot}.json`)

export const contextsDir = (home: string): string => join(kanbanDir(home), 'contexts')

/** Results of jobs that the board has not taken yet, by slot. */
export const resultsDir = (home: string): string => join(kanbanDir(home), 'results')

/** State of a board after its last tick, written by the process that ran it. */
export const dispatchStateFile = (home: string, slug: string): string =>
  join(kanbanDir(home), 'dispatch', `${slug}.json`)

export const currentBoardFile = (home: string): string => join(kanbanDir(home), 'current_board')

/** @throws HermesError BAD_NAME */
export function parseSlug(text: string): string {
  const slug = text.trim().toLowerCase()
  if (SLUG.test(slug)) return slug
  throw new HermesError('BAD_NAME', `${JSON.stringify(text.slice(0, 80))} is not a valid board name`, {
    next: 'use 1 to 64 characters of a-z, 0-9, _ and -, starting with a letter or digit',
  })
}

/** @throws HermesError REFUSED */
export function refuseDefaultBoard(slug: string): void {
  if (slug !== DEFAULT_BOARD) return
  throw new HermesError('REFUSED', 'the board "default" keeps its name and cannot be removed', {
    next: 'hermes kanban bulk delete removes its tasks; hermes kanban export copies them',
  })
}

/** The boards that exist, the default first; of very many the first by name. Never throws. */
export function listBoards(home: string): readonly FilePlace[] {
  const names = new FirstInOrder<string>(MAX_BOARDS, (a, b) => a < b)
  const boards = join(kanbanDir(home), 'boards')
  try {
    // Most homes have none, and the supervisor looks every two seconds: an exception would be most of such a look.
    if (existsSync(boards))
      for (const { name } of directoryEntries(boards)) if (SLUG.test(name) && name !== DEFAULT_BOARD) names.add(name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ENOTDIR')
      throw error
  }
  return [DEFAULT_BOARD, ...names.first].map((slug) => boardPlace(home, slug)).filter(({ file }) => existsSync(file))
}
