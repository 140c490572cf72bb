import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { nearest } from '../../system/text/nearest.ts'
import type { Board, BoardPlace, TickLock } from './board.ts'
import type { Moves } from './moves.ts'
import type { Leases, Node } from './nodes.ts'

export interface OpenBoardOptions {
  /** `create`: make it. `write`: it must exist. `read`: nothing is written, not even a journal mode. */
  readonly mode: 'create' | 'write' | 'read'
  /** For a board in a file: how long a call waits for other writers inside SQLite. */
  readonly busyTimeoutMs?: number
  /** Opens also a board that accepts no changes, to move it. */
  readonly evenSealed?: boolean
  /** Receives warnings about the board that do not keep it from being used. */
  readonly warn: (text: string) => void
}

/** All boards of an installation, wherever they are kept. */
export interface Boards {
  /** `files`: a SQLite file for each. `database`: in PostgreSQL. */
  readonly kept: 'files' | 'database'
  /** A board by its name, whether it exists or not. */
  place(slug: string): BoardPlace
  /** Where a board is, for messages. */
  where(place: BoardPlace): string
  /** The boards that exist, the default first. @throws HermesError if that cannot be found out */
  list(): Promise<readonly BoardPlace[]>
  has(place: BoardPlace): Promise<boolean>
  /** There has never been such a board, not even one that was set aside. */
  isNeverCreated(place: BoardPlace): Promise<boolean>
  /** @throws HermesError FAILED */
  open(place: BoardPlace, options: OpenBoardOptions): Promise<Board>
  /**
   * Keeps every tick of a board out, on all its dispatchers, also if the board itself cannot be opened.
   * @param waitMs how long to wait for another dispatcher
   * @returns undefined: another one holds the board
   */
  holdTicks(place: BoardPlace, clock: Clock, waitMs: number): Promise<TickLock | undefined>
  /**
   * Gives a board another name.
   * @param to of no board
   * @throws HermesError FAILED (there is no such board), REFUSED (tasks of it run, or `to` is there)
   */
  rename(place: BoardPlace, to: string, clock: Clock): Promise<void>
  /**
   * Takes a board out of use, and keeps all of it at another place.
   * @returns that place, for messages
   * @throws HermesError FAILED (there is no such board), REFUSED (tasks of it run)
   */
  setAside(place: BoardPlace, clock: Clock): Promise<string>
  /** The nodes that share the database, by name; none for boards in files. @throws HermesError */
  nodes(): Promise<readonly Node[]>
  /** Moves of profiles between nodes; undefined: boards in files. */
  moves(): Moves | undefined
  /** For the dispatcher of a node; undefined: boards in files, or another process has the address. */
  leases(): Leases | undefined
  /** Converts an error of a board for the caller; a damaged file has been moved aside when this returns. */
  problem(error: unknown, place: BoardPlace, warn: (text: string) => void): unknown
  /** Changes with the identity of a board, for instance when its file is replaced. Throws nothing. */
  identity(place: BoardPlace): string | undefined
  /** Ends connections. Boards that were opened must not be used after it. */
  close(): Promise<void>
}

/** The database of the boards does not answer, or refuses: trying again later makes sense. */
export const isAway = (error: unknown): error is HermesError =>
  error instanceof HermesError && error.detail === 'NO_DATABASE'

/** Uses a board and closes it. @throws HermesError */
export async function withBoard<T>(
  boards: Pick<Boards, 'open' | 'problem'>,
  place: BoardPlace,
  options: OpenBoardOptions,
  use: (board: Board) => T | Promise<T>,
): Promise<T> {
  const board = await boards.open(place, options)
  try {
    return await use(board)
  } catch (error) {
    await board.close()
    throw boards.problem(error, place, options.warn)
  } finally {
    await board.close()
  }
}

/** The command that creates a board. */
export const creates = (slug: string): string =>
  slug === 'default' ? '"hermes kanban init" creates it' : `"hermes kanban boards create ${slug}" creates it`

/** @throws HermesError FAILED, naming the nearest board that exists */
export async function requireBoard(boards: Boards, slug: string): Promise<BoardPlace> {
  const place = boards.place(slug)
  if (await boards.has(place)) return place
  const known = (await boards.list()).map((board) => board.slug)
  const near = nearest(slug, known)
  const where = boards.where(place)
  throw new HermesError(
    'FAILED',
    `no board "${slug}"${place.file === undefined ? ` in ${where}` : `: ${where} does not exist`}`,
    {
      next: near === undefined || near === slug ? creates(slug) : `did you mean "${near}"? ${creates(slug)}`,
    },
  )
}

/** A claim was refused, because the lease of this node is not in force, or the profile is of another node. */
export const isFenced = (error: unknown): boolean =>
  error instanceof HermesError && (error.cause as { code?: unknown } | undefined)?.code === 'HM002'
