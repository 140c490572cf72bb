/** Boards in PostgreSQL. */
import type { Clock } from '../../system/clock.ts'
import { DATABASE_SECRET } from '../../system/dashboard-secrets.ts'
import { requireAddress } from '../../system/database-address.ts'
import { HermesError } from '../../system/errors.ts'
import type { Board, BoardPlace, TickLock } from '../port/board.ts'
import type { Boards, OpenBoardOptions } from '../port/boards.ts'
import type { Moves } from '../port/moves.ts'
import type { Leases, Node } from '../port/nodes.ts'
import { Connection } from './connection.ts'
import { DatabaseLeases } from './leases.ts'
import { DatabaseMoves, listNodes } from './nodes.ts'
import { openOn } from './open.ts'
import { slugsOf, versionOf } from './schema.ts'
import { takeTickLock } from './tick-calls.ts'

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
