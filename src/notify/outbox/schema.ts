import { HermesError } from '../../system/errors.ts'
import type { Database } from '../../system/files/sqlite.ts'
import { requireSchema, statementsOf } from '../../system/files/sqlite-schema.ts'

const SCHEMA_VERSION = 1
const SCHEMA = `
  CREATE TABLE letters (
    target TEXT NOT NULL,
    id TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT, -- null: a digest that still takes events
    collected TEXT, -- its events so far
    state TEXT NOT NULL, -- waiting, delivered, dead
    made_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last TEXT, -- what the last attempt has given
    ended_ms INTEGER,
    PRIMARY KEY (target, id)
  ) WITHOUT ROWID;
  CREATE INDEX letters_by_due ON letters (target, state, due_ms);
  CREATE TABLE windows (
    target TEXT PRIMARY KEY,
    start_ms INTEGER NOT NULL,
    events INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE notes (
    subject TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};`

/** Makes the tables of an empty file. */
export const prepareSchema = (database: Database): void =>
  database
    .transaction(() => {
      if (versionOf(database) === 0) database.exec(SCHEMA)
    })
    .immediate()

/** @throws HermesError: it is not an outbox, or one of a newer version */
export function requireOutbox(database: Database, file: string): void {
  const found = versionOf(database)
  if (found !== SCHEMA_VERSION)
    throw new HermesError('FAILED', `${file} has schema version ${found}; this program supports ${SCHEMA_VERSION}`, {
      next: 'use the newer version of hermes that wrote it, or move the file away',
    })
  requireSchema(database, file, { required: statementsOf(SCHEMA) })
}

const versionOf = (database: Database): unknown => database.pragma('user_version', { simple: true })
