import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import {
  type Database,
  databaseError,
  databaseId,
  databaseProblem,
  openDatabase,
  setAsideDatabase,
  whenFree,
} from '../../system/files/sqlite.ts'
import { copyBeforeChange } from '../../system/files/sqlite-copy.ts'
import { requireSchema, statementsOf } from '../../system/files/sqlite-schema.ts'
import { instantText } from '../../system/instant.ts'
import type { Message } from '../agent/agent.ts'
import { isSystem } from '../agent/prompt.ts'
import { newestTurns } from './conversation.ts'

/**
 * A profile's conversations, in `sessions/sessions.db`. Several processes may have it open: the gateway, `hermes chat`.
 */
export interface SessionStore {
  /** The session's system prompt, if it has one, and its newest turns as far as they are sent along, oldest first. */
  history(session: string): readonly Message[]
  /** Adds a question and its answer, both or neither. Waits up to 5 s for another writer. @throws HermesError */
  append(session: string, messages: readonly Message[]): Promise<void>
  /** The latest first. */
  list(limit: number): readonly SessionSummary[]
  close(): void
}

export interface SessionSummary {
  readonly id: string
  readonly messages: number
  /** RFC 3339 UTC. */
  readonly createdAt: string
  readonly updatedAt: string
}

const WRITE_BUDGET_MS = 5000
/** Time that one attempt may block the process; the rest of the wait is between attempts. */
const BUSY_TIMEOUT_MS = 50
const SCHEMA_VERSION = 1

const SCHEMA = `
  CREATE TABLE sessions (id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX sessions_by_update ON sessions (updated_ms);
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    message TEXT NOT NULL -- JSON, as OpenAI has it
  );
  CREATE INDEX messages_by_session ON messages (session, id);
  PRAGMA user_version = ${SCHEMA_VERSION};`

/** Added later. Programs that do not know it still work, so it needs no new schema version. */
const PROMPTS = `
  CREATE TABLE prompts (
    session TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    messages TEXT NOT NULL -- JSON, a list
  ) WITHOUT ROWID;`

/** Tables that a store must have, and tables that it may have. */
export const SESSION_TABLES = { required: statementsOf(SCHEMA), optional: statementsOf(PROMPTS) } as const

const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/

/** Tells whether {@link parseSessionId} accepts it as a name. */
export const isSessionId = (id: string): boolean => ID.test(id)

/** Parses the name of a session. @throws HermesError BAD_NAME */
export function parseSessionId(text: string): string {
  if (isSessionId(text)) return text
  throw new HermesError('BAD_NAME', `${JSON.stringify(text.slice(0, 140))} is not a valid session name`, {
    next: 'use 1 to 128 letters, digits and . _ : -, starting with a letter or digit',
  })
}

export const newSessionId = (): string => `s_${randomBytes(6).toString('hex')}`

export const sessionsFile = (profileDir: string): string => join(profileDir, 'sessions', 'sessions.db')

/**
 * Opens the store and creates it if it does not exist. A damaged or foreign one is moved aside, reported by `warn`,
 * and replaced by a new one: an agent without its memory is better than no agent.
 * @throws HermesError when it cannot be opened, or was written by a newer version
 */
export function openSessions(profileDir: string, clock: Clock, warn: (text: string) => void): SessionStore {
  const file = sessionsFile(profileDir)
  const open = (): Database =>
    prepared(openDatabase(file, { durable: false, busyTimeoutMs: BUSY_TIMEOUT_MS, warn }), file, warn)
  const found = databaseId(file)
  try {
    return store(open(), file, clock)
  } catch (error) {
    if (!['corrupt', 'foreign'].includes(databaseProblem(error) ?? '')) throw error
    const aside = setAsideDatabase(file, found, new Date(clock.wallMs()).toISOString().replace(/[-:]/g, ''))
    if (aside !== undefined) warn(`${(error as Error).message}; it is kept as ${aside}, and the sessions begin anew`)
    return store(open(), file, clock)
  }
}

