/** Lets one dispatcher of this volume at a time work on a board. */
import { dirname } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import type { BoardPlace, TickLock } from '../port/board.ts'
import { takeTickLock } from '../sqlite/tick-lock.ts'
import { dispatchStateFile } from './places.ts'

/**
 * A dispatcher holds it from its first look until all is started: a run that was just claimed has no worker yet, and
 * another dispatcher on this volume, such as a command, would take it for one that was never started.
 * @param waitMs how long to wait for another dispatcher
 * @returns undefined: another one has it
 */
export async function holdDispatch(
  home: string,
  { slug, file }: BoardPlace,
  clock: Clock,
  waitMs: number,
): Promise<TickLock | undefined> {
  if (file !== undefined) return takeTickLock({ slug, file }, clock, waitMs)
  const state = dispatchStateFile(home, slug)
  makeDirectory(dirname(state), 0o700)
  return takeTickLock({ slug, file: state }, clock, waitMs)
}
