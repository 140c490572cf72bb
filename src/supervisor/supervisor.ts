import { isSlotKey, type ToSupervisor } from '../protocol/init.ts'
import {
  type BaseParts,
  makeBase,
  makeNotifier,
  makeOperatorParts,
  makeSlots,
  makeVolume,
  type OperatorParts,
  type SlotParts,
  type SupervisorOptions,
  type VolumeParts,
} from './assembly.ts'
import type { SlotNotifier } from './slot-notifier.ts'

/** Policy: decides about slots, and has init do it. Has its parts put together, and hears init. */
export class Supervisor {
  readonly #base: BaseParts
  readonly #slots: SlotParts
  readonly #volume: VolumeParts
  readonly #operator: OperatorParts
  readonly #notifier: SlotNotifier

  constructor(options: SupervisorOptions) {
    const base = makeBase(options)
    this.#base = base
    this.#slots = makeSlots(base, {
      observer: () => this.#notifier,
      command: (slot, command) => {
        if (this.#volume.life.phase !== 'running') return
        this.#operator.audit.s6(`s6-svc -${command}`, slot)
        this.#operator.s6.obey(slot, command)
      },
    })
    this.#volume = makeVolume(base, this.#slots, { controlChannels: () => this.#operator.controlChannels })
    this.#operator = makeOperatorParts(base, this.#slots, this.#volume)
    this.#notifier = makeNotifier(base, this.#slots, this.#volume, this.#operator)
    base.link.listen({
      receive: (message) => this.#receive(message),
      ended: () => this.#volume.life.initEnded(),
      adopt: (frozen) => options.clock.adopt(frozen),
    })
  }

  #receive(message: ToSupervisor): void {
    switch (message.type) {
      case 'kept':
        this.#restore(message)
        return
      case 'welcome':
        this.#slots.reports.welcome(message.children, message.replay)
        if (message.lease !== 'unknown') this.#volume.life.leaseIs(message.lease)
        this.#notifier.repeatEnded()
        this.#operator.workers.watch()
        if (message.begun) this.#volume.life.begin()
        // After `begin`: it opens while a new volume is being filled. No client is answered before this turn ends.
        this.#operator.controlChannels.open()
        return
      case 'spawned':
        this.#slots.reports.spawned(message.request, message.facts)
        return
      case 'exit':
        if (message.leftoversKilled)
          this.#base.journal.info(`${message.slot} (pid ${message.pid}) left processes behind; they were killed`)
        this.#slots.reports.sequenced(message)
        return
      case 'ready':
        this.#slots.reports.sequenced(message)
        return
      case 'spawn-failed':
        this.#slots.reports.refused(message)
        return
      case 'begin':
        this.#volume.life.begin()
        return
      case 'lease':
        this.#volume.life.leaseIs(message.state)
        return
      case 'stop':
        this.#volume.life.stop()
        return
      case 'services-read':
      case 'services-applied':
        this.#slots.reload.answer(message)
        return
      case 'unwalled':
        this.#operator.unwalling.answer(message)
        return
      case 'repaired':
        this.#operator.ownership.repaired()
        return
      case 'reconcile':
        this.#volume.life.reconcile()
        return
      case 'note':
        this.#base.journal.note(message.level, message.text)
        return
      case 'ping':
        return // answered by the link
    }
  }

  /** Each by itself: what is wrong with one costs the others nothing. */
  #restore(kept: Extract<ToSupervisor, { type: 'kept' }>): void {
    const { name } = kept
    try {
      if ('problem' in kept) throw new Error(`it ${kept.problem}`)
      if (name === '.booted') this.#volume.life.restore(kept.text)
      else if (name === '.reconcile') this.#volume.profiles.restore(kept.text)
      else if (name === '.services') this.#slots.services.restore(kept.text)
      else if (name === '.schedules') this.#slots.scheduled.restore(kept.text)
      else if (name === '.waiting') this.#slots.waiting.restore(kept.text)
      else if (name === '.node-lease') this.#operator.workers.restore(kept.text)
      else this.#restoreSlot(name, kept.text)
    } catch (error) {
      this.#base.journal.warn(
        `cannot use the stored state of ${name}: ${(error as Error).message}; a new one replaces it`,
      )
      if (isSlotKey(name)) this.#forget(name)
    }
  }

  #restoreSlot(key: string, text: string): void {
    const entry = this.#slots.table.restore(key, text)
    this.#slots.statusFiles.restored(entry)
    this.#slots.jobResults.keep(entry)
  }

  /** init tells us of its process, if there is one. */
  #forget(key: string): void {
    this.#slots.table.unrestore(key)
    this.#base.link.send({ type: 'forget', slot: key })
  }
}
