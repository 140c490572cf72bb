/** An open board. better-sqlite3 is synchronous: commands wait for locks inside it, the dispatcher between attempts. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Statement } from 'better-sqlite3'
import { HermesError } from '../../system/errors.ts'
import {
  type Database,
  databaseError,
  databaseProblem,
  memoryDatabase,
  openDatabase,
  setAsideDatabase,
} from '../../system/files/sqlite.ts'
import type { BoardPlace } from './places.ts'
import { migrate, requireVersion } from './schema.ts'

/** A person at a terminal rather waits this long for others' writes than reads that the board is locked. */
export const LONG_BUSY_TIMEOUT_MS = 20_000
/** Short, because a daemon's loop must go on; it tries again between turns of the loop. */
export const SHORT_BUSY_TIMEOUT_MS = 100

export interface OpenBoardOptions {
  /** `create`: make it. `write`: it must exist. `read`: nothing is written, not even a journal mode. */
  readonly mode: 'create' | 'write' | 'read'
  readonly busyTimeoutMs?: number
  /** Receives warnings about a DELETE journal and a damaged file. */
  readonly warn: (text: string) => void
}

type Value = string | number | null

export class Board {
  readonly place: BoardPlace
  readonly #database: Database
  readonly #openUnsynced: () => Database
  readonly #statements = new Map<string, Statement<unknown[]>>()
  #unsynced: Board | undefined

  /** @param openUnsynced the same file, with commits that are not waited for */
  constructor(place: BoardPlace, database: Database, openUnsynced: () => Database) {
    this.place = place
    this.#database = database
    this.#openUnsynced = openUnsynced
  }

  /**
   * The same board for writes that a power cut may undo, because they only show that something is alive: heartbeats
   * and extended claims. They are frequent, and a sync for each would wear the disk for nothing. Uses its own
   * connection: the pragma cannot change inside a transaction.
   */
  get unsynced(): Board {
    this.#unsynced ??= new Board(this.place, this.#openUnsynced(), this.#openUnsynced)
    return this.#unsynced
  }

  /** Rows of a query. */
  all<Row>(sql: string, ...values: readonly Value[]): Row[] {
    return this.#statement(sql).all(...values) as Row[]
  }

  get<Row>(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined
  }

  /** @returns rows changed, and the rowid of an insert */
  run(sql: string, ...values: readonly Value[]): { readonly changes: number; readonly id: number } {
    const { changes, lastInsertRowid } = this.#statement(sql).run(...values)
    return { changes, id: Number(lastInsertRowid) }
  }

  /**
   * Runs a transaction with the write lock from its first statement on: data that it reads cannot change before it
   * writes. When this returns, the changes are on the disk.
   */
  write<T>(work: () => T): T {
    return this.#database.transaction(work).immediate()
  }

  /** One consistent view. */
  read<T>(work: () => T): T {
    return this.#database.transaction(work).deferred()
  }

  /** Changes whenever another connection has written. */
  dataVersion(): number {
    return Number(this.#database.pragma('data_version', { simple: true }))
  }

  close(): void {
    this.#unsynced?.close()
    this.#database.close()
  }

  #statement(sql: string): Statement<unknown[]> {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare<unknown[]>(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

/**
 * Opens a board. A damaged file is moved aside, never overwritten; a new one is created only on request.
 * @throws HermesError FAILED
 */
export function openBoard(place: BoardPlace, options: OpenBoardOptions): Board {
  const { mode, busyTimeoutMs = LONG_BUSY_TIMEOUT_MS, warn } = options
  if (mode !== 'create' && !existsSync(place.file)) throw noBoard(place)
  const open = (durable: boolean, onWarning: (text: string) => void): Database =>
    openDatabase(place.file, { readOnly: mode === 'read', busyTimeoutMs, durable, warn: onWarning })
  let database: Database | undefined
  try {
    database = open(true, warn)
    if (mode === 'read') requireVersion(database, place.file)
    else migrate(database, place.file)
    return new Board(place, database, () => open(false, () => undefined))
  } catch (error) {
    database?.close()
    throw boardError(error, place, warn)
  }
}

/** Tells whether there has never been a board here, not even one that was set aside. */
export function isNeverCreated({ file }: BoardPlace): boolean {
  if (existsSync(file)) return false
  const damaged = `${basename(file)}.corrupt-`
  return !existsSync(dirname(file)) || !readdirSync(dirname(file)).some((name) => name.startsWith(damaged))
}

/** A board without tasks, for questions about one that was never made. It is in memory. */
export function emptyBoard(place: BoardPlace): Board {
  const database = memoryDatabase()
  migrate(database, place.file)
  return new Board(place, database, memoryDatabase)
}

export const noBoard = ({ slug, file }: BoardPlace): HermesError =>
  new HermesError('FAILED', `no board "${slug}": ${file} does not exist`, {
    next: slug === 'default' ? '"hermes kanban init" creates it' : `"hermes kanban boards create ${slug}" creates it`,
  })

/** Uses a board and closes it; if an error shows that the file is damaged, the file is set aside. */
export async function withBoard<T>(
  place: BoardPlace,
  options: OpenBoardOptions,
  use: (board: Board) => T | Promise<T>,
): Promise<T> {
  const board = openBoard(place, options)
  try {
    return await use(board)
  } catch (error) {
    board.close()
    throw boardError(error, place, options.warn)
  } finally {
    board.close()
  }
}

/** Converts an error for the caller; a damaged file has been moved aside when this returns. */
export function boardError(error: unknown, place: BoardPlace, warn: (text: string) => void): unknown {
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
function setAsideIfDamaged(place: BoardPlace): string | undefined {
  if (!existsSync(place.file)) return undefined
  try {
    openDatabase(place.file, { readOnly: true, check: true, busyTimeoutMs: LONG_BUSY_TIMEOUT_MS }).close()
    return undefined
  } catch (error) {
    if (databaseProblem(error) !== 'corrupt') return undefined
  }
  return setAsideDatabase(place.file, new Date().toISOString().replaceAll(/[-:]/g, ''))
}
