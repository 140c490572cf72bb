/** The boards a dispatcher has open between its ticks. */
import { statSync } from 'node:fs'
import { type Board, BRISK_MS, openBoard } from './board.ts'
import type { BoardPlace } from './places.ts'

/** No version of a board: the next look finds that something has changed. */
export const LOOK_AGAIN = -1

export interface OpenBoard {
  readonly place: BoardPlace
  readonly board: Board
  readonly fileId: string | undefined
  /** What {@link Board.dataVersion} said at the last tick. */
  version: number
  tickedAtMs: number
}

export class OpenBoards {
  readonly #warn: (text: string) => void
  readonly #open = new Map<string, OpenBoard>()

  constructor(warn: (text: string) => void) {
    this.#warn = warn
  }

  /** @throws HermesError */
  open(place: BoardPlace): OpenBoard {
    const known = this.#open.get(place.slug)
    const fileId = fileIdOf(place)
    if (known !== undefined && known.fileId === fileId) return known
    // Somebody has put another file in its place: a backup, a board begun anew. Ours is the old one still.
    this.close(place.slug)
    const board = openBoard(place, { mode: 'write', busyTimeoutMs: BRISK_MS, warn: this.#warn })
    const opened = { place, board, fileId, version: LOOK_AGAIN, tickedAtMs: Number.NEGATIVE_INFINITY }
    this.#open.set(place.slug, opened)
    return opened
  }

  all(): readonly OpenBoard[] {
    return [...this.#open.values()]
  }

  close(slug: string): void {
    this.#open.get(slug)?.board.close()
    this.#open.delete(slug)
  }
}

function fileIdOf({ file }: BoardPlace): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat && `${stat.dev}:${stat.ino}`
}
