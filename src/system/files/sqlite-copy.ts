/** A copy of a database before a newer version adds to its tables. */
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync } from 'node:fs'
import { hasCode } from '../error-code.ts'
import { type Database, databaseProblem } from './sqlite.ts'

/**
 * Copies one moment of a database to `<file>.before-<time>`, which nothing of ours removes. Without the room or the
 * right to do so it warns: what is to be added harms neither the rows nor an earlier version.
 * @param database not in a transaction; its tables have been checked
 * @throws the error of SQLite when another process has locked it
 */
export function copyBeforeChange(database: Database, file: string, warn: (text: string) => void): void {
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const copy = `${file}.before-${stamp}`
  const part = `${copy}.part`
  try {
    // SQLite writes into an empty file, too, and would make one that others may read. Another process that opens the
    // database in the same second finds the copy being made.
    closeSync(openSync(part, 'wx', 0o600))
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) warn(problemText(file, error))
    return
  }
  try {
    database.prepare('VACUUM INTO ?').run(part)
    const fd = openSync(part, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(part, copy)
  } catch (error) {
    unlinkSync(part)
    if (databaseProblem(error) === 'busy') throw error
    warn(problemText(file, error))
  }
}

const problemText = (file: string, error: unknown): string =>
  `${file} gets what this version adds, and could not be copied before: ${(error as Error).message}`
