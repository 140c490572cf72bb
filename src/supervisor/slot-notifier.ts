import type { Journal } from '../log/io/journal.ts'
import type { ToInit } from '../protocol/init.ts'
import { shellCode } from '../slot/ending.ts'
import type { Effect } from '../slot/slot.ts'
import type { Clock } from '../system/clock.ts'
import type { SlotOperations } from './operator/operations.ts'
import type { S6Control } from './operator/s6-control.ts'
import type { SlotWaiters } from './operator/slot-waiters.ts'
import type { StatusFiles } from './operator/status-files.ts'
import { transitionText } from './operator/transition-text.ts'
import type { ServiceSlots } from './services/image-services.ts'
import type { WaitingGateways } from './services/waiting-gateways.ts'
import type { SlotEntry, SlotObserver, Transition } from './slots/entry.ts'
import type { JobResults } from './slots/job-results.ts'
import type { SlotTable } from './slots/table.ts'
import type { VolumeLifecycle } from './volume-lifecycle.ts'

export interface SlotNotifierOptions {
  readonly clock: Clock
  readonly journal: Journal
  readonly send: (message: ToInit) => void
  readonly table: Pick<SlotTable, 'entries'>
  readonly life: Pick<VolumeLifecycle, 'phase' | 'drainIfEmpty'>
  /** All listeners are called for every slot, in this order. */
  readonly listeners: SlotListeners
}

export interface SlotListeners {
  readonly services: Pick<ServiceSlots, 'changed'>
  readonly waiting: Pick<WaitingGateways, 'changed'>
  readonly waiters: Pick<SlotWaiters, 'changed' | 'removed'>
  readonly jobResults: Pick<JobResults, 'keep' | 'drop'>
  readonly statusFiles: Pick<StatusFiles, 'changed' | 'removed' | 'tally'>
  readonly s6: Pick<S6Control, 'changed' | 'removed'>
  readonly operations: Pick<SlotOperations, 'notify'>
}

/** Distributes the changes of slots: files are written before listeners are notified of their content. */
export class SlotNotifier implements SlotObserver {
  readonly #options: SlotNotifierOptions

  constructor(options: SlotNotifierOptions) {
    this.#options = options
  }

  finishing(entry: SlotEntry): void {
    this.#options.listeners.statusFiles.tally(entry)
  }

  registered(entry: SlotEntry): void {
    this.#options.listeners.operations.notify('slot', entry)
  }

  /** Called after each step of a slot. */
  changed({ entry, before, event }: Transition): void {
    const { clock, journal, life } = this.#options
    const { services, waiting, waiters, jobResults, statusFiles, s6, operations } = this.#options.listeners
    const { key, slot } = entry
    const message = transitionText(key, before, slot, event, clock.nowMs())
    if (message !== undefined) journal[message.level](message.text)
    services.changed(key, slot)
    waiting.changed()
    waiters.changed(key, slot)
    jobResults.keep(entry)
    statusFiles.changed(entry, before)
    s6.changed(entry, before)
    operations.notify('slot', entry)
    life.drainIfEmpty()
  }

  removed(entry: SlotEntry): void {
    const { waiters, jobResults, statusFiles, s6, operations } = this.#options.listeners
    waiters.removed(entry.key)
    jobResults.drop(entry)
    statusFiles.removed(entry)
    s6.removed(entry.key)
    operations.notify('removed', entry)
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

  /** Sends the events of `ended` again: an earlier supervisor may have died before it sent them. */
  repeatEnded(): void {
    for (const entry of this.#options.table.entries()) {
      const { slot } = entry
      if (slot.state !== 'parked' && slot.state !== 'down') continue
      if (slot.reason === undefined) continue
      const ending = slot.lastEnding?.ending
      this.ended(entry, { type: 'ended', reason: slot.reason, ...(ending && { ending }) })
    }
  }
}
