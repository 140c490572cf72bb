import { isSlotKey, type ToSupervisor } from '../protocol/init.ts'
import {
  type Ground,
  layGround,
  makeNotifier,
  makeOutside,
  makeSlots,
  makeVolume,
  type Outside,
  type Slots,
  type SupervisorOptions,
  type Volume,
} from './assembly.ts'
import type { SlotNotifier } from './slot-notifier.ts'

/** Policy: decides about slots, and has init do it. Has its parts put together, and hears init. */
export class Supervisor {
  readonly #ground: Ground
  readonly #slots: Slots
  readonly #volume: Volume
  readonly #outside: Outside
  readonly #notifier: SlotNotifier

  constructor(options: SupervisorOptions) {
    const ground = layGround(options)
    this.#ground = ground
    this.#slots = makeSlots(ground, {
      observer: () => this.#notifier,
      command: (slot, command) => {
        if (this.#volume.life.phase === 'running') this.#outside.s6.obey(slot, command)
      },
    })
    this.#volume = makeVolume(ground, this.#slots, { controlChannels: () => this.#outside.controlChannels })
    this.#outside = makeOutside(ground, this.#slots, this.#volume)
    this.#notifier = makeNotifier(ground, this.#slots, this.#volume, this.#outside)
    ground.link.listen({
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
        this.#outside.controlChannels.open()
        this.#notifier.repeatEnded()
        if (message.begun) this.#volume.life.begin()
        return
      case 'spawned':
        this.#slots.reports.spawned(message.request, message.facts)
        return
      case 'exit':
        if (message.leftoversKilled)
          this.#ground.journal.info(`${message.slot} (pid ${message.pid}) left processes behind; they were killed`)
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
      case 'repaired':
        this.#outside.ownership.repaired()
        return
      case 'reconcile':
        this.#volume.life.reconcile()
        return
      case 'note':
        this.#ground.journal.note(message.level, message.text)
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
      else this.#restoreSlot(name, kept.text)
    } catch (error) {
      this.#ground.journal.warn(`what was kept of ${name} is of no use: ${(error as Error).message}; it is made anew`)
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
    this.#ground.link.send({ type: 'forget', slot: key })
  }
}
