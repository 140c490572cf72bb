/** The outbox as commands show it. They only read, also while the notifier writes. */
import { existsSync } from 'node:fs'
import { databaseError, openDatabase } from '../../system/files/sqlite.ts'
import type { LetterRow } from '../why.ts'
import { outboxFile } from './outbox.ts'
import { requireOutbox } from './schema.ts'

/** Every message that is kept, the newest first; none where nothing was ever sent. @throws HermesError */
export function readLetters(home: string): readonly LetterRow[] {
  const file = outboxFile(home)
  // A command must not make the file.
  if (!existsSync(file)) return []
  const database = openDatabase(file, { readOnly: true })
  try {
    requireOutbox(database, file)
    return database
      .prepare<[], LetterRow>(
        `SELECT target, id, event, state, made_ms AS madeMs, due_ms AS dueMs, attempts, last, ended_ms AS endedMs
         FROM letters ORDER BY made_ms DESC, id`,
      )
      .all()
  } catch (error) {
    throw databaseError(error, file)
  } finally {
    database.close()
  }
}
