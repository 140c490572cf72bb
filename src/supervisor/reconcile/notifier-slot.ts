import { NOTIFIER } from '../../profile/names.ts'
import type { Launcher } from '../launch/launcher.ts'
import type { SlotTable } from '../slots/table.ts'

export interface NotifierSlotOptions {
  readonly launcher: Pick<Launcher, 'notifies'>
  readonly table: Pick<SlotTable, 'get' | 'register' | 'dispatch' | 'setNormallyUp'>
}

/** Keeps the notifier's slot in step with `notify` of the default profile: up while there is a target. */
export class NotifierSlot {
  readonly #options: NotifierSlotOptions
  #watched = false
  /** The last request to the slot; an operator's command after it stays in effect until the file changes. */
  #wanted: boolean | undefined

  constructor(options: NotifierSlotOptions) {
    this.#options = options
  }

  /** Looks now, and from now on with each {@link poll}. */
  watch(): void {
    this.#watched = true
    this.poll()
  }

  /** Called every two seconds. */
  poll(): void {
    const { launcher, table } = this.#options
    if (!this.#watched) return
    const wanted = launcher.notifies
    if (wanted === this.#wanted) return
    if (wanted || table.get(NOTIFIER) !== undefined) {
      table.register(NOTIFIER)
      table.setNormallyUp(NOTIFIER, wanted)
      table.dispatch(NOTIFIER, { type: 'want', wanted: wanted ? 'up' : 'down' })
    }
    this.#wanted = wanted
  }

  /** The volume belongs to another container: nothing is started before the next `watch`. */
  forget(): void {
    this.#watched = false
    this.#wanted = undefined
  }
}
