import { METER } from '../../profile/environment/metered.ts'
import type { Launcher } from '../launch/launcher.ts'
import type { SlotTable } from '../slots/table.ts'

export interface MeterSlotOptions {
  readonly launcher: Pick<Launcher, 'metersAny'>
  readonly table: Pick<SlotTable, 'register' | 'dispatch' | 'setNormallyUp'>
}

/**
 * Starts the meter's slot as soon as a profile needs it. It stays up after that: a process that was started with the
 * meter's address has no other one, and may run for long after the last change of a config.yaml.
 */
export class MeterSlot {
  readonly #options: MeterSlotOptions
  #watched = false
  #started = false

  constructor(options: MeterSlotOptions) {
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
    if (!this.#watched || this.#started || !launcher.metersAny) return
    this.#started = true
    table.register(METER)
    table.setNormallyUp(METER, true)
    table.dispatch(METER, { type: 'want', wanted: 'up' })
  }

  /** The volume belongs to another container: nothing is started before the next `watch`. */
  forget(): void {
    this.#watched = false
    this.#started = false
  }
}
