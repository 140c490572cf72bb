/** How far each target is in each log, and what has become of the lines, in `forward.db`. */
import { join } from 'node:path'
import { type Database, databaseError, openDatabase } from '../../system/files/sqlite.ts'
import type { Position } from '../logs/place.ts'
import { prepareSchema, requireForwardSchema } from './schema.ts'

export const forwardFile = (home: string): string => join(home, 'forward.db')

/** One writer; commands and the dashboard read. In WAL they never wait for each other. */
const BUSY_TIMEOUT_MS = 1000

export interface Settled {
  /** Lines that the target has taken, and that it has refused for good. */
  readonly sent: number
  readonly refused: number
  /** Places where lines had been removed, and bytes of what is known to have been there. */
  readonly gaps: number
  readonly lostBytes: number
}

/** @throws HermesError naming the file, from each method */
export interface ForwardStore {
  /** The positions of a target by slot; undefined: it is new. */
  positions(target: string): ReadonlyMap<string, Position> | undefined
  /** Records, in one transaction, what has become of lines and where the next ones begin. */
  settle(target: string, positions: ReadonlyMap<string, Position>, settled: Settled, wallMs: number): void
  /** @param text why the last attempt failed; undefined: it did not */
  trouble(target: string, text: string | undefined, wallMs: number): void
  close(): void
}

/** @throws HermesError when it cannot be opened, is damaged, or was written by a newer version */
export function openForwardStore(home: string, warn: (text: string) => void): ForwardStore {
  const file = forwardFile(home)
  // Commits survive the death of this process; after a power cut the last lines may be sent again.
  const database = openDatabase(file, { durable: false, busyTimeoutMs: BUSY_TIMEOUT_MS, warn })
  try {
    prepareSchema(database)
    requireForwardSchema(database, file)
    return new SqliteStore(database, file)
  } catch (error) {
    database.close()
    throw databaseError(error, file)
  }
}

interface PositionRow {
  readonly slot: string
  readonly afterMs: number
  readonly inode: string
  readonly head: string
  readonly offset: number
  readonly ns: string
}

class SqliteStore implements ForwardStore {
  readonly #database: Database
  readonly #file: string
  readonly #sql

  constructor(database: Database, file: string) {
    this.#database = database
    this.#file = file
    this.#sql = statements(database)
  }

  positions(target: string): ReadonlyMap<string, Position> | undefined {
    return this.#explained(() => {
      if (this.#sql.target.get(target) === undefined) return undefined
      const rows = this.#sql.positions.all(target)
      return new Map(rows.map(({ slot, ...row }) => [slot, { ...row, inode: Number(row.inode), ns: BigInt(row.ns) }]))
    })
  }

  settle(...[target, positions, { sent, refused, gaps, lostBytes }, wallMs]: Parameters<ForwardStore['settle']>): void {
    this.#explained(() =>
      this.#database
        .transaction(() => {
          this.#sql.add.run(target)
          this.#sql.count.run(sent, refused, gaps, lostBytes, sent > 0 ? wallMs : null, target)
          for (const [slot, { afterMs, inode, head, offset, ns }] of positions)
            this.#sql.keep.run(target, slot, afterMs, `${inode}`, head, offset, `${ns}`)
        })
        .immediate(),
    )
  }

  trouble(target: string, text: string | undefined, wallMs: number): void {
    this.#explained(() => {
      this.#sql.add.run(target)
      if (text === undefined) this.#sql.well.run(target)
      else this.#sql.ill.run(text, wallMs, target)
    })
  }

  close(): void {
    this.#database.close()
  }

  #explained<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw databaseError(error, this.#file)
    }
  }
}

const statements = (database: Database) => ({
  target: database.prepare<[string], { target: string }>('SELECT target FROM targets WHERE target = ?'),
  positions: database.prepare<[string], PositionRow>(
    'SELECT slot, after_ms AS afterMs, inode, head, offset, ns FROM positions WHERE target = ?',
  ),
  add: database.prepare<[string]>('INSERT INTO targets (target) VALUES (?) ON CONFLICT DO NOTHING'),
  count: database.prepare<[number, number, number, number, number | null, string]>(
    `UPDATE targets SET sent = sent + ?, refused = refused + ?, gaps = gaps + ?, lost_bytes = lost_bytes + ?,
       sent_ms = coalesce(?, sent_ms) WHERE target = ?`,
  ),
  keep: database.prepare<[string, string, number, string, string, number, string]>(
    'INSERT OR REPLACE INTO positions (target, slot, after_ms, inode, head, offset, ns) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ),
  well: database.prepare<[string]>('UPDATE targets SET trouble = NULL, trouble_ms = NULL WHERE target = ?'),
  ill: database.prepare<[string, number, string]>(
    'UPDATE targets SET trouble = ?, trouble_ms = coalesce(trouble_ms, ?) WHERE target = ?',
  ),
})
