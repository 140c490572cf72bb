/** The boards a dispatcher has open between its ticks. */
import { statSync } from 'node:fs'
import type { Board, BoardPlace } from '../port/board.ts'
import { openBoard, SHORT_BUSY_TIMEOUT_MS } from './board.ts'

/** Not a version of any board: the next check sees a change. */
export const LOOK_AGAIN = -1

export interface OpenBoard {
  readonly place: BoardPlace
  readonly board: Board
  readonly fileId: string | undefined
  /** Value of {@link Board.version} at the last tick. */
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
  async open(place: BoardPlace): Promise<OpenBoard> {
    const known = this.#open.get(place.slug)
    const fileId = fileIdOf(place)
    if (known !== undefined && known.fileId === fileId) return known
    // The file has been replaced, by a backup or a new board, and ours is still the old one.
    await this.close(place.slug)
    const board = await openBoard(place, { mode: 'write', busyTimeoutMs: SHORT_BUSY_TIMEOUT_MS, warn: this.#warn })
    const opened = { place, board, fileId, version: LOOK_AGAIN, tickedAtMs: Number.NEGATIVE_INFINITY }
    this.#open.set(place.slug, opened)
    return opened
  }

  all(): readonly OpenBoard[] {
    return [...this.#open.values()]
  }

  async close(slug: string): Promise<void> {
    const board = this.#open.get(slug)?.board
    this.#open.delete(slug)
    await board?.close()
  }
}

function fileIdOf({ file }: BoardPlace): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat && `${stat.dev}:${stat.ino}`
}
