/** A board as text. */
import { type CopiedRow, type Snapshot, TABLES, type TableName } from '../port/transfer.ts'
import { formatLine, type Line } from './format.ts'
import { Tally } from './tally.ts'

/** Some lines, each with its newline. */
export interface Piece {
  readonly text: string
  readonly rows: number
}

/** A board in pieces of some megabytes at most. @param attachments files that its tasks have, which are left out */
export async function* exportBoard(snapshot: Snapshot, board: string, attachments = 0): AsyncGenerator<Piece> {
  const tally = new Tally()
  const piece = (lines: readonly Line[]): Piece => {
    const texts = lines.map((line) => {
      const text = formatLine(line)
      tally.add(line, text)
      return `${text}\n`
    })
    return { text: texts.join(''), rows: lines.filter(({ type }) => type === 'row').length }
  }
  yield piece([{ type: 'header', board, attachments }])
  for await (const { table, rows } of pagesOf(snapshot)) yield piece(rows.map((row) => ({ type: 'row', table, row })))
  yield piece([{ type: 'last', last: await snapshot.lastNumbers() }])
  yield { text: `${formatLine(tally.end())}\n`, rows: 0 }
}

/** Every row of a board. */
export async function* pagesOf(
  snapshot: Snapshot,
): AsyncGenerator<{ readonly table: TableName; readonly rows: readonly CopiedRow[] }> {
  for (const table of TABLES) {
    let rows = await snapshot.read(table, undefined)
    for (; rows.length > 0; rows = await snapshot.read(table, rows.at(-1))) yield { table, rows }
  }
}
