import type { ChildFacts, Sequenced, ToSupervisor } from '../../protocol/init.ts'
import { type Ending, type NotRun, permanentReason } from '../../slot/ending.ts'
import { type Child, childOf, isOccupied } from '../../slot/slot.ts'
import { type Clock, wallTimeOf } from '../../system/clock.ts'
import type { SlotLogs } from './logs.ts'
import type { SlotTable } from './table.ts'

export interface ChildReportsOptions {
  readonly table: SlotTable
  readonly logs: Pick<SlotLogs, 'endOfProcess' | 'lastOutput'>
  readonly clock: Clock
  /** Obeys the commands for the slot that were written to its control FIFO until now. */
  readonly obeyWritten: (slot: string) => void
  /** Tells whether the slot's own script found no program to run. */
  readonly notRun: (slot: string, ending: Ending) => NotRun | undefined
  /** 0 ≤ n < 1 */
  readonly random: () => number
}

/** Converts init's reports about processes to events of the slots; first those from the time without a supervisor. */
export class ChildReports {
  readonly #options: ChildReportsOptions
  /** While init replays unacknowledged events: slots whose process counts as gone if no event mentions it. */
  #replay: { left: number; readonly unaccounted: readonly { key: string; request: number }[] } | undefined

  constructor(options: ChildReportsOptions) {
    this.#options = options
  }

  /** @param replay number of unacknowledged events that follow */
  welcome(children: readonly ChildFacts[], replay: number): void {
    const { table } = this.#options
    const living = new Set(children.map(({ slot }) => slot))
    const unaccounted = table
      .entries()
      .filter(({ key, slot }) => isOccupied(slot) && !living.has(key))
      .map(({ key, slot }) => ({ key, request: slot.request }))
    for (const { key } of unaccounted) table.openLog(key, true)
    for (const facts of children) this.#adopt(facts)
    for (const { key, slot } of table.entries()) if (!isOccupied(slot)) table.attend(key)
    this.#replay = { left: replay, unaccounted }
    if (replay === 0) this.#replayed()
  }

  spawned(request: number, facts: ChildFacts): void {
    const { table } = this.#options
    const { slot: key, child, readyAtMs } = facts
    if (table.get(key) === undefined) return
    table.openLog(key, false)
    table.dispatch(key, { type: 'spawned', request, child: childFrom(facts) })
    if (readyAtMs !== undefined) table.dispatch(key, { type: 'ready', child, atMs: readyAtMs })
  }

  /** A start that this supervisor requested has failed. */
  refused({ slot, request, error }: Extract<ToSupervisor, { type: 'spawn-failed' }>): void {
    this.#options.table.dispatch(slot, { type: 'spawn-failed', request, error, random: this.#options.random() })
  }

  sequenced(event: Sequenced): void {
    const { table, random: draw, logs } = this.#options
    const random = draw()
    switch (event.type) {
      case 'exit': {
        // Commands that the process wrote before it ended decide with its end whether the slot starts again.
        this.#options.obeyWritten(event.slot)
        logs.endOfProcess(event.slot)
        const { child, pid, ending, atMs } = event
        const wallMs = Math.round(wallTimeOf(this.#options.clock, atMs))
        const lastOutput = permanentReason(ending) === undefined ? undefined : this.#lastOutput(event.slot)
        const notRun = this.#options.notRun(event.slot, ending)
        table.dispatch(event.slot, {
          type: 'exited',
          child,
          pid,
          ending,
          atMs,
          wallMs,
          random,
          ...(lastOutput !== undefined && { lastOutput }),
          ...(notRun !== undefined && { notRun }),
        })
        break
      }
      case 'ready':
        table.dispatch(event.slot, { type: 'ready', child: event.child, atMs: event.atMs })
        break
    }
    if (this.#replay !== undefined && --this.#replay.left === 0) this.#replayed()
  }

  /** The last output of a process that is not restarted: the operator reads it first. */
  #lastOutput(key: string): string | undefined {
    const slot = this.#options.table.get(key)?.slot
    const spawnedAtMs = slot && childOf(slot)?.spawnedAtMs
    return spawnedAtMs === undefined
      ? undefined
      : this.#options.logs.lastOutput(key, wallTimeOf(this.#options.clock, spawnedAtMs))
  }

  #adopt(facts: ChildFacts): void {
    const { table } = this.#options
    const { slot: key, readyAtMs } = facts
    if (table.get(key) === undefined) table.rediscover(key)
    table.openLog(key, true)
    table.dispatch(key, { type: 'adopted', child: childFrom(facts), ...(readyAtMs !== undefined && { readyAtMs }) })
    // Adopting an unchanged slot causes no change, so its alarm and its watcher have not been set yet.
    table.attend(key)
  }

  #replayed(): void {
    const { table, random } = this.#options
    const { unaccounted } = this.#replay ?? { unaccounted: [] }
    this.#replay = undefined
    for (const { key, request } of unaccounted) table.dispatch(key, { type: 'gone', request, random: random() })
  }
}

const childFrom = ({ child, pid, startTime, spawnedAtMs }: ChildFacts): Child => ({
  id: child,
  pid,
  startTime,
  spawnedAtMs,
})
