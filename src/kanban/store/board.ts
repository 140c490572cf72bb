/** Opens boards, and says what is wrong with one that cannot be opened. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import {
  type Database,
  databaseError,
  databaseId,
  databaseProblem,
  memoryDatabase,
  openDatabase,
  setAsideDatabase,
} from '../../system/files/sqlite.ts'
import type { Board, FilePlace } from '../port/board.ts'
import { creates, type OpenBoardOptions } from '../port/boards.ts'
import { sealedBoard } from '../port/seal.ts'
import { migrate, requireVersion } from '../sqlite/schema.ts'
import { SEALED, sealOf } from '../sqlite/seal.ts'
import { SqliteBoard } from '../sqlite/sqlite-board.ts'
import { Tables } from '../sqlite/tables.ts'
import { leavingDirectory } from './places.ts'

/** A person at a terminal rather waits this long for others' writes than reads that the board is locked. */
export const LONG_BUSY_TIMEOUT_MS = 20_000
/** Short, because a daemon's loop must go on; it tries again between turns of the loop. */
export const SHORT_BUSY_TIMEOUT_MS = 100

/**
 * Opens a board. A damaged file is moved aside, never overwritten; a new one is created only on request.
 * @throws HermesError FAILED
 */
export async function openBoard(place: FilePlace, options: OpenBoardOptions): Promise<Board> {
  return new SqliteBoard(openTables(place, options))
}

/** The tables of a board in a file. @throws HermesError FAILED */
export function openTables(place: FilePlace, options: OpenBoardOptions): Tables {
  const { mode, busyTimeoutMs = LONG_BUSY_TIMEOUT_MS, warn } = options
  if (mode !== 'create' && !existsSync(place.file)) throw noBoard(place)
  if (mode === 'create' && existsSync(leavingDirectory(dirname(place.file))))
    throw new HermesError('REFUSED', `a board "${place.slug}" is being renamed or removed`, {
      next: 'try again; if that command was interrupted, run it again',
    })
  const open = (durable: boolean, onWarning: (text: string) => void): Database =>
    openDatabase(place.file, { readOnly: mode === 'read', busyTimeoutMs, durable, warn: onWarning })
  let database: Database | undefined
  try {
    database = open(true, warn)
    if (mode === 'read') requireVersion(database, place.file)
    else migrate(database, place.file, warn)
    const tables = new Tables(place, database, () => open(false, () => undefined))
    const seal = sealOf(tables)
    if (seal !== undefined && options.evenSealed !== true) {
      const error = sealedBoard(place.slug, seal, 'files')
      if (mode !== 'read') throw error
      warn(`${error.message}; this is what it was then`)
    }
    return tables
  } catch (error) {
    database?.close()
    throw boardError(error, place, warn)
  }
}

/** Tells whether there has never been a board here, not even one that was set aside. */
export function isNeverCreated({ file }: FilePlace): boolean {
  if (existsSync(file)) return false
  const damaged = `${basename(file)}.corrupt-`
  return !existsSync(dirname(file)) || !readdirSync(dirname(file)).some((name) => name.startsWith(damaged))
}

/** A board without tasks, for questions about one that was never made. It is in memory. */
export function emptyBoard(slug: string): Board {
  const database = memoryDatabase()
  const place = { slug, file: ':memory:' }
  migrate(database, place.file, () => undefined)
  return new SqliteBoard(new Tables(place, database, memoryDatabase))
}

export const noBoard = ({ slug, file }: FilePlace): HermesError =>
  new HermesError('FAILED', `no board "${slug}": ${file} does not exist`, {
    next: creates(slug),
  })

/** Converts an error for the caller; a damaged file has been moved aside when this returns. */
export function boardError(error: unknown, place: FilePlace, warn: (text: string) => void): unknown {
  // It was moved while this process had it open.
  if (error instanceof Error && error.message === SEALED)
    return new HermesError('REFUSED', `the board "${place.slug}" has moved`, { next: 'try again to see where' })
  if (databaseProblem(error) !== 'corrupt') return databaseError(error, place.file)
  const aside = setAsideIfDamaged(place)
  if (aside === undefined) return databaseError(error, place.file)
  const message = `the board "${place.slug}" is damaged; its file was set aside as ${aside}, nothing was overwritten`
  warn(`kanban: ${message}`)
  return new HermesError('FAILED', message, {
    next: `put a backup at ${place.file}, or begin a new board with hermes kanban ${place.slug === 'default' ? 'init' : `boards create ${place.slug}`}`,
    cause: error,
  })
}

/** Checks again with a fresh connection: a stale page in ours, or a file replaced in the meantime, is not damage. */
function setAsideIfDamaged(place: FilePlace): string | undefined {
  const damaged = databaseId(place.file)
  if (damaged === undefined) return undefined
  try {
    openDatabase(place.file, { readOnly: true, check: true, busyTimeoutMs: LONG_BUSY_TIMEOUT_MS }).close()
    return undefined
  } catch (error) {
    if (databaseProblem(error) !== 'corrupt') return undefined
  }
  return setAsideDatabase(place.file, damaged, new Date().toISOString().replaceAll(/[-:]/g, ''))
}
