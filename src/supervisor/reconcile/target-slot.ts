import type { SlotTable } from '../slots/table.ts'

export interface TargetSlotOptions {
  /** Key of the slot. */
  readonly slot: string
  /** Whether the default profile has targets for it now. */
  readonly isWanted: () => boolean
  readonly table: Pick<SlotTable, 'get' | 'register' | 'dispatch' | 'setNormallyUp'>
}

/** Keeps the slot of a helper in step with its list of targets in the default profile: up while there is one. */
export class TargetSlot {
  readonly #options: TargetSlotOptions
  #watched = false
  /** The last request to the slot; an operator's command after it stays in effect until the file changes. */
  #wanted: boolean | undefined

  constructor(options: TargetSlotOptions) {
    this.#options = options
  }

  /** Looks now, and from now on with each {@link poll}. */
  watch(): void {
    this.#watched = true
    this.poll()
  }

  /** Called every two seconds. */
  poll(): void {
    const { slot, isWanted, table } = this.#options
    if (!this.#watched) return
    const wanted = isWanted()
    if (wanted === this.#wanted) return
    if (wanted || table.get(slot) !== undefined) {
      table.register(slot)
      table.setNormallyUp(slot, wanted)
      table.dispatch(slot, { type: 'want', wanted: wanted ? 'up' : 'down' })
    }
    this.#wanted = wanted
  }

  /** The volume belongs to another container: nothing is started before the next `watch`. */
  forget(): void {
    this.#watched = false
    this.#wanted = undefined
  }
}
