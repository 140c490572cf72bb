/** Commands that copy whole boards. */

import { createReadStream, statSync } from 'node:fs'
import { withBoard } from '../../../kanban/port/boards.ts'
import { parseSlug } from '../../../kanban/store/places.ts'
import { exportBoard, type Piece } from '../../../kanban/transfer/export.ts'
import type { RowCounts } from '../../../kanban/transfer/format.ts'
import { readExport } from '../../../kanban/transfer/import.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { replaceFileDurably } from '../../../system/files/replace-file.ts'
import { type Command, type Input, textOption } from '../../context/command.ts'
import { type Context, warnOn } from '../../context/context.ts'
import { interruptible, withProgress } from '../../context/progress.ts'
import type { Outcome } from '../../terminal/output.ts'
import { BOARD, onBoard, withBoards } from './shared.ts'

export const TRANSFER_COMMANDS: readonly Command[] = [
  {
    path: 'kanban export',
    summary: 'Write a whole board as lines of JSON, for a backup or another board',
    arguments: [
      {
        name: 'FILE',
        help: 'file to write, replaced when all is written; default, or -: standard output',
        kind: 'optional',
      },
    ],
    options: [BOARD],
    run: exportTo,
  },
  {
    path: 'kanban import',
    summary: 'Fill an empty board with what export has written',
    arguments: [{ name: 'FILE', help: 'file to read; default, or -: standard input', kind: 'optional' }],
    options: [{ long: '--board', value: 'SLUG', help: 'name of the board; default: the one that was exported' }],
    run: importFrom,
  },
]

const PRIVATE = 0o600

async function exportTo(context: Context, input: Input): Promise<Outcome> {
  const [file = '-'] = input.args
  if (file !== '-') requireReplaceable(file)
  let counted = 0
  const slug = await onBoard(context, input, 'read', (board) =>
    board.snapshot((snapshot) =>
      withProgress(context, { verb: 'exported', one: 'row', many: 'rows' }, (progress) =>
        interruptible(async (signal) => {
          const pieces = exportBoard(snapshot, board.place.slug)
          counted = await write(context, file, pieces, signal, progress)
          return board.place.slug
        }),
      ),
    ),
  )
  if (file === '-') return context.output.closed ? { exitCode: EXIT.failed } : {}
  return { text: `board "${slug}" exported to ${file}: ${counted} rows\n`, json: { board: slug, file, rows: counted } }
}

/** @returns rows written */
async function write(
  context: Context,
  file: string,
  pieces: AsyncIterable<Piece>,
  signal: AbortSignal,
  progress: (size: number) => void,
): Promise<number> {
  let rows = 0
  async function* texts(): AsyncGenerator<string> {
    for await (const piece of pieces) {
      signal.throwIfAborted()
      rows += piece.rows
      for (let row = 0; row < piece.rows; row++) progress(piece.text.length / piece.rows)
      yield piece.text
    }
  }
  if (file !== '-') await replaceFileDurably(file, texts(), PRIVATE)
  else
    for await (const text of texts()) {
      context.output.out(text)
      if (context.output.closed) break
    }
  return rows
}

/** A device or a FIFO would be replaced by a file. */
function requireReplaceable(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== false) return
  throw new HermesError('USAGE', `${file} is not a regular file`, { next: `hermes kanban export > ${file}` })
}

async function importFrom(context: Context, input: Input): Promise<Outcome> {
  const [file = '-'] = input.args
  const name = file === '-' ? 'standard input' : file
  const stream = file === '-' ? process.stdin : createReadStream(file)
  try {
    const reader = await readExport(stream, name)
    const slug = parseSlug(textOption(input, 'board') ?? reader.board)
    const counts = await withBoards(context, (boards) =>
      withBoard(boards, boards.place(slug), { mode: 'create', warn: warnOn(context) }, (board) =>
        withProgress(context, { verb: 'imported', one: 'row', many: 'rows' }, (progress) =>
          board.fill((intake) => reader.into(intake, progress)),
        ),
      ),
    )
    return { text: `board "${slug}" filled from ${name}: ${countsText(counts)}\n`, json: { board: slug, ...counts } }
  } finally {
    stream.destroy()
  }
}

const countsText = (counts: RowCounts): string =>
  Object.entries(counts)
    .map(([table, n]) => `${n} ${table}`)
    .join(', ')
