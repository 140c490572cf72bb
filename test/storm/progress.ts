// How far a storm is, and when it is over.
import { setTimeout as pause } from 'node:timers/promises'
import type { Counts } from '../../src/kanban/port/board.ts'
import type { Faults } from './faults.ts'
import type { Feeder } from './feeder.ts'

const LOOK_MS = 1000
const SAY_MS = 10_000

export interface ProgressOptions {
  readonly durationMs: number
  readonly tasks: number
  readonly say: (line: string) => void
}

export class Progress {
  readonly #feeder: Feeder
  readonly #faults: Faults
  readonly #options: ProgressOptions
  readonly #startedAtMs = Date.now()
  #saidAtMs = 0

  constructor(feeder: Feeder, faults: Faults, options: ProgressOptions) {
    this.#feeder = feeder
    this.#faults = faults
    this.#options = options
  }

  /** Reports until the time of the faults is over. */
  async run(): Promise<void> {
    while (Date.now() - this.#startedAtMs < this.#options.durationMs) {
      await pause(LOOK_MS)
      await this.#look()
    }
  }

  /** Until every task is done or blocked, or nothing has changed for `stalledMs`. */
  async untilQuiet(stalledMs: number): Promise<void> {
    let seen = ''
    let changedAtMs = Date.now()
    while (Date.now() - changedAtMs < stalledMs) {
      const counts = await this.#look()
      const ended = (counts.done ?? 0) + (counts.blocked ?? 0)
      if (ended === this.#options.tasks) return
      const now = JSON.stringify(counts)
      if (now !== seen) changedAtMs = Date.now()
      seen = now
      await pause(LOOK_MS)
    }
    this.#options.say(`nothing has changed for ${stalledMs / 1000} s`)
  }

  async #look(): Promise<Counts> {
    const counts = await this.#feeder.patiently(() => this.#feeder.board.statusCounts())
    if (Date.now() - this.#saidAtMs < SAY_MS) return counts
    this.#saidAtMs = Date.now()
    const seconds = Math.round((Date.now() - this.#startedAtMs) / 1000)
    const { tasks, durationMs, say } = this.#options
    const numbers = ['done', 'running', 'ready', 'todo', 'blocked'].map((status) => `${counts[status] ?? 0} ${status}`)
    const away = this.#faults.away.length === 0 ? '' : `; away: ${this.#faults.away.join(', ')}`
    say(
      `${seconds} of ${durationMs / 1000} s: ${this.#feeder.made.size} of ${tasks} made, ${numbers.join(', ')}${away}`,
    )
    return counts
  }
}
