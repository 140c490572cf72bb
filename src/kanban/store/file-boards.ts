/** Boards in SQLite files of the volume. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import type { Board, BoardPlace, FilePlace, TickLock } from '../port/board.ts'
import type { Boards, OpenBoardOptions } from '../port/boards.ts'
import type { Node } from '../port/nodes.ts'
import { asideStamp } from '../port/refusals.ts'
import { takeTickLock } from '../sqlite/tick-lock.ts'
import { boardError, isNeverCreated, openBoard } from './board.ts'
import { moveBoardDirectory } from './move-board.ts'
import { boardPlace, listBoards, removedBoardDirectory } from './places.ts'

export class FileBoards implements Boards {
  readonly kept = 'files'
  readonly #home: string

  constructor(home: string) {
    this.#home = home
  }

  place(slug: string): FilePlace {
    return boardPlace(this.#home, slug)
  }

  where({ slug }: BoardPlace): string {
    return this.place(slug).file
  }

  async list(): Promise<readonly FilePlace[]> {
    return listBoards(this.#home)
  }

  async has({ slug }: BoardPlace): Promise<boolean> {
    return existsSync(this.place(slug).file)
  }

  async isNeverCreated({ slug }: BoardPlace): Promise<boolean> {
    return isNeverCreated(this.place(slug))
  }

  open({ slug }: BoardPlace, options: OpenBoardOptions): Promise<Board> {
    return openBoard(this.place(slug), options)
  }

  holdTicks({ slug }: BoardPlace, clock: Clock, waitMs: number): Promise<TickLock | undefined> {
    return takeTickLock(this.place(slug), clock, waitMs)
  }

  async rename({ slug }: BoardPlace, to: string, clock: Clock): Promise<void> {
    const target = dirname(this.place(to).file)
    await moveBoardDirectory(this.place(slug), target, { clock, evenSealed: false })
  }

  async setAside({ slug }: BoardPlace, clock: Clock): Promise<string> {
    const target = removedBoardDirectory(this.#home, slug, asideStamp(clock.wallMs()))
    await moveBoardDirectory(this.place(slug), target, { clock, evenSealed: true })
    return target
  }

  async nodes(): Promise<readonly Node[]> {
    return []
  }

  moves(): undefined {
    return undefined
  }

  leases(): undefined {
    return undefined
  }

  problem(error: unknown, { slug }: BoardPlace, warn: (text: string) => void): unknown {
    return boardError(error, this.place(slug), warn)
  }

  identity({ slug }: BoardPlace): string | undefined {
    const stat = statSync(this.place(slug).file, { throwIfNoEntry: false })
    return stat && `${stat.dev}:${stat.ino}`
  }

  async close(): Promise<void> {
    // Each board that is open has its own connection.
  }
}
