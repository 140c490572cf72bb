/** Fills a board from text. */
import { LineSplitter } from '../../protocol/lines.ts'
import { HermesError } from '../../system/errors.ts'
import {
  type CopiedRow,
  type Intake,
  inOrder,
  type LastNumbers,
  NUMBERED,
  READ_CHARACTERS,
  READ_ROWS,
  type Snapshot,
  TABLES,
  type TableName,
} from '../port/transfer.ts'
import { pagesOf } from './export.ts'
import { formatLine, type Line, parseLine, type RowCounts } from './format.ts'
import { Tally } from './tally.ts'

/** More than a task of three texts of the largest size has, each character escaped. */
const MAX_LINE_BYTES = 64 * 1024 * 1024

/** An export whose first line has been read. */
export interface ExportReader {
  /** The board that was exported. */
  readonly board: string
  /** Files that were attached to its tasks, which are not in the text. */
  readonly attachments: number
  /**
   * Reads the rest into a board, and checks counts and checksums of the text and of what the board has stored.
   * @param progress after each row, with its size
   * @throws HermesError that names the line; the caller must not keep what was stored
   */
  into(intake: Intake, progress: (size: number) => void): Promise<RowCounts>
}

/** @param name of the text, for messages @throws HermesError: it is not an export */
export async function readExport(text: AsyncIterable<Uint8Array>, name: string): Promise<ExportReader> {
  const lines = numbered(text, name)
  const first = await lines.next()
  if (first.done === true) throw new HermesError('FAILED', `${name} is empty`, { next: 'use an export of a board' })
  const { line } = first.value
  if (line.type !== 'header')
    throw new HermesError('FAILED', `${name}: line 1 does not begin an exported board`, {
      next: 'use a file that "hermes kanban export" has written, unchanged',
    })
  const tally = new Tally()
  tally.add(line, first.value.text)
  return {
    board: line.board,
    attachments: line.attachments ?? 0,
    into: (intake, progress) => fill(intake, lines, tally, name, progress),
  }
}

interface NumberedLine {
  readonly line: Line
  readonly text: string
  readonly number: number
}

async function* numbered(text: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<NumberedLine> {
  const splitter = new LineSplitter(MAX_LINE_BYTES)
  let number = 0
  for await (const chunk of text) {
    const { lines, tooLong } = splitter.push(chunk)
    for (const one of lines) {
      number += 1
      yield { line: parsed(one, name, number), text: one, number }
    }
    if (tooLong) throw new HermesError('FAILED', `${name}: line ${number + 1} has more than ${MAX_LINE_BYTES} bytes`)
  }
  if (splitter.heldBytes > 0) throw cutOff(name, number + 1)
}

function parsed(text: string, name: string, number: number): Line {
  try {
    return parseLine(text)
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    throw new HermesError('FAILED', `${name}, line ${number}: ${error.message}`, {
      ...(error.next === undefined ? {} : { next: error.next }),
    })
  }
}

async function fill(
  intake: Intake,
  lines: AsyncIterable<NumberedLine>,
  tally: Tally,
  name: string,
  progress: (size: number) => void,
): Promise<RowCounts> {
  const batch = new Batch(intake, name)
  let last: LastNumbers | undefined
  let end: Extract<Line, { readonly type: 'end' }> | undefined
  let number = 1
  for await (const { line, text, number: at } of lines) {
    number = at
    if (end !== undefined) throw new HermesError('FAILED', `${name}: line ${at} follows the last one`)
    if (line.type === 'end') {
      end = line
      continue
    }
    tally.add(line, text)
    if (line.type === 'last') last = line.last
    if (line.type === 'row') await batch.add(line.table, line.row, text.length, at)
    if (line.type === 'header') throw new HermesError('FAILED', `${name}: line ${at} begins a second board`)
    progress(text.length + 1)
  }
  if (end === undefined || last === undefined) throw cutOff(name, number)
  await batch.end()
  requireEqual(tally.end(), end, `${name} was changed or damaged`)
  await intake.countFrom(last)
  requireEqual(await stored(intake, last), batch.kept.end(), 'the board has not stored what was read')
  return end.counts
}

/** The rows read, in order, some at a time. */
class Batch {
  readonly #intake: Intake
  readonly #name: string
  #table: TableName = 'tasks'
  #rows: CopiedRow[] = []
  #characters = 0
  #first = 0
  /** Of the rows as the board keeps them. */
  readonly kept = new Tally()

  constructor(intake: Intake, name: string) {
    this.#intake = intake
    this.#name = name
  }

  async add(table: TableName, row: CopiedRow, characters: number, number: number): Promise<void> {
    if (table !== this.#table) await this.end()
    if (TABLES.indexOf(table) < TABLES.indexOf(this.#table))
      throw new HermesError('FAILED', `${this.#name}: line ${number} is not in order`, {
        next: 'use a file that "hermes kanban export" has written, unchanged',
      })
    this.#table = table
    if (this.#rows.length === 0) this.#first = number
    const kept = inOrder(row, (text) => this.#intake.kept(text)) as CopiedRow
    const line: Line = { type: 'row', table, row: kept }
    this.kept.add(line, formatLine(line))
    this.#rows.push(kept)
    this.#characters += characters
    if (this.#rows.length >= READ_ROWS || this.#characters >= READ_CHARACTERS) await this.end()
  }

  async end(): Promise<void> {
    const [table, rows] = [this.#table, this.#rows]
    this.#rows = []
    this.#characters = 0
    if (rows.length === 0) return
    try {
      await this.#intake.add(table, rows)
    } catch (error) {
      throw contradiction(error, `${this.#name}: lines ${this.#first} to ${this.#first + rows.length - 1}`)
    }
  }
}

/** A task that is missing, or one that is there twice: the board refuses it. */
function contradiction(error: unknown, where: string): unknown {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string }
  if (typeof code !== 'string' || !/^(SQLITE_CONSTRAINT|2[23]...$)/.test(code)) return error
  return new HermesError('FAILED', `${where} do not fit what precedes them: ${message}`, {
    next: 'repair the board that was exported; nothing was imported',
    cause: error,
  })
}

/** Counts and checksum of the rows that a board has. */
async function stored(snapshot: Snapshot, atLeast: LastNumbers): Promise<ReturnType<Tally['end']>> {
  const tally = new Tally()
  for await (const { table, rows } of pagesOf(snapshot)) {
    for (const row of rows) {
      const line: Line = { type: 'row', table, row }
      tally.add(line, formatLine(line))
    }
  }
  const last = await snapshot.lastNumbers()
  for (const table of NUMBERED)
    if (last[table] < atLeast[table]) throw new Error(`${table} would count on from ${last[table]}`)
  return tally.end()
}

function requireEqual(found: ReturnType<Tally['end']>, expected: ReturnType<Tally['end']>, what: string): void {
  const different = TABLES.filter((table) => found.counts[table] !== expected.counts[table])
  if (different.length === 0 && found.sha256 === expected.sha256) return
  const counts = different.map((table) => `${found.counts[table]} ${table} instead of ${expected.counts[table]}`)
  const why = counts.length > 0 ? counts.join(', ') : 'its checksum differs'
  throw new HermesError('FAILED', `${what}: ${why}`, { next: 'export the board again; nothing was imported' })
}

const cutOff = (name: string, number: number): HermesError =>
  new HermesError('FAILED', `${name} is cut off after line ${number}`, {
    next: 'export the board again; nothing was imported',
  })
