import { createHash } from 'node:crypto'
import { HermesError } from '../../system/errors.ts'
import { STATUSES } from '../task.ts'
import type { Client, Connection } from './connection.ts'
import { addNodeTables, fence, lockBoards } from './node-tables.ts'

/** Counts the generations of the tables, in `hermes.boards`. */
export const VERSION = 4

const statuses = STATUSES.map((status) => `'${status}'`).join(', ')

/** Milliseconds by the database's clock, which goes on inside a transaction and while a lock is waited for. */
export const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint'

/** The schema that holds the tables of a board. Names of schemas have 63 bytes, those of boards 64. */
export const schemaOf = (slug: string): string =>
  slug.length <= 40 ? `hermes_${slug}` : `hermes_${createHash('sha256').update(slug).digest('hex').slice(0, 40)}`

/**
 * As in SQLite: partial indexes, so that a tick reads nothing of what is done, and triggers for `open_parents`. A
 * trigger that looks at a parent locks its row: its status cannot change before the transaction ends. `COLLATE "C"`:
 * ids are compared as bytes, whatever the database's language. `json` and not `jsonb`: keys keep the order in which
 * commands show them.
 */
const firstTables = (s: string): string => `
CREATE TABLE ${s}.tasks (
  seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id text COLLATE "C" PRIMARY KEY,
  title text NOT NULL,
  body text NOT NULL DEFAULT '',
  assignee text COLLATE "C",
  status text COLLATE "C" NOT NULL DEFAULT 'todo' CHECK (status IN (${statuses})),
  priority integer NOT NULL DEFAULT 0,
  rank integer GENERATED ALWAYS AS (-priority) STORED,
  created_by text NOT NULL DEFAULT '',
  created_at bigint NOT NULL,
  started_at bigint,
  completed_at bigint,
  scheduled_at bigint,
  workspace_kind text NOT NULL DEFAULT 'scratch' CHECK (workspace_kind IN ('scratch', 'dir')),
  workspace_path text,
  claim_lock text,
  claim_expires_at bigint,
  worker_pid bigint,
  worker_start_time bigint,
  heartbeat_at bigint,
  failures integer NOT NULL DEFAULT 0,
  last_error text,
  max_runtime_ms bigint,
  max_retries integer,
  result text,
  idempotency_key text COLLATE "C",
  current_run bigint,
  pauses integer NOT NULL DEFAULT 0,
  paused_until bigint,
  succeeded_at bigint,
  changed_at bigint NOT NULL DEFAULT 0,
  open_parents integer NOT NULL DEFAULT 0
);
CREATE INDEX tasks_ready ON ${s}.tasks (rank, created_at, seq) WHERE status = 'ready';
CREATE INDEX tasks_running ON ${s}.tasks (seq) WHERE status = 'running';
CREATE INDEX tasks_promotable ON ${s}.tasks (seq) WHERE status = 'todo' AND open_parents = 0;
CREATE INDEX tasks_scheduled ON ${s}.tasks (scheduled_at) WHERE status = 'scheduled';
CREATE INDEX tasks_status ON ${s}.tasks (status, seq);
CREATE INDEX tasks_assignee ON ${s}.tasks (assignee, status, seq);
CREATE UNIQUE INDEX tasks_idempotency ON ${s}.tasks (idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE ${s}.links (
  parent text COLLATE "C" NOT NULL REFERENCES ${s}.tasks (id),
  child text COLLATE "C" NOT NULL REFERENCES ${s}.tasks (id),
  PRIMARY KEY (parent, child),
  CHECK (parent <> child)
);
CREATE INDEX links_child ON ${s}.links (child);

CREATE TABLE ${s}.runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id text COLLATE "C" NOT NULL REFERENCES ${s}.tasks (id),
  profile text NOT NULL,
  outcome text,
  started_at bigint NOT NULL,
  ended_at bigint,
  host text NOT NULL DEFAULT '',
  instance text NOT NULL DEFAULT '',
  slot text COLLATE "C" NOT NULL DEFAULT '',
  exit_code integer,
  signal text,
  summary text,
  error text
);
CREATE INDEX runs_task ON ${s}.runs (task_id, id);

CREATE TABLE ${s}.comments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id text COLLATE "C" NOT NULL REFERENCES ${s}.tasks (id),
  author text NOT NULL,
  body text NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX comments_task ON ${s}.comments (task_id, id);

CREATE TABLE ${s}.events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id text COLLATE "C" NOT NULL,
  run_id bigint,
  kind text NOT NULL,
  payload json NOT NULL DEFAULT '{}',
  at bigint NOT NULL
);
CREATE INDEX events_task ON ${s}.events (task_id, id);

CREATE FUNCTION ${s}.links_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM ${s}.tasks WHERE id = new.parent AND status NOT IN ('done', 'archived') FOR NO KEY UPDATE;
  IF FOUND THEN UPDATE ${s}.tasks SET open_parents = open_parents + 1 WHERE id = new.child; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER links_added AFTER INSERT ON ${s}.links FOR EACH ROW EXECUTE FUNCTION ${s}.links_added();

CREATE FUNCTION ${s}.links_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM ${s}.tasks WHERE id = old.parent AND status NOT IN ('done', 'archived') FOR NO KEY UPDATE;
  IF FOUND THEN UPDATE ${s}.tasks SET open_parents = open_parents - 1 WHERE id = old.child; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER links_removed AFTER DELETE ON ${s}.links FOR EACH ROW EXECUTE FUNCTION ${s}.links_removed();

CREATE FUNCTION ${s}.tasks_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE ${s}.tasks SET open_parents = open_parents + CASE WHEN new.status IN ('done', 'archived') THEN -1 ELSE 1 END
  WHERE id IN (SELECT child FROM ${s}.links WHERE parent = new.id);
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_moved AFTER UPDATE OF status ON ${s}.tasks FOR EACH ROW
  WHEN ((old.status IN ('done', 'archived')) <> (new.status IN ('done', 'archived')))
  EXECUTE FUNCTION ${s}.tasks_moved();
`

