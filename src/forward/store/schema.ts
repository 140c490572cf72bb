import { HermesError } from '../../system/errors.ts'
import type { Database } from '../../system/files/sqlite.ts'
import { requireSchema, statementsOf } from '../../system/files/sqlite-schema.ts'

const SCHEMA_VERSION = 1
const SCHEMA = `
  CREATE TABLE positions (
    target TEXT NOT NULL,
    slot TEXT NOT NULL,
    after_ms INTEGER NOT NULL,
    inode TEXT NOT NULL,
    head TEXT NOT NULL,
    offset INTEGER NOT NULL,
    ns TEXT NOT NULL,
    PRIMARY KEY (target, slot)
  ) WITHOUT ROWID;
  CREATE TABLE targets (
    target TEXT PRIMARY KEY,
    sent INTEGER NOT NULL DEFAULT 0, -- lines
    refused INTEGER NOT NULL DEFAULT 0, -- lines
    gaps INTEGER NOT NULL DEFAULT 0,
    lost_bytes INTEGER NOT NULL DEFAULT 0,
    sent_ms INTEGER, -- when lines were last taken
    trouble TEXT, -- null: the last attempt went well
    trouble_ms INTEGER -- since when
  ) WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};`

/** Makes the tables of an empty file. */
export const prepareSchema = (database: Database): void =>
  database
    .transaction(() => {
      if (versionOf(database) === 0) database.exec(SCHEMA)
    })
    .immediate()

/** @throws HermesError: it is not a file of the forwarder, or one of a newer version */
export function requireForwardSchema(database: Database, file: string): void {
  const found = versionOf(database)
  if (found !== SCHEMA_VERSION)
    throw new HermesError('FAILED', `${file} has schema version ${found}; this program supports ${SCHEMA_VERSION}`, {
      next: 'use the newer version of hermes that wrote it, or move the file away',
    })
  requireSchema(database, file, { required: statementsOf(SCHEMA) })
}

const versionOf = (database: Database): unknown => database.pragma('user_version', { simple: true })
