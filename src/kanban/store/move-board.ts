/**
 * Moves the directory of a board, in two steps. A program that has the board open, such as the dispatcher, removes its
 * write-ahead log by its path when it closes it. So the directory first gets a name that boards cannot have, until
 * every program has closed the old one; a new board of the old name is refused until then.
 */
import { existsSync, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Clock, pause } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { databaseProblem, openDatabase } from '../../system/files/sqlite.ts'
import type { FilePlace } from '../port/board.ts'
import { boardIsThere, boardRuns } from '../port/refusals.ts'
import { noBoard, openTables } from './board.ts'
import { leavingDirectory } from './places.ts'

/** Time for other programs to close the board. A dispatcher looks every second, and after its tick. */
const CLOSE_MS = 30_000
const LOOK_MS = 50

/**
 * @param to the new directory; it is not there yet
 * @param evenSealed also a board that accepts no changes
 * @throws HermesError FAILED, REFUSED; the board is then in use as before
 */
export async function moveBoardDirectory(
  place: FilePlace,
  to: string,
  { clock, evenSealed }: { readonly clock: Clock; readonly evenSealed: boolean },
): Promise<void> {
  const directory = dirname(place.file)
  const leaving = leavingDirectory(directory)
  // Of a command that was interrupted.
  if (!existsSync(directory) && existsSync(leaving)) renameSync(leaving, directory)
  if (!existsSync(place.file)) throw noBoard(place)
  if (existsSync(to)) throw boardIsThere(basename(to))
  const tables = openTables(place, { mode: 'write', evenSealed, warn: () => undefined })
  try {
    // Under the write lock, so that no journal is in use and no task is claimed.
    tables.write(() => {
      const running = tables.get<{ n: number }>("SELECT count(*) AS n FROM tasks WHERE status = 'running'")?.n ?? 0
      if (running > 0) throw boardRuns(place.slug, running)
      renameSync(directory, leaving)
    })
  } finally {
    tables.close()
  }
  try {
    await untilClosed(join(leaving, basename(place.file)), place.slug, clock)
    makeDirectory(dirname(to), 0o700)
    renameSync(leaving, to)
  } catch (error) {
    renameSync(leaving, directory)
    throw error
  }
}

/** To leave WAL mode, SQLite needs the file for itself, and the log is gone afterwards. */
async function untilClosed(file: string, slug: string, clock: Clock): Promise<void> {
  const untilMs = clock.nowMs() + CLOSE_MS
  while (!isClosed(file)) {
    if (clock.nowMs() >= untilMs)
      throw new HermesError('REFUSED', `another program has the board "${slug}" open; nothing was changed`, {
        next: 'end it, or stop the dispatcher: hermes stop dispatcher',
      })
    await pause(clock, LOOK_MS)
  }
}

function isClosed(file: string): boolean {
  const database = openDatabase(file, { busyTimeoutMs: 0, journal: 'keep' })
  try {
    return database.pragma('journal_mode = DELETE', { simple: true }) === 'delete'
  } catch (error) {
    if (databaseProblem(error) === 'busy') return false
    throw error
  } finally {
    database.close()
  }
}
