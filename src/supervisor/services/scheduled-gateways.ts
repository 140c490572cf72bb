import { isOccupied, type SlotEvent } from '../../slot/slot.ts'
import type { Clock } from '../../system/clock.ts'
import type { SlotEntry } from '../slots/entry.ts'
import type { StateStore } from '../slots/state-store.ts'
import type { SlotTable } from '../slots/table.ts'
import type { ServiceNote } from './image-services.ts'
import { Schedules } from './schedules.ts'

export interface ScheduledGatewaysOptions {
  readonly table: () => Pick<SlotTable, 'get' | 'dispatch'>
  readonly stateStore: Pick<StateStore, 'keep'>
  readonly clock: Clock
  /** TZ of the container. */
  readonly timezone: string | undefined
  readonly warn: (text: string) => void
  /** Names that are missing for a start now. */
  readonly missing: (key: string) => readonly string[]
}

/**
 * Gateways that run at times: `gateway.schedule`. A start switches the schedule on and a stop switches it off; the slot
 * is down between two runs.
 */
export class ScheduledGateways {
  readonly #options: ScheduledGatewaysOptions
  readonly #schedules: Schedules
  #restored: readonly string[] = []

  constructor(options: ScheduledGatewaysOptions) {
    this.#options = options
    const { clock, timezone, warn } = options
    this.#schedules = new Schedules({ clock, timezone, warn, due: (key) => this.#run(key) })
  }

  /** @returns true: the event is a start of something that runs at its times only */
  holds({ key, launch }: SlotEntry, event: SlotEvent): boolean {
    if (event.type === 'halt' || (event.type === 'want' && event.wanted === 'down')) {
      this.#switch(key, undefined)
      return false
    }
    if (event.type !== 'restart' && !(event.type === 'want' && event.wanted === 'up')) return false
    this.#switch(key, launch.schedule)
    if (launch.schedule === undefined) return false
    // A restart runs it now, as for a service; while it runs, that is an ordinary restart.
    const slot = this.#options.table().get(key)?.slot
    if (event.type === 'restart' && slot !== undefined && isOccupied(slot)) return false
    if (event.type === 'restart') this.#run(key)
    return true
  }

  note(key: string): ServiceNote {
    const nextStartAtMs = this.#schedules.nextAtMs(key)
    return nextStartAtMs === undefined ? {} : { wanted: 'up', nextStartAtMs }
  }

  /** @param text the file of an earlier supervisor of this container's life */
  restore(text: string): void {
    const names: unknown = JSON.parse(text)
    if (!Array.isArray(names)) throw new Error('it is not a list')
    this.#restored = names.filter((name) => typeof name === 'string')
  }

  /** All slots are known: the schedules that were on when the last supervisor ended are on again. */
  begin(): void {
    for (const key of this.#restored) {
      const schedule = this.#options.table().get(key)?.launch.schedule
      if (schedule !== undefined) this.#schedules.start({ name: key, schedule })
    }
    // One that was switched before has stored only those that were on by then.
    if (this.#restored.length > 0) this.#save()
  }

  #switch(key: string, schedule: string | undefined): void {
    const isOn = this.#schedules.nextAtMs(key) !== undefined
    if (!isOn && schedule === undefined) return
    this.#schedules.stop(key)
    if (schedule !== undefined) this.#schedules.start({ name: key, schedule })
    this.#save()
  }

  #save(): void {
    this.#options.stateStore.keep('.schedules', JSON.stringify(this.#schedules.names()))
  }

  /** One run of it never meets the next. */
  #run(key: string): void {
    const { table, warn, missing } = this.#options
    const slot = table().get(key)?.slot
    if (slot === undefined) return
    const lacks = missing(key)
    if (isOccupied(slot)) warn(`${key}: its last run has not ended; this one is skipped`)
    else if (lacks.length > 0) warn(`${key}: ${lacks.join(', ')} is not up; this run is skipped`)
    else table().dispatch(key, { type: 'want', wanted: 'once' })
  }
}
