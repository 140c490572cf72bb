import type { Clock } from '../../system/clock.ts'
import { type Boards, withBoard } from '../port/boards.ts'
import type { BoardWatch } from './board-watch.ts'

const PAUSE_MS = 1000
const PAUSE_AFTER_FAILURE_MS = 5000

/** Boards in a database. One look at a time, and none for some time after one that failed. */
export class DatabaseWatch implements BoardWatch {
  readonly #boards: Pick<Boards, 'list' | 'open' | 'problem'>
  readonly #clock: Clock
  #seen: ReadonlyMap<string, number> | undefined
  #isAway = false
  #busy = false
  #nextMs = 0

  constructor(boards: Pick<Boards, 'list' | 'open' | 'problem'>, clock: Clock) {
    this.#boards = boards
    this.#clock = clock
  }

  async look(): Promise<readonly string[]> {
    if (this.#busy || this.#clock.nowMs() < this.#nextMs) return []
    this.#busy = true
    try {
      const now = await this.#versions()
      this.#nextMs = this.#clock.nowMs() + PAUSE_MS
      const [before, wasAway] = [this.#seen, this.#isAway]
      this.#seen = now
      this.#isAway = false
      if (wasAway) return [...now.keys()]
      if (before === undefined) return []
      const gone = [...before.keys()].filter((slug) => !now.has(slug))
      return [...[...now].filter(([slug, version]) => before.get(slug) !== version).map(([slug]) => slug), ...gone]
    } catch {
      this.#nextMs = this.#clock.nowMs() + PAUSE_AFTER_FAILURE_MS
      // Pages ask for their board, and the answer says what is wrong.
      const isNews = !this.#isAway
      this.#isAway = true
      return isNews ? [...(this.#seen?.keys() ?? [])] : []
    } finally {
      this.#busy = false
    }
  }

  async #versions(): Promise<ReadonlyMap<string, number>> {
    const versions = new Map<string, number>()
    for (const place of await this.#boards.list()) {
      const options = { mode: 'read', warn: () => undefined } as const
      versions.set(place.slug, await withBoard(this.#boards, place, options, (board) => board.version()))
    }
    return versions
  }
}
