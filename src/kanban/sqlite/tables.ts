/** A board's open file. better-sqlite3 is synchronous: commands wait for locks inside it, daemons between attempts. */
import type { Statement } from 'better-sqlite3'
import type { Database } from '../../system/files/sqlite.ts'
import type { FilePlace } from '../port/board.ts'
import { type Addition, additionsOf } from './additions.ts'

export type Value = string | number | null

/** The tables of a board's file, and transactions on them. */
export class Tables {
  readonly place: FilePlace
  readonly #database: Database
  readonly #openUnsynced: () => Database
  readonly #additions: ReadonlySet<string>
  readonly #statements = new Map<string, Statement<unknown[]>>()
  #unsynced: Tables | undefined

  /** @param openUnsynced the same file, with commits that are not waited for */
  constructor(place: FilePlace, database: Database, openUnsynced: () => Database) {
    this.place = place
    this.#database = database
    this.#openUnsynced = openUnsynced
    this.#additions = additionsOf(database)
  }

  /**
   * The same board for writes that a power cut may undo, because they only show that something is alive: heartbeats
   * and extended claims. They are frequent, and a sync for each would wear the disk for nothing. Uses its own
   * connection: the pragma cannot change inside a transaction.
   */
  get unsynced(): Tables {
    this.#unsynced ??= new Tables(this.place, this.#openUnsynced(), this.#openUnsynced)
    return this.#unsynced
  }

  has(name: Addition): boolean {
    return this.#additions.has(name)
  }

  /** Column of a query, such as `t.once`; null where the board, which is only read, does not have it yet. */
  added(name: Addition, alias = ''): string {
    const column = name.slice(name.indexOf('.') + 1)
    return this.has(name) ? `${alias}${column}` : `NULL AS ${column}`
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

  /** Rows of a query, one at a time. Until the loop over them has ended, nothing else can be done. */
  iterate<Row>(sql: string, ...values: readonly Value[]): IterableIterator<Row> {
    return this.#statement(sql).iterate(...values) as IterableIterator<Row>
  }

  /**
   * A transaction that stays open while `work` waits. Everything that uses this connection is part of it, so
   * it is for a process that does nothing else.
   * @param lock DEFERRED: one view; IMMEDIATE: the write lock, too
   */
  async hold<T>(lock: 'DEFERRED' | 'IMMEDIATE', work: () => Promise<T>): Promise<T> {
    this.#database.exec(`BEGIN ${lock}`)
    try {
      const result = await work()
      this.#database.exec('COMMIT')
      return result
    } finally {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK')
    }
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
