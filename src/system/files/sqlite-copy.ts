/** A copy of a database before a newer version adds to its tables. */
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync } from 'node:fs'
import { hasCode } from '../error-code.ts'
import { fileStamp } from '../instant.ts'
import { type Database, databaseProblem } from './sqlite.ts'

/**
 * Copies one moment of a database to `<file>.before-<time>`, which nothing of ours removes. Without the room or the
 * right to do so it warns: what is to be added harms neither the rows nor an earlier version. A process that was ended
 * during the copy, because it took too long, leaves `<file>.before.part`; no other copy is tried beside that.
 * @param database not in a transaction; its tables have been checked
 * @throws the error of SQLite when another process has locked it
 */
export function copyBeforeChange(database: Database, file: string, warn: (text: string) => void): void {
  const part = `${file}.before.part`
  try {
    // SQLite writes into an empty file, too, and would make one that others may read.
    closeSync(openSync(part, 'wx', 0o600))
  } catch (error) {
    const why = hasCode(error, 'EEXIST')
      ? `${part} is there, from another program or an attempt that was cut off`
      : error
    warn(problemText(file, why))
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
    renameSync(part, `${file}.before-${fileStamp(Date.now())}`)
  } catch (error) {
    unlinkSync(part)
    if (databaseProblem(error) === 'busy') throw error
    warn(problemText(file, error))
  }
}

const problemText = (file: string, why: unknown): string =>
  `${file} gets what this version adds, and could not be copied before: ${why instanceof Error ? why.message : why}`
