import { HermesError } from '../../system/errors.ts'
import type { Board, BoardPlace } from '../port/board.ts'
import { creates, type OpenBoardOptions } from '../port/boards.ts'
import { sealedBoard } from '../port/seal.ts'
import { Connection } from './connection.ts'
import { PostgresBoard } from './postgres-board.ts'
import { makeBoard, migrateBoard, newerBoard, VERSION, versionOf } from './schema.ts'
import { sealOf } from './seal.ts'

/** `warn` receives a line about a board that a newer version has made, and that is only read. */
export type OpenPostgresOptions = Pick<OpenBoardOptions, 'mode' | 'warn' | 'evenSealed'> & {
  /** The id of the node that this process belongs to. */
  readonly node?: string | undefined
}

/**
 * Opens a board in PostgreSQL with a connection of its own. `pg` is loaded here, so that a process without such a board
 * does not load it.
 * @param url `postgres://…`; it may contain a password, and is part of no message
 * @throws HermesError FAILED: no such board, made by a newer version, or the database does not answer
 */
export async function openPostgres(place: BoardPlace, url: string, options: OpenPostgresOptions): Promise<Board> {
  const { default: pg } = await import('pg')
  const connection = new Connection(url, pg)
  try {
    return await openOn(connection, place, options, () => connection.close())
  } catch (error) {
    await connection.close()
    throw error
  }
}

/**
 * Opens a board on a connection that others may use as well.
 * @param close called when the board is closed
 * @throws HermesError as {@link openPostgres}
 */
export async function openOn(
  connection: Connection,
  place: BoardPlace,
  options: OpenPostgresOptions,
  close: () => Promise<void>,
): Promise<Board> {
  const { slug } = place
  if (options.mode === 'create') await makeBoard(connection, slug)
  const version = await versionOf(connection, slug)
  if (version === undefined)
    throw new HermesError('FAILED', `no board "${slug}" in the database at ${connection.where}`, {
      next: creates(slug),
    })
  if (version > VERSION) {
    const error = newerBoard(slug, version)
    if (options.mode !== 'read') throw error
    options.warn(`${error.message}; it is only read`)
  }
  // Also to read it: its queries name what a generation has added.
  await migrateBoard(connection, slug, version)
  const seal = await connection.use((client) => sealOf(client, slug))
  if (seal !== undefined && options.evenSealed !== true) {
    const error = sealedBoard(slug, seal, 'database')
    if (options.mode !== 'read') throw error
    options.warn(`${error.message}; this is what it was then`)
  }
  return new PostgresBoard(place, connection, close, { node: options.node, writes: options.mode !== 'read' })
}
