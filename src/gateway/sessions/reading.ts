/** Reads conversations of other processes: read-only, so that looking for a database never creates one. */
import { existsSync } from 'node:fs'
import { HermesError } from '../../system/errors.ts'
import { type Database, openDatabase } from '../../system/files/sqlite.ts'
import { requireSchema } from '../../system/files/sqlite-schema.ts'
import { instantText } from '../../system/instant.ts'
import type { Message } from '../agent/agent.ts'
import { isSessionId, SESSION_TABLES, sessionsFile } from './store.ts'

export interface SessionOverview {
  readonly id: string
  /** The first question of the conversation. */
  readonly title?: string
  readonly messages: number
  /** RFC 3339 UTC. */
  readonly updatedAt: string
}

const TITLE_CHARS = 80
/** A longer first message is not read for its title. */
const MAX_TITLE_MESSAGE_BYTES = 1_000_000

interface Row {
  readonly id: unknown
  readonly updated_ms: unknown
  readonly messages: number
  readonly first: unknown
}

/**
 * Most recent first. Returns nothing for a database that is damaged, locked, foreign or newer; its owner reports
 * that.
 */
export const readSessionOverviews = (profileDir: string, limit: number): readonly SessionOverview[] =>
  reading(profileDir, [], (database) =>
    database
      .prepare<[number, number], Row>(
        `SELECT s.id, s.updated_ms,
           (SELECT count(*) FROM messages WHERE session = s.id AND in_time()) AS messages,
           (SELECT CASE WHEN octet_length(message) <= ? THEN message END
            FROM messages WHERE session = s.id AND in_time() ORDER BY id LIMIT 1) AS first
         FROM sessions s WHERE in_time() ORDER BY updated_ms DESC, id LIMIT ?`,
      )
      .all(MAX_TITLE_MESSAGE_BYTES, limit)
      .flatMap(glanceOf),
  )

/** Conversations that went on since then. */
export const countActiveSessions = (profileDir: string, sinceMs: number): number =>
  reading(profileDir, 0, (database) =>
    Number(
      database
        .prepare('SELECT count(*) FROM sessions WHERE updated_ms BETWEEN ? AND 8.64e15 AND in_time()')
        .pluck()
        .get(sinceMs),
    ),
  )

/** Returns nothing for a row that our store has not written. */
function glanceOf({ id, updated_ms, messages, first }: Row): readonly SessionOverview[] {
  const updatedAt = instantText(updated_ms)
  if (typeof id !== 'string' || !isSessionId(id) || updatedAt === undefined) return []
  const title = titleOf(first)
  return [{ id, ...(title === undefined ? {} : { title }), messages, updatedAt }]
}

function titleOf(first: unknown): string | undefined {
  if (typeof first !== 'string') return undefined
  let message: Partial<Message> | null
  try {
    message = JSON.parse(first) as Partial<Message> | null
  } catch {
    return undefined // no message of ours
  }
  const content = message?.content
  if (typeof content !== 'string') return undefined
  const line = content.replaceAll(/\s+/g, ' ').trim()
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS - 1)}…` : line
}

/** Everybody's requests wait while a database is read; one that is built to have no end is left at its next row. */
const READ_BUDGET_MS = 250

function reading<T>(profileDir: string, none: T, read: (database: Database) => T): T {
  const file = sessionsFile(profileDir)
  if (!existsSync(file)) return none
  let database: Database | undefined
  try {
    database = openDatabase(file, { readOnly: true })
    requireSchema(database, file, SESSION_TABLES)
    const untilMs = performance.now() + READ_BUDGET_MS
    // SQLite calls this for each row. Our error ends the statement like an error of SQLite.
    database.function('in_time', { deterministic: false }, () => {
      if (performance.now() > untilMs)
        throw Object.assign(new Error('the query takes too long'), { code: 'SQLITE_INTERRUPT' })
      return 1
    })
    return read(database)
  } catch (error) {
    if (error instanceof HermesError || (error as { code?: unknown }).code !== undefined) return none
    throw error
  } finally {
    database?.close()
  }
}
