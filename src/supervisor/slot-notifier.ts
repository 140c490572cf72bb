import type { Journal } from '../log/io/journal.ts'
import type { ToInit } from '../protocol/init.ts'
import { shellCode } from '../slot/ending.ts'
import type { Effect } from '../slot/slot.ts'
import type { Clock } from '../system/clock.ts'
import type { SlotOperations } from './operator/operations.ts'
import type { S6Control } from './operator/s6-control.ts'
import type { Waiting } from './operator/slot-waiters.ts'
import type { Records } from './operator/status-files.ts'
import { sentence } from './operator/transition-text.ts'
import type { ServiceSlots } from './services/image-services.ts'
import type { JobResults } from './slots/job-results.ts'
import type { SlotEntry, SlotObserver, SlotTable, Transition } from './slots/table.ts'
import type { Life } from './volume-lifecycle.ts'

export interface SlotNewsOptions {
  readonly clock: Clock
  readonly journal: Journal
  readonly send: (message: ToInit) => void
  readonly table: Pick<SlotTable, 'entries'>
  readonly life: Pick<Life, 'phase' | 'drainIfEmpty'>
  /** All listeners are called for every slot, in this order. */
  readonly listeners: SlotListeners
}

export interface SlotListeners {
  readonly services: Pick<ServiceSlots, 'changed'>
  readonly waiting: Pick<Waiting, 'changed' | 'removed'>
  readonly jobResults: Pick<JobResults, 'keep' | 'drop'>
  readonly records: Pick<Records, 'changed' | 'removed' | 'tally'>
  readonly s6: Pick<S6Control, 'changed' | 'removed'>
  readonly operations: Pick<SlotOperations, 'tell'>
}

/** Distributes the changes of slots: files are written before listeners are notified of their content. */
export class SlotNews implements SlotObserver {
  readonly #options: SlotNewsOptions

  constructor(options: SlotNewsOptions) {
    this.#options = options
  }

  finishing(entry: SlotEntry): void {
    this.#options.listeners.records.tally(entry)
  }

  registered(entry: SlotEntry): void {
    this.#options.listeners.operations.tell('slot', entry)
  }

  /** Called after each step of a slot. */
  changed({ entry, before, event }: Transition): void {
    const { clock, journal, life } = this.#options
    const { services, waiting, jobResults, records, s6, operations } = this.#options.listeners
    const { key, slot } = entry
    const said = sentence(key, before, slot, event, clock.nowMs())
    if (said !== undefined) journal[said.level](said.text)
    services.changed(key, slot)
    waiting.changed(key, slot)
    jobResults.keep(entry)
    records.changed(entry, before)
    s6.changed(entry, before)
    operations.tell('slot', entry)
    life.drainIfEmpty()
  }

  removed(entry: SlotEntry): void {
    const { waiting, jobResults, records, s6, operations } = this.#options.listeners
    waiting.removed(entry.key)
    jobResults.drop(entry)
    records.removed(entry)
    s6.removed(entry.key)
    operations.tell('removed', entry)
  }

  /** An essential slot takes the container with it. */
  ended({ key, launch }: SlotEntry, { ending, reason }: Extract<Effect, { type: 'ended' }>): void {
    const { life, send } = this.#options
    if (!launch.essential || life.phase === 'stopping') return
    const exitCode = ending === undefined ? 1 : shellCode(ending)
    send({
      type: 'shutdown',
      exitCode,
      reason: `the essential slot ${key} has ended: ${reason}`.slice(0, 1000),
    })
  }

  /** The supervisor that wanted to say so may have died before it could. */
  sayAgainWhatEnded(): void {
    for (const entry of this.#options.table.entries()) {
      const { slot } = entry
      if (slot.state !== 'parked' && slot.state !== 'down') continue
      if (slot.reason === undefined) continue
      const ending = slot.lastEnding?.ending
      this.ended(entry, { type: 'ended', reason: slot.reason, ...(ending && { ending }) })
    }
  }
}
