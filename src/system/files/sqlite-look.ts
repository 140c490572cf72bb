/** Looks into a database and leaves its directory as it was. */
import { existsSync } from 'node:fs'
import { type Database, databaseError, openDatabase } from './sqlite.ts'

/** A database that is in use may be locked for moments. */
const BUSY_TIMEOUT_MS = 2000

/**
 * Runs `look`, which only reads. A database without a journal is opened as if to write: SQLite makes a journal for a
 * reader, too, and only a writer removes it at the end. With a journal, it is opened for reading, so that nothing in
 * the journal is moved.
 * @returns undefined: there is no such file
 * @throws HermesError naming the file; databaseProblem() returns the kind of trouble
 */
export function lookAtDatabase<T>(file: string, look: (database: Database) => T): T | undefined {
  if (!existsSync(file)) return undefined
  const readOnly = ['-wal', '-journal'].some((suffix) => existsSync(file + suffix))
  const database = openDatabase(file, { readOnly, journal: 'keep', busyTimeoutMs: BUSY_TIMEOUT_MS })
  try {
    return look(database)
  } catch (error) {
    throw databaseError(error, file)
  } finally {
    database.close()
  }
}
