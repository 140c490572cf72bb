/** Commands that copy whole boards. */

import { createReadStream, statSync } from 'node:fs'
import { type Boards, withBoard } from '../../../kanban/port/boards.ts'
import { ADDED_TABLE } from '../../../kanban/port/transfer.ts'
import { attachmentsDir } from '../../../kanban/store/attachments.ts'
import { boardsInDatabase, boardsInFiles } from '../../../kanban/store/boards.ts'
import { parseSlug } from '../../../kanban/store/places.ts'
import { exportBoard, type Piece } from '../../../kanban/transfer/export.ts'
import type { RowCounts } from '../../../kanban/transfer/format.ts'
import { readExport } from '../../../kanban/transfer/import.ts'
import { moveBoard } from '../../../kanban/transfer/migrate.ts'
import { addressProblem } from '../../../system/database-address.ts'
import { EXIT, errorLine, HermesError } from '../../../system/errors.ts'
import { replaceFileDurably } from '../../../system/files/replace-file.ts'
import { oneLine } from '../../../system/text/foreign-text.ts'
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
  {
    path: 'kanban migrate',
    summary: 'Move all boards into a database, or back into the volume',
    options: [
      {
        long: '--to',
        value: 'PLACE',
        help: 'postgres://USER:PASSWORD@HOST/DATABASE, or sqlite: the files of the volume',
      },
    ],
    details: `Stop the dispatchers first, or wait for their ticks. Each board is copied with counts and checksums, and the
board that was copied then refuses changes. After an interruption, run the command again: it goes on where it stopped.
The password can also be in the variable PGPASSWORD, where other users of the machine do not see it.`,
    run: migrate,
  },
]

const PRIVATE = 0o600

async function exportTo(context: Context, input: Input): Promise<Outcome> {
  const [file = '-'] = input.args
  if (file !== '-') requireReplaceable(file)
  let counted = 0
  let attachments = 0
  const place = await onBoard(context, input, 'read', async (board) => {
    attachments = (await board.allAttachments()).length
    return board.snapshot((snapshot) =>
      withProgress(context, { verb: 'exported', one: 'row', many: 'rows' }, (progress) =>
        interruptible(async (signal) => {
          const pieces = exportBoard(snapshot, board.place.slug, attachments)
          counted = await write(context, file, pieces, signal, progress)
          return board.place
        }),
      ),
    )
  })
  if (attachments > 0) context.output.err(`hermes: left out: ${filesText(attachments)} in ${attachmentsDir(place)}\n`)
  if (file === '-') return context.output.closed ? { exitCode: EXIT.failed } : {}
  return {
    text: `board "${place.slug}" exported to ${file}: ${counted} rows\n`,
    json: { board: place.slug, file, rows: counted, ...(attachments > 0 && { attachments_left_out: attachments }) },
  }
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
    const { attachments } = reader
    if (attachments > 0)
      context.output.err(
        `hermes: ${name} does not have ${filesText(attachments)}; copy them from where it was exported, and attach them again\n`,
      )
    return {
      text: `board "${slug}" filled from ${name}: ${countsText(counts)}\n`,
      json: { board: slug, ...countsOf(counts), ...(attachments > 0 && { attachments_left_out: attachments }) },
    }
  } finally {
    stream.destroy()
  }
}

const filesText = (attachments: number): string => `${attachments} attachment${attachments === 1 ? '' : 's'}`

/** Without routines, where there are none. */
const countsOf = (counts: RowCounts): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(counts).filter(([table, n]) => table !== ADDED_TABLE || n > 0))

const countsText = (counts: RowCounts): string =>
  Object.entries(countsOf(counts))
    .map(([table, n]) => `${n} ${table}`)
    .join(', ')

const SQLITE = 'sqlite'

async function migrate(context: Context, input: Input): Promise<Outcome> {
  const place = textOption(input, 'to')
  if (place === undefined)
    throw new HermesError('USAGE', '--to is missing', {
      next: 'hermes kanban migrate --to postgres://…, or --to sqlite',
    })
  const problem = place === SQLITE ? undefined : addressProblem(place)
  if (problem !== undefined) throw new HermesError('USAGE', `--to ${problem}`, { next: 'or use --to sqlite' })
  if (place === SQLITE)
    return withBoards(context, (from) => {
      if (from.kept === 'database') return moveAll(context, from, boardsInFiles(context.home))
      throw new HermesError('REFUSED', 'the boards are in the volume already: HERMES_KANBAN_DATABASE is not set')
    })
  const to = await boardsInDatabase(place)
  try {
    return await moveAll(context, boardsInFiles(context.home), to)
  } finally {
    await to.close()
  }
}

/** A board that cannot be moved does not affect the others. */
async function moveAll(context: Context, from: Boards, to: Boards): Promise<Outcome> {
  const moved: { readonly board: string; readonly rows: RowCounts | null; readonly left: string | undefined }[] = []
  let failed = 0
  const places = await from.list()
  for (const { slug } of places) {
    try {
      const rows = await withProgress(
        context,
        { verb: `board "${slug}": moved`, one: 'row', many: 'rows' },
        (progress) => moveBoard(slug, { from, to, clock: context.clock, warn: warnOn(context), progress }),
      )
      moved.push({ board: slug, rows, left: await filesLeft(from, slug) })
    } catch (error) {
      if (!(error instanceof HermesError)) throw error
      failed += 1
      context.output.err(`hermes: board "${slug}" was not moved: ${oneLine(errorLine(error))}\n`)
    }
  }
  const lines = moved.flatMap(({ board, rows, left }) => [
    rows === null ? `board "${board}" had been moved before\n` : `board "${board}" moved: ${countsText(rows)}\n`,
    ...(left === undefined ? [] : [`  ${left}\n`]),
  ])
  const next =
    to.kept === 'files'
      ? 'unset HERMES_KANBAN_DATABASE, and start the container again'
      : 'set HERMES_KANBAN_DATABASE to the same address, and start the container again'
  const end = places.length === 0 ? 'no boards to move\n' : failed > 0 ? '' : `  next: ${next}\n`
  return {
    text: lines.join('') + end,
    json: {
      boards: moved.map(({ board, rows, left }) => ({
        board,
        moved: rows !== null,
        ...(rows && countsOf(rows)),
        ...(left && { left }),
      })),
      failed,
    },
    exitCode: failed > 0 ? EXIT.failed : EXIT.done,
  }
}

/** Files of a board in the volume that do not go to the database, in one line; undefined: there are none. */
async function filesLeft(from: Boards, slug: string): Promise<string | undefined> {
  const place = from.place(slug)
  const directory = attachmentsDir(place)
  if (directory === undefined) return undefined
  const options = { mode: 'read', evenSealed: true, warn: () => undefined } as const
  const { length } = await withBoard(from, place, options, (board) => board.allAttachments())
  return length === 0 ? undefined : `${filesText(length)} left in ${directory}; the board in the database has none`
}
