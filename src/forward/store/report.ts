/** The figures of the forwarder as commands and the dashboard show them. They only read, also while it writes. */
import { existsSync } from 'node:fs'
import { databaseError, openDatabase } from '../../system/files/sqlite.ts'
import { requireForwardSchema } from './schema.ts'
import { forwardFile } from './store.ts'

export interface ForwardTotal {
  readonly target: string
  /** Lines. */
  readonly sent: number
  readonly refused: number
  /** How often lines were removed before they were sent, and the bytes of them that are known. */
  readonly gaps: number
  readonly lostBytes: number
  /** Unix ms. */
  readonly sentMs: number | null
  /** Why the last attempt failed; null: it did not. */
  readonly trouble: string | null
  readonly troubleMs: number | null
}

/** One for each target that there has been; none where nothing was ever sent. @throws HermesError */
export function forwardTotals(home: string): readonly ForwardTotal[] {
  const file = forwardFile(home)
  // A command must not make the file.
  if (!existsSync(file)) return []
  const database = openDatabase(file, { readOnly: true })
  try {
    requireForwardSchema(database, file)
    return database
      .prepare<[], ForwardTotal>(
        `SELECT target, sent, refused, gaps, lost_bytes AS lostBytes, sent_ms AS sentMs, trouble,
           trouble_ms AS troubleMs
         FROM targets ORDER BY target`,
      )
      .all()
  } catch (error) {
    throw databaseError(error, file)
  } finally {
    database.close()
  }
}
