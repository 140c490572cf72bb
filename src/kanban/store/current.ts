/** Which board a command means. */
import { rmSync } from 'node:fs'
import { replaceFile } from '../../profile/replace-file.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import { currentBoardFile, DEFAULT_BOARD, dispatchStateFile, kanbanDir, parseSlug } from './places.ts'

/**
 * `--board`, else HERMES_KANBAN_BOARD, else `hermes kanban boards use`, else `default`. @throws HermesError BAD_NAME
 */
export function chosenBoard(home: string, wished: string | undefined, variable: string | undefined): string {
  if (wished !== undefined) return parseSlug(wished)
  if (variable !== undefined && variable.trim() !== '') return parseSlug(variable)
  return parseSlug(writtenBoard(home) ?? DEFAULT_BOARD)
}

/** As `hermes kanban boards use` wrote it; undefined: it has not. */
export const writtenBoard = (home: string): string | undefined =>
  readRegularFile(currentBoardFile(home), 1000)?.trim() || undefined

/** Forgets the last tick of a board that has this name no longer. */
export function forgetDispatchState(home: string, slug: string): void {
  rmSync(dispatchStateFile(home, slug), { force: true })
}

export async function useBoard(home: string, slug: string): Promise<void> {
  makeDirectory(kanbanDir(home), 0o700)
  await replaceFile(currentBoardFile(home), `${slug}\n`, 0o644)
}
