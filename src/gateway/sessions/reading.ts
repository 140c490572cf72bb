/** Conversations as others see them: read-only, so that nobody makes a database by looking for one. */
import { existsSync } from 'node:fs'
import { HermesError } from '../../system/errors.ts'
import { type Database, openDatabase } from '../../system/sqlite.ts'
import type { Message } from '../agent/agent.ts'
import { sessionsFile } from './store.ts'

export interface SessionGlance {
  readonly id: string
  /** How the conversation began. */
  readonly title?: string
  readonly messages: number
  /** RFC 3339 UTC. */
  readonly updatedAt: string
}

const TITLE_CHARS = 80

interface Row {
  readonly id: string
  readonly updated_ms: number
  readonly messages: number
  readonly first: string | null
}

/** The latest first. A database that is damaged, locked or of a newer version has none for us: its owner reports that. */
export const glanceAtSessions = (profileDir: string, limit: number): readonly SessionGlance[] =>
  reading(profileDir, [], (database) =>
    database
      .prepare<[number], Row>(
        `SELECT s.id, s.updated_ms, (SELECT count(*) FROM messages WHERE session = s.id) AS messages,
           (SELECT message FROM messages WHERE session = s.id ORDER BY id LIMIT 1) AS first
         FROM sessions s ORDER BY updated_ms DESC, id LIMIT ?`,
      )
      .all(limit)
      .map(({ id, updated_ms, messages, first }) => {
        const title = titleOf(first)
        return {
          id,
          ...(title === undefined ? {} : { title }),
          messages,
          updatedAt: new Date(updated_ms).toISOString(),
        }
      }),
  )

/** Conversations that went on since then. */
export const countActiveSessions = (profileDir: string, sinceMs: number): number =>
  reading(profileDir, 0, (database) =>
    Number(database.prepare('SELECT count(*) FROM sessions WHERE updated_ms >= ?').pluck().get(sinceMs)),
  )

function titleOf(first: string | null): string | undefined {
  if (first === null) return undefined
  const { content } = JSON.parse(first) as Message
  if (typeof content !== 'string') return undefined
  const line = content.replaceAll(/\s+/g, ' ').trim()
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS - 1)}…` : line
}

function reading<T>(profileDir: string, none: T, read: (database: Database) => T): T {
  const file = sessionsFile(profileDir)
  if (!existsSync(file)) return none
  let database: Database | undefined
  try {
    database = openDatabase(file, { readOnly: true })
    return read(database)
  } catch (error) {
    if (error instanceof HermesError || (error as { code?: unknown }).code !== undefined) return none
    throw error
  } finally {
    database?.close()
  }
}
