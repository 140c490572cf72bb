import type { Clock } from '../system/clock.ts'
import { HermesError } from '../system/errors.ts'
import { databaseError, openDatabase } from '../system/files/sqlite.ts'

/** Every database begins with it (https://sqlite.org/fileformat.html). */
const MAGIC = Buffer.from('SQLite format 3\0')
export const MAGIC_BYTES = MAGIC.length

export const isDatabase = (head: Buffer): boolean => head.subarray(0, MAGIC_BYTES).equals(MAGIC)

/** Name of a journal beside its database. */
export const JOURNAL = /-(?:wal|shm|journal)$/

const ALL_PAGES = 0x7fffffff
const BUSY_TIMEOUT_MS = 500
const BUDGET_MS = 15_000

/**
 * Copies one moment of a database that others write to, page by page: nothing in its schema runs. All pages are read
 * in one step. In several, each commit of another process between them would begin the copy again.
 * @param target a file that does not exist
 * @throws HermesError naming `file`; databaseProblem() returns the kind of trouble
 */
export async function snapshotDatabase(file: string, target: string, clock: Clock): Promise<void> {
  // Not read-only: what a killed writer has left in a journal is to be rolled back.
  const database = openDatabase(file, { journal: 'keep', busyTimeoutMs: BUSY_TIMEOUT_MS })
  const untilMs = clock.nowMs() + BUDGET_MS
  try {
    await database.backup(target, {
      progress: () => {
        if (clock.nowMs() > untilMs) throw Object.assign(new Error('no moment without a writer'), BUSY)
        return ALL_PAGES
      },
    })
  } catch (error) {
    const known = databaseError(error, file)
    throw known instanceof HermesError ? known : error
  } finally {
    database.close()
  }
}

const BUSY = { code: 'SQLITE_BUSY' } as const
