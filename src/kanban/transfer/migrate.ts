/**
 * Moves boards to another place. At most one of the two accepts changes at any moment, and an interrupted move goes on
 * when it is run again:
 *
 *   1. the source keeps writers out, and the copy is made in one transaction, sealed as `copying`
 *   2. the source is sealed as `moved`
 *   3. the seal of the copy is broken
 *
 * Before 2 the source is in use, and a copy that is there already is made again. After 2 the copy only waits for 3.
 */
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import type { Board, BoardPlace } from '../port/board.ts'
import type { Boards } from '../port/boards.ts'
import { sealedBoard } from '../port/seal.ts'
import { exportBoard } from './export.ts'
import type { RowCounts } from './format.ts'
import { readExport } from './import.ts'

/** Time to wait for the tick of a dispatcher. */
const TICK_WAIT_MS = 20_000

export interface MoveOptions {
  readonly from: Boards
  readonly to: Boards
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** After each row, with its size. */
  readonly progress: (size: number) => void
}

/**
 * Moves a board with everything on it, and checks counts and checksums on both sides.
 * @returns null: it had been moved before
 * @throws HermesError; the source is in use as before
 */
export async function moveBoard(slug: string, options: MoveOptions): Promise<RowCounts | null> {
  const { from, to, clock, warn } = options
  const open = (boards: Boards, mode: 'write' | 'create'): Promise<Board> =>
    boards.open(boards.place(slug), { mode, warn, evenSealed: true })
  const place = from.place(slug)
  const ticks = await from.holdTicks(place, clock, TICK_WAIT_MS)
  if (ticks === undefined)
    throw new HermesError('FAILED', `a dispatcher holds the board "${slug}"`, {
      next: 'stop the dispatcher, then try again',
    })
  const source = await open(from, 'write')
  try {
    const seal = await source.seal()
    const isMoved = seal?.kind === 'moved' && seal.place === to.where(to.place(slug))
    if (seal !== undefined && !isMoved) throw sealedBoard(slug, seal, from.kept)
    const target = await open(to, isMoved ? 'write' : 'create')
    try {
      const counts = isMoved ? null : await copy(source, target, place, options)
      if ((await target.seal())?.kind === 'copying') await target.unseal()
      return counts
    } finally {
      await target.close()
    }
  } catch (error) {
    throw from.problem(to.problem(error, to.place(slug), warn), place, warn)
  } finally {
    await source.close()
    await ticks.release()
  }
}

const copy = (
  source: Board,
  target: Board,
  place: BoardPlace,
  { from, to, progress }: MoveOptions,
): Promise<RowCounts> =>
  source.moveOut(to.where(target.place), (snapshot) =>
    target.fill(async (intake) => {
      const reader = await readExport(bytesOf(exportBoard(snapshot, place.slug)), `the board "${place.slug}"`)
      return reader.into(intake, progress)
    }, from.where(place)),
  )

async function* bytesOf(pieces: ReturnType<typeof exportBoard>): AsyncGenerator<Uint8Array> {
  for await (const { text } of pieces) yield Buffer.from(text)
}