function prepared(database: Database, file: string, warn: (text: string) => void): Database {
  try {
    if (versionOf(database) === SCHEMA_VERSION && !hasPrompts(database)) {
      requireVersion(database, file)
      copyBeforeChange(database, file, warn)
    }
    // Two processes may open a new file at the same time; the second finds the schema in place.
    database
      .transaction(() => {
        if (versionOf(database) === 0) database.exec(SCHEMA)
        if (versionOf(database) === SCHEMA_VERSION && !hasPrompts(database)) database.exec(PROMPTS)
      })
      .immediate()
    requireVersion(database, file)
    return database
  } catch (error) {
    database.close()
    throw databaseError(error, file)
  }
}

/**
 * Names of the tables that {@link openSessions} would add.
 * @throws HermesError for a store that it would not open, or move aside
 */
export function sessionsChanges(database: Database, file: string): readonly string[] {
  requireVersion(database, file)
  return hasPrompts(database) ? [] : ['prompts']
}

const versionOf = (database: Database): unknown => database.pragma('user_version', { simple: true })

/** @throws HermesError */
function requireVersion(database: Database, file: string): void {
  const found = versionOf(database)
  if (found !== SCHEMA_VERSION)
    throw new HermesError('FAILED', `${file} has schema version ${found}; this program supports ${SCHEMA_VERSION}`, {
      next: 'use the newer version of hermes that wrote it, or move the file away',
    })
  requireSchema(database, file, SESSION_TABLES)
}

const hasPrompts = (database: Database): boolean =>
  database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'prompts'").get() !== undefined

function store(database: Database, file: string, clock: Clock): SessionStore {
  const upsert = database.prepare(
    `INSERT INTO sessions VALUES (@session, @now, @now)
     ON CONFLICT (id) DO UPDATE SET updated_ms = max(updated_ms, excluded.updated_ms)`,
  )
  const insert = database.prepare('INSERT INTO messages (session, at_ms, message) VALUES (?, ?, ?)')
  const newestFirst = database.prepare<[string], { message: string }>(
    'SELECT message FROM messages WHERE session = ? ORDER BY id DESC',
  )
  const upsertPrompt = database.prepare(
    'INSERT INTO prompts VALUES (?, ?) ON CONFLICT (session) DO UPDATE SET messages = excluded.messages',
  )
  const prompt = database.prepare<[string], string>('SELECT messages FROM prompts WHERE session = ?').pluck()
  const latest = database.prepare<[number], { id: string; created_ms: number; updated_ms: number; messages: number }>(
    `SELECT s.*, (SELECT count(*) FROM messages WHERE session = s.id) AS messages
     FROM sessions s ORDER BY updated_ms DESC, id LIMIT ?`,
  )
  const add = database.transaction((session: string, messages: readonly Message[]) => {
    const now = Math.round(clock.wallMs())
    upsert.run({ session, now })
    const system = messages.filter(isSystem)
    if (system.length > 0) upsertPrompt.run(session, JSON.stringify(system))
    for (const message of messages) if (!isSystem(message)) insert.run(session, now, JSON.stringify(message))
  })
  const explained = <T>(attempt: () => T): T => {
    try {
      return attempt()
    } catch (error) {
      throw databaseError(error, file)
    }
  }
  return {
    history: (session) =>
      explained(() => {
        const system = prompt.get(session)
        const turns = newestTurns(parsed(newestFirst.iterate(session)))
        return system === undefined
          ? turns
          : [...(JSON.parse(system) as Message[]), ...turns.filter((message) => !isSystem(message))]
      }),
    append: (session, messages) =>
      whenFree(clock, WRITE_BUDGET_MS, () => explained(() => add.immediate(session, messages))),
    list: (limit) =>
      explained(() =>
        latest.all(limit).flatMap(({ id, messages, created_ms, updated_ms }) => {
          const createdAt = instantText(created_ms)
          const updatedAt = instantText(updated_ms)
          // A row that our store has not written.
          return createdAt === undefined || updatedAt === undefined ? [] : [{ id, messages, createdAt, updatedAt }]
        }),
      ),
    close: () => database.close(),
  }
}

function* parsed(rows: Iterable<{ message: string }>): Generator<Message> {
  for (const { message } of rows) yield JSON.parse(message) as Message
}
