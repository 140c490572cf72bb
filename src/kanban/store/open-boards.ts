/** The boards a dispatcher has open between its ticks. */
import type { Board, BoardPlace } from '../port/board.ts'
import type { Boards } from '../port/boards.ts'
import { SHORT_BUSY_TIMEOUT_MS } from './board.ts'

/** Not a version of any board: the next check sees a change. */
export const LOOK_AGAIN = -1

export interface OpenBoard {
  readonly place: BoardPlace
  readonly board: Board
  readonly identity: string | undefined
  /** Value of {@link Board.version} at the last tick. */
  version: number
  tickedAtMs: number
  /** The next time of a routine, by the wall clock of this machine; undefined: none is known. */
  routineAtMs: number | undefined
}

export class OpenBoards {
  readonly #boards: Pick<Boards, 'identity' | 'open'>
  readonly #warn: (text: string) => void
  readonly #open = new Map<string, OpenBoard>()

  constructor(boards: Pick<Boards, 'identity' | 'open'>, warn: (text: string) => void) {
    this.#boards = boards
    this.#warn = warn
  }

  /** @throws HermesError */
  async open(place: BoardPlace): Promise<OpenBoard> {
    const known = this.#open.get(place.slug)
    const identity = this.#boards.identity(place)
    if (known !== undefined && known.identity === identity) return known
    // The file has been replaced, by a backup or a new board, and ours is still the old one.
    await this.close(place.slug)
    const options = { mode: 'write', busyTimeoutMs: SHORT_BUSY_TIMEOUT_MS, warn: this.#warn } as const
    const board = await this.#boards.open(place, options)
    const tickedAtMs = Number.NEGATIVE_INFINITY
    const opened = { place, board, identity, version: LOOK_AGAIN, tickedAtMs, routineAtMs: undefined }
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
