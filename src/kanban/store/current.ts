/** Which board a command means. */

import { replaceFile } from '../../profile/replace-file.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import { currentBoardFile, DEFAULT_BOARD, kanbanDir, parseSlug } from './places.ts'

/**
 * `--board`, else HERMES_KANBAN_BOARD, else `hermes kanban boards use`, else `default`. @throws HermesError BAD_NAME
 */
export function chosenBoard(home: string, wished: string | undefined, variable: string | undefined): string {
  if (wished !== undefined) return parseSlug(wished)
  if (variable !== undefined && variable.trim() !== '') return parseSlug(variable)
  return parseSlug(readRegularFile(currentBoardFile(home), 1000)?.trim() || DEFAULT_BOARD)
}

export async function useBoard(home: string, slug: string): Promise<void> {
  makeDirectory(kanbanDir(home), 0o700)
  await replaceFile(currentBoardFile(home), `${slug}\n`, 0o644)
}
