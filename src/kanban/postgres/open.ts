import { HermesError } from '../../system/errors.ts'
import type { Board, BoardPlace } from '../port/board.ts'
import { Connection } from './connection.ts'
import { PostgresBoard } from './postgres-board.ts'
import { makeBoard, newerBoard, VERSION, versionOf } from './schema.ts'

export interface OpenPostgresOptions {
  /** `create`: make it. `write`: it must exist. `read`: nothing is written. */
  readonly mode: 'create' | 'write' | 'read'
  /** Receives a line about a board that a newer version has made, and that is only read. */
  readonly warn: (text: string) => void
}

/**
 * Opens a board in PostgreSQL. `pg` is loaded here, so that a process without such a board does not load it.
 * @param url `postgres://…`; it may contain a password, and is part of no message
 * @throws HermesError FAILED: no such board, made by a newer version, or the database does not answer
 */
export async function openPostgres(place: BoardPlace, url: string, options: OpenPostgresOptions): Promise<Board> {
  const { slug } = place
  const { default: pg } = await import('pg')
  const connection = new Connection(url, pg)
  try {
    if (options.mode === 'create') await makeBoard(connection, slug)
    const version = await versionOf(connection, slug)
    if (version === undefined)
      throw new HermesError('FAILED', `no board "${slug}" in the database at ${connection.where}`, {
        next:
          slug === 'default' ? '"hermes kanban init" creates it' : `"hermes kanban boards create ${slug}" creates it`,
      })
    if (version > VERSION) {
      const error = newerBoard(slug, version)
      if (options.mode !== 'read') throw error
      options.warn(`${error.message}; it is only read`)
    }
    return new PostgresBoard(place, connection)
  } catch (error) {
    await connection.close()
    throw error
  }
}
