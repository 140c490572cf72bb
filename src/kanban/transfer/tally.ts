import { createHash, type Hash } from 'node:crypto'
import { TABLES, type TableName } from '../port/transfer.ts'
import type { Line, RowCounts } from './format.ts'

/** Counts and checksum of the lines so far. */
export class Tally {
  readonly #hash: Hash = createHash('sha256')
  readonly #counts = Object.fromEntries(TABLES.map((table) => [table, 0])) as Record<TableName, number>

  /** @param text the line, without its newline */
  add(line: Line, text: string): void {
    if (line.type === 'row') this.#counts[line.table] += 1
    this.#hash.update(`${text}\n`)
  }

  /** The line that ends an export. Only once. */
  end(): Extract<Line, { readonly type: 'end' }> {
    const counts: RowCounts = { ...this.#counts }
    return { type: 'end', counts, sha256: this.#hash.digest('hex') }
  }
}