/**
 * What each generation adds to the one before; a new board passes through all of them. Nothing is removed or renamed,
 * because an older version that has the board open goes on reading it.
 */
const MIGRATIONS: Readonly<Record<number, (s: string) => string>> = {
  2: (s) => `
ALTER TABLE ${s}.tasks ADD COLUMN IF NOT EXISTS once integer, ADD COLUMN IF NOT EXISTS needs text,
  ADD COLUMN IF NOT EXISTS result_schema text, ADD COLUMN IF NOT EXISTS result_json text;
`,
  3: fence,
  4: (s) => `
CREATE TABLE IF NOT EXISTS ${s}.settings (
  key text COLLATE "C" PRIMARY KEY, value json NOT NULL, changed_by text NOT NULL, changed_at bigint NOT NULL
);
`,
}

const BOARDS = `CREATE SCHEMA IF NOT EXISTS hermes;
CREATE TABLE IF NOT EXISTS hermes.boards (
  slug text COLLATE "C" PRIMARY KEY,
  schema_version integer NOT NULL,
  created_at bigint NOT NULL,
  sealed jsonb
)`

/** Makes a board, unless it is there. */
export async function makeBoard(connection: Connection, slug: string): Promise<void> {
  if ((await versionOf(connection, slug)) !== undefined) return
  await connection.transaction(async (client) => {
    await lockBoards(client)
    await client.query(BOARDS)
    const known = await client.query('SELECT 1 FROM hermes.boards WHERE slug = $1', [slug])
    if (known.rows.length === 0) await make(client, slug)
  })
}

/** Brings a board to this generation. @param from its generation */
export async function migrateBoard(connection: Connection, slug: string, from: number): Promise<void> {
  if (from >= VERSION) return
  await connection.transaction(async (client) => {
    await lockBoards(client)
    const { rows } = await client.query('SELECT schema_version FROM hermes.boards WHERE slug = $1', [slug])
    // Another process may have been quicker.
    const found = (rows[0] as { schema_version: number } | undefined)?.schema_version ?? VERSION
    await addGenerations(client, `"${schemaOf(slug)}"`, found)
    await client.query('UPDATE hermes.boards SET schema_version = greatest(schema_version, $2) WHERE slug = $1', [
      slug,
      VERSION,
    ])
  })
}

async function addGenerations(client: Client, s: string, from: number): Promise<void> {
  if (from < VERSION) await addNodeTables(client)
  for (let generation = from + 1; generation <= VERSION; generation++) {
    const statements = MIGRATIONS[generation]
    if (statements !== undefined) await client.query(statements(s))
  }
}

async function make(client: Client, slug: string): Promise<void> {
  const schema = `"${schemaOf(slug)}"`
  await client.query(`CREATE SCHEMA ${schema}`)
  await client.query(firstTables(schema))
  await addGenerations(client, schema, 1)
  await client.query(`INSERT INTO hermes.boards (slug, schema_version, created_at) VALUES ($1, $2, ${NOW})`, [
    slug,
    VERSION,
  ])
}

/** The oldest version that is tested, as `server_version_num` has it. */
const OLDEST_SERVER = 150_000

/**
 * Tells whether a board has ever been made in the database.
 * @throws HermesError FAILED for a server that is too old
 */
async function hasBoards(connection: Connection): Promise<boolean> {
  const found = await connection.get<{ server: number; there: boolean }>(
    `SELECT current_setting('server_version_num')::integer AS server, to_regclass('hermes.boards') IS NOT NULL AS there`,
  )
  const server = found?.server ?? 0
  if (server < OLDEST_SERVER)
    throw new HermesError(
      'FAILED',
      `the database at ${connection.where} runs PostgreSQL ${Math.floor(server / 10_000)}`,
      {
        next: `use PostgreSQL ${OLDEST_SERVER / 10_000} or newer`,
      },
    )
  return found?.there === true
}

/** Names of the boards, the default first. */
export async function slugsOf(connection: Connection): Promise<readonly string[]> {
  if (!(await hasBoards(connection))) return []
  return connection.use(async (client) => {
    const { rows } = await client.query("SELECT slug FROM hermes.boards ORDER BY slug <> 'default', slug")
    return (rows as { slug: string }[]).map(({ slug }) => slug)
  })
}

/** undefined: there is no such board. */
export async function versionOf(connection: Connection, slug: string): Promise<number | undefined> {
  if (!(await hasBoards(connection))) return undefined
  const row = await connection.get<{ schema_version: number }>(
    'SELECT schema_version FROM hermes.boards WHERE slug = $1',
    slug,
  )
  return row?.schema_version
}

export const newerBoard = (slug: string, version: number): HermesError =>
  new HermesError('FAILED', `the board "${slug}" has schema generation ${version}; this version supports ${VERSION}`, {
    next: 'use the version that wrote it, or a newer one',
  })
