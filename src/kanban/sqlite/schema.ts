/**
 * The board's tables. `PRAGMA user_version` counts their generations, and an older version refuses a newer one. Columns
 * that an older version need not know are added to the tables instead, and counted in `additions`.
 */

import { HermesError } from '../../system/errors.ts'
import type { Database } from '../../system/files/sqlite.ts'
import { copyBeforeChange } from '../../system/files/sqlite-copy.ts'
import { requireSchema, statementsOf } from '../../system/files/sqlite-schema.ts'
import { STATUSES } from '../task.ts'
import { ADDITIONS_TABLE, addMissing, missingAdditions } from './additions.ts'
import { SEAL_STATEMENTS } from './seal.ts'

const VERSION = 1

const statuses = STATUSES.map((status) => `'${status}'`).join(', ')

/**
 * Partial indexes: a tick reads running, promotable, due and ready tasks, and never finished ones, however many there
 * are. `rank` turns "priority descending, then age" into one direction, so that a page can begin anywhere. Triggers
 * maintain `open_parents`, so it is correct for every writer (the sqlite3 shell, another tool).
 */
const TABLES = `
CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  body TEXT NOT NULL DEFAULT '',
  assignee TEXT,
  status TEXT NOT NULL DEFAULT 'todo' CHECK (status IN (${statuses})),
  priority INTEGER NOT NULL DEFAULT 0,
  rank INTEGER GENERATED ALWAYS AS (-priority) VIRTUAL,
  created_by TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  scheduled_at INTEGER,
  workspace_kind TEXT NOT NULL DEFAULT 'scratch' CHECK (workspace_kind IN ('scratch', 'dir')),
  workspace_path TEXT,
  claim_lock TEXT,
  claim_expires_at INTEGER,
  worker_pid INTEGER,
  worker_start_time INTEGER,
  heartbeat_at INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  max_runtime_ms INTEGER,
  max_retries INTEGER,
  result TEXT,
  idempotency_key TEXT,
  current_run INTEGER,
  pauses INTEGER NOT NULL DEFAULT 0,
  paused_until INTEGER,
  succeeded_at INTEGER,
  changed_at INTEGER NOT NULL DEFAULT 0,
  open_parents INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX tasks_ready ON tasks (rank, created_at, seq) WHERE status = 'ready';
CREATE INDEX tasks_running ON tasks (seq) WHERE status = 'running';
CREATE INDEX tasks_promotable ON tasks (seq) WHERE status = 'todo' AND open_parents = 0;
CREATE INDEX tasks_scheduled ON tasks (scheduled_at) WHERE status = 'scheduled';
CREATE INDEX tasks_status ON tasks (status, seq);
CREATE INDEX tasks_assignee ON tasks (assignee, status, seq);
CREATE UNIQUE INDEX tasks_idempotency ON tasks (idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE links (
  parent TEXT NOT NULL REFERENCES tasks (id),
  child TEXT NOT NULL REFERENCES tasks (id),
  PRIMARY KEY (parent, child),
  CHECK (parent <> child)
) WITHOUT ROWID;
CREATE INDEX links_child ON links (child);

CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  profile TEXT NOT NULL,
  outcome TEXT,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  host TEXT NOT NULL DEFAULT '',
  instance TEXT NOT NULL DEFAULT '',
  slot TEXT NOT NULL DEFAULT '',
  exit_code INTEGER,
  signal TEXT,
  summary TEXT,
  error TEXT
);
CREATE INDEX runs_task ON runs (task_id, id);

CREATE TABLE comments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  author TEXT NOT NULL,
  body TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX comments_task ON comments (task_id, id);

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL,
  run_id INTEGER,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL DEFAULT '{}',
  at INTEGER NOT NULL
);
CREATE INDEX events_task ON events (task_id, id);

CREATE TRIGGER links_added AFTER INSERT ON links BEGIN
  UPDATE tasks SET open_parents = open_parents + 1
  WHERE id = new.child AND EXISTS (SELECT 1 FROM tasks WHERE id = new.parent AND status NOT IN ('done', 'archived'));
END;
CREATE TRIGGER links_removed AFTER DELETE ON links BEGIN
  UPDATE tasks SET open_parents = open_parents - 1
  WHERE id = old.child AND EXISTS (SELECT 1 FROM tasks WHERE id = old.parent AND status NOT IN ('done', 'archived'));
END;
CREATE TRIGGER tasks_closed AFTER UPDATE OF status ON tasks
WHEN old.status NOT IN ('done', 'archived') AND new.status IN ('done', 'archived') BEGIN
  UPDATE tasks SET open_parents = open_parents - 1 WHERE id IN (SELECT child FROM links WHERE parent = new.id);
END;
CREATE TRIGGER tasks_reopened AFTER UPDATE OF status ON tasks
WHEN old.status IN ('done', 'archived') AND new.status NOT IN ('done', 'archived') BEGIN
  UPDATE tasks SET open_parents = open_parents + 1 WHERE id IN (SELECT child FROM links WHERE parent = new.id);
END;
`

const STATEMENTS = statementsOf(TABLES)

/**
 * Migrates a board to this schema generation. A board of an earlier version is copied before.
 * @throws HermesError FAILED when a newer version has written it, or the database is foreign
 */
export function migrate(database: Database, file: string, warn: (text: string) => void): void {
  const isNew = versionOf(database) !== VERSION
  if (isNew) make(database, file)
  requireTables(database, file)
  if (missingAdditions(database).length === 0) return
  if (!isNew) copyBeforeChange(database, file, warn)
  addMissing(database)
}

const requireTables = (database: Database, file: string): void =>
  requireSchema(database, file, { required: STATEMENTS, optional: [...SEAL_STATEMENTS, ADDITIONS_TABLE] })

function make(database: Database, file: string): void {
  database
    .transaction(() => {
      // Checked again inside the transaction: two processes may open a new board at once.
      const version = versionOf(database)
      if (version > VERSION) throw newerBoard(file, version)
      if (version === 0) database.exec(TABLES)
      database.pragma(`user_version = ${VERSION}`)
    })
    .immediate()
}

const versionOf = (database: Database): number => Number(database.pragma('user_version', { simple: true }))

export function requireVersion(database: Database, file: string): void {
  const version = versionOf(database)
  if (version > VERSION) throw newerBoard(file, version)
  if (version < VERSION)
    throw new HermesError('FAILED', `${file} is not a board`, { next: '"hermes kanban init" creates one' })
  requireTables(database, file)
}

/**
 * Names of the columns that {@link migrate} would add.
 * @throws HermesError as migrate does
 */
export function boardChanges(database: Database, file: string): readonly string[] {
  requireVersion(database, file)
  return missingAdditions(database)
}

const newerBoard = (file: string, version: number): HermesError =>
  new HermesError('FAILED', `${file} has schema generation ${version}; this version supports ${VERSION}`, {
    next: 'use the version that wrote it, or a newer one',
  })
