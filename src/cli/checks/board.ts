import { findBoards } from '../../kanban/store/boards.ts'
import { HermesError } from '../../system/errors.ts'
import type { Context } from '../context/context.ts'
import { type Check, fail, ok } from './finding.ts'

const NAME = 'board'

/** Tells whether the boards can be reached, if they are in a database; files are part of the volume. */
export const board: Check = async (context: Context) => {
  const boards = await findBoards({ ...context, runDir: context.paths.runDir })
  if (boards.kept === 'files') return []
  try {
    const found = await boards.list()
    return [ok(NAME, `the database answers and has ${found.length === 1 ? 'a board' : `${found.length} boards`}`)]
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return [fail(NAME, error.message, error.next ?? 'hermes kanban list')]
  } finally {
    await boards.close()
  }
}
