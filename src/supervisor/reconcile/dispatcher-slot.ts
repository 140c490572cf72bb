import { join } from 'node:path'
import { dispatcherWanted } from '../../kanban/installation.ts'
import { listBoards } from '../../kanban/store/places.ts'
import { ConfigCache } from '../../profile/config/config.ts'
import type { SlotTable } from '../slots/table.ts'

/** The helper slot that dispatches the boards. */
export const DISPATCHER = 'dispatcher'

export interface DispatcherSlotOptions {
  readonly home: string
  /** The board is in a database, whose state must not matter here. */
  readonly hasDatabase: boolean
  readonly table: Pick<SlotTable, 'get' | 'register' | 'dispatch' | 'setNormallyUp'>
  readonly warn: (text: string) => void
}

/**
 * Keeps the dispatcher's slot in step with what is on the disk: up when there is a board and the configuration lets it.
 * With a board in a database it is always up, because commands reach the board through the dispatcher.
 */
export class DispatcherSlot {
  readonly #options: DispatcherSlotOptions
  #watched = false
  readonly #allowed = new ConfigCache(({ config }) => config.kanban.dispatchInGateway)
  /** The last request to the slot; an operator's command after it stays in effect until the facts change. */
  #wanted: boolean | undefined

  constructor(options: DispatcherSlotOptions) {
    this.#options = options
  }

  /** Looks now, and from now on with each {@link poll}. */
  watch(): void {
    this.#watched = true
    this.update()
  }

  /** Called every two seconds. */
  poll(): void {
    if (this.#watched) this.update()
  }

  /** Looks, and acts when something has changed since the last look. */
  update(): void {
    const { home, hasDatabase, table, warn } = this.#options
    let boards = 0
    try {
      if (!hasDatabase) boards = listBoards(home).length
    } catch (error) {
      warn(`${DISPATCHER}: cannot look for boards: ${(error as Error).message}`)
      return
    }
    // Without a board the configuration does not matter, and is not read.
    const wanted =
      hasDatabase ||
      (boards > 0 && dispatcherWanted({ boards, dispatchInGateway: this.#allowed.of(join(home, 'config.yaml')) }))
    if (wanted === this.#wanted) return
    if (wanted || table.get(DISPATCHER) !== undefined) {
      table.register(DISPATCHER)
      table.setNormallyUp(DISPATCHER, wanted)
      table.dispatch(DISPATCHER, { type: 'want', wanted: wanted ? 'up' : 'down' })
    }
    this.#wanted = wanted
  }

  /** The boards belong to another container: nothing is checked before the next `watch`, which decides again. */
  forget(): void {
    this.#watched = false
    this.#wanted = undefined
  }
}
