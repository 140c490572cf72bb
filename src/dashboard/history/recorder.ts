/** Writes down what each slot uses, once a minute, while the dashboard runs. */
import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ControlClient } from '../../control/client.ts'
import type { UsageSnapshot } from '../../control/slot-usage.ts'
import { type Boards, isAway, withBoard } from '../../kanban/port/boards.ts'
import type { StatusResult } from '../../protocol/control.ts'
import { type Cancel, type Clock, pause } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { databaseProblem } from '../../system/files/sqlite.ts'
import { historyDir, historyFile } from '../../system/paths.ts'
import { HistoryCount, type Queues } from './count.ts'
import { RING_MINUTES } from './ring.ts'
import { writePoint } from './ring-file.ts'

const MINUTE_MS = 60_000
/** Files written before other requests get their turn: some milliseconds of them. */
const AT_ONCE = 50
const DIR_MODE = 0o750

export interface RecorderFacts {
  readonly home: string
  readonly clock: Clock
  readonly boards: Boards
  readonly connect: () => Promise<ControlClient>
  readonly readUsage: (slots: StatusResult['slots']) => UsageSnapshot
  readonly warn: (text: string) => void
}

/**
 * Looks at the start of each minute of Unix time and writes the minute that has passed. A look that fails leaves a gap,
 * and so does a container that waits for the volume: another one writes then.
 */
export class HistoryRecorder {
  readonly #facts: RecorderFacts
  #count = new HistoryCount()
  #cancel: Cancel | undefined
  #failed = false
  #lastMinute = 0
  #lastSweepMinute = 0
  readonly #end = new AbortController()

  constructor(facts: RecorderFacts) {
    this.#facts = facts
  }

  start(): void {
    if (this.#end.signal.aborted) return
    const { clock } = this.#facts
    const untilNext = MINUTE_MS - (clock.wallMs() % MINUTE_MS)
    this.#cancel = clock.at(clock.nowMs() + untilNext, () => {
      void this.#look().finally(() => this.start())
    })
  }

  stop(): void {
    this.#end.abort()
    this.#cancel?.()
  }

  async #look(): Promise<void> {
    const { clock, warn, home } = this.#facts
    // Half a second before it is still the minute that ends.
    const minute = Math.floor((clock.wallMs() - MINUTE_MS / 2) / MINUTE_MS)
    // An alarm may come a little early, and then again.
    if (minute === this.#lastMinute) return
    this.#lastMinute = minute
    try {
      await this.#record(minute)
      this.#failed = false
    } catch (error) {
      // Once per failure: a full disk lasts.
      if (!this.#failed) warn(`${historyDir(home)}: ${(error as Error).message}; the history has a gap until it works`)
      this.#failed = true
    }
  }

  /** @throws an error of the system */
  async #record(minute: number): Promise<void> {
    const { home, clock, readUsage } = this.#facts
    const status = await this.#status()
    if (status?.phase !== 'running') {
      this.#count = new HistoryCount()
      return
    }
    const queues = await this.#queues()
    const points = this.#count.points(status.slots, readUsage(status.slots), queues, minute)
    if (points.size === 0) return
    makeDirectory(historyDir(home), DIR_MODE)
    let written = 0
    for (const [slot, point] of points) {
      if (this.#end.signal.aborted) return
      writePoint(historyFile(home, slot), point)
      if (++written % AT_ONCE === 0) await pause(clock, 0, this.#end.signal)
    }
    if (minute - this.#lastSweepMinute >= 60) this.#sweep(points, minute)
  }

  /** undefined: the supervisor does not answer. */
  async #status(): Promise<StatusResult | undefined> {
    try {
      const client = await this.#facts.connect()
      return await client.request('status', {}, { timeoutMs: 5000 }).finally(() => client.close())
    } catch (error) {
      if (error instanceof HermesError) return undefined
      throw error
    }
  }

  async #queues(): Promise<Queues> {
    const { boards, warn } = this.#facts
    const sums: Record<string, number> = {}
    try {
      for (const place of await boards.list()) {
        if (!(await boards.has(place))) continue
        const options = { mode: 'read', busyTimeoutMs: 0, warn } as const
        const counts = await withBoard(boards, place, options, (board) => board.readyByAssignee())
        for (const [profile, count] of Object.entries(counts)) sums[profile] = (sums[profile] ?? 0) + count
      }
      return sums
    } catch (error) {
      if (isAway(error) || error instanceof HermesError || databaseProblem(error) !== undefined) return undefined
      throw error
    }
  }

  /** Removes files of slots that are gone and have nothing left to show. */
  #sweep(present: ReadonlyMap<string, unknown>, minute: number): void {
    const { home, clock } = this.#facts
    const dir = historyDir(home)
    for (const name of readdirSync(dir)) {
      if (present.has(name)) continue
      const stat = statSync(join(dir, name), { throwIfNoEntry: false })
      if (stat?.isFile() && clock.wallMs() - stat.mtimeMs > RING_MINUTES * MINUTE_MS)
        rmSync(join(dir, name), { force: true })
    }
    this.#lastSweepMinute = minute
  }
}
