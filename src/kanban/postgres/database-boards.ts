/** Boards in PostgreSQL. */
import type { Clock } from '../../system/clock.ts'
import { DATABASE_SECRET } from '../../system/dashboard-secrets.ts'
import { requireAddress } from '../../system/database-address.ts'
import { HermesError } from '../../system/errors.ts'
import type { Board, BoardPlace, TickLock } from '../port/board.ts'
import { type Boards, creates, type OpenBoardOptions } from '../port/boards.ts'
import type { Moves } from '../port/moves.ts'
import type { Leases, Node } from '../port/nodes.ts'
import { asideStamp } from '../port/refusals.ts'
import { sealedBoard } from '../port/seal.ts'
import { Connection } from './connection.ts'
import { DatabaseLeases } from './leases.ts'
import { DatabaseMoves, listNodes } from './nodes.ts'
import { PostgresBoard } from './postgres-board.ts'
import { makeBoard, migrateBoard, newerBoard, schemaOf, slugsOf, VERSION, versionOf } from './schema.ts'
import { takeTickLock } from './tick-calls.ts'
import { sealOf } from './transfer.ts'
import { moveBoardSchema } from './upkeep.ts'

/**
 * Boards in the database at an address. Nothing connects before the first question.
 * @param url `postgres://…`; it may contain a password, and is part of no message
 * @param node the id of the node that this process belongs to; its dispatcher makes it at the first start
 * @throws HermesError REFUSED for an address that cannot be read
 */
export async function databaseBoards(url: string, node: () => string | undefined = () => undefined): Promise<Boards> {
  requireAddress(url)
  const { default: pg } = await import('pg')
  try {
    new pg.Client({ connectionString: url })
  } catch (error) {
    throw new HermesError('REFUSED', `${DATABASE_SECRET} cannot be read: ${(error as Error).message}`, {
      next: 'write special characters of the password as %XX, and check the files that it names',
      cause: error,
    })
  }
  return new DatabaseBoards(new Connection(url, pg), node, () => new DatabaseLeases(url, pg))
}

class DatabaseBoards implements Boards {
  readonly kept = 'database'
  readonly #connection: Connection

  readonly #node: () => string | undefined
  readonly leases: () => Leases

  constructor(connection: Connection, node: () => string | undefined, leases: () => Leases) {
    this.#connection = connection
    this.#node = node
    this.leases = leases
  }

  place(slug: string): BoardPlace {
    return { slug }
  }

  where(): string {
    return `the database at ${this.#connection.where}`
  }

  async list(): Promise<readonly BoardPlace[]> {
    return (await slugsOf(this.#connection)).map((slug) => ({ slug }))
  }

  async has({ slug }: BoardPlace): Promise<boolean> {
    return (await versionOf(this.#connection, slug)) !== undefined
  }

  async isNeverCreated(place: BoardPlace): Promise<boolean> {
    return !(await this.has(place))
  }

  /** All boards share the connection. */
  open(place: BoardPlace, options: OpenBoardOptions): Promise<Board> {
    return openOn(this.#connection, place, { ...options, node: this.#node() }, async () => undefined)
  }

  holdTicks({ slug }: BoardPlace, clock: Clock, waitMs: number): Promise<TickLock | undefined> {
    return takeTickLock(this.#connection, slug, clock, waitMs)
  }

  async rename({ slug }: BoardPlace, to: string): Promise<void> {
    await this.#move(slug, schemaOf(to), to)
  }

  /** The schema stays, under a name that boards cannot have. */
  async setAside({ slug }: BoardPlace, clock: Clock): Promise<string> {
    const schema = `removed_${asideStamp(clock.wallMs())}_${schemaOf(slug)}`.slice(0, 63)
    await this.#move(slug, schema, undefined)
    return `the schema "${schema}" of ${this.where()}`
  }

  async #move(slug: string, schema: string, to: string | undefined): Promise<void> {
    const isMoved =
      (await versionOf(this.#connection, slug)) !== undefined &&
      (await this.#connection.transaction((client) => moveBoardSchema(client, slug, schema, to)))
    if (!isMoved) throw noBoard(slug, this.#connection)
  }

  nodes(): Promise<readonly Node[]> {
    return this.#connection.use((client) => listNodes(client, this.#node()))
  }

  moves(): Moves {
    return new DatabaseMoves(this.#connection, this.#node)
  }

  problem(error: unknown): unknown {
    return error
  }

  identity(): string {
    return 'database'
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

const noBoard = (slug: string, { where }: Pick<Connection, 'where'>): HermesError =>
  new HermesError('FAILED', `no board "${slug}" in the database at ${where}`, { next: creates(slug) })

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
  if (version === undefined) throw noBoard(slug, connection)
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
