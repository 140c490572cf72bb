// Makes the tasks of a storm, while it lasts.
import { setTimeout as pause } from 'node:timers/promises'
import type { Board } from '../../src/kanban/port/board.ts'
import { type Boards, isAway } from '../../src/kanban/port/boards.ts'
import { boardsInDatabase } from '../../src/kanban/store/boards.ts'
import type { PlannedTask } from './work.ts'

/** Pause before a database that is away is asked again. */
const AGAIN_MS = 500
/** Of all tasks, so many are there from the beginning: the board is never idle. */
const AT_ONCE = 0.2

export class Feeder implements AsyncDisposable {
  readonly #boards: Boards
  readonly #board: Board
  readonly #ids = new Map<number, string>()
  #isClosed = false
  readonly #made = new Map<string, { readonly once: boolean }>()

  private constructor(boards: Boards, board: Board) {
    this.#boards = boards
    this.#board = board
  }

  /** Makes the board. @param database as this machine reaches it */
  static async start(database: string): Promise<Feeder> {
    const boards = await boardsInDatabase(database)
    const board = await boards.open(boards.place('default'), { mode: 'create', warn: () => undefined })
    return new Feeder(boards, board)
  }

  /** Id → how it was made, of every task whose making was confirmed. */
  get made(): ReadonlyMap<string, { readonly once: boolean }> {
    return this.#made
  }

  get board(): Board {
    return this.#board
  }

  /** Makes the first tasks at once, and the others evenly over `durationMs`. */
  async run(work: readonly PlannedTask[], durationMs: number): Promise<void> {
    const atOnce = Math.round(work.length * AT_ONCE)
    const startedAtMs = Date.now()
    for (const [index, task] of work.entries()) {
      const dueMs = (Math.max(0, index - atOnce) / (work.length - atOnce)) * durationMs
      await pause(Math.max(0, startedAtMs + dueMs - Date.now()))
      await this.#make(task)
    }
  }

  /** Until it is confirmed. A key makes it the same task, however often the answer was lost. */
  async #make({ number, profile, priority, parents, once }: PlannedTask): Promise<void> {
    const input = {
      title: `task ${number}`,
      assignee: profile,
      priority,
      once,
      parents: parents.map((parent) => this.#ids.get(parent) ?? ''),
      idempotencyKey: `storm-${number}`,
    }
    const { task } = await this.patiently(() => this.#board.create(input, { name: 'storm', wallMs: Date.now() }))
    this.#ids.set(number, task.id)
    this.#made.set(task.id, { once })
  }

  /** Asks again while the database is away. */
  async patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (this.#isClosed || !isAway(error)) throw error
        await pause(AGAIN_MS)
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.#board.close()
    await this.#boards.close()
  }
}
