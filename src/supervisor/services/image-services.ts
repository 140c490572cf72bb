import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Journal } from '../../log/io/journal.ts'
import type { ToInit } from '../../protocol/init.ts'
import { type ServiceRules, serviceOfSlot, serviceSlot } from '../../services/definition.ts'
import {
  dependedOn,
  type Goals,
  missingOf,
  NO_GOALS,
  needing,
  plan,
  type Services,
  wantStarted,
  wantStopped,
} from '../../services/plan.ts'
import { isOccupied, type Slot } from '../../slot/slot.ts'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import type { StateStore } from '../slots/state-store.ts'
import type { SlotTable } from '../slots/table.ts'
import { BootServices, type IfBootFails } from './boot-services.ts'
import { type ImageServices, readServiceRules } from './rules.ts'
import { Schedules } from './schedules.ts'
import { ServiceStateStore } from './state-store.ts'

export interface ServiceSlotsOptions {
  /** Definitions written by init. */
  readonly file: string
  readonly stateStore: Pick<StateStore, 'keep'>
  readonly scanDir: string
  readonly table: () => Pick<SlotTable, 'register' | 'dispatch' | 'get' | 'setNormallyUp'>
  readonly send: (message: ToInit) => void
  readonly clock: Clock
  readonly journal: Pick<Journal, 'warn'>
  /** TZ of the container, for schedules. */
  readonly timezone: string | undefined
  readonly ifBootFails: IfBootFails
}

export type Verb = 'start' | 'stop' | 'restart'

/** Facts about a service besides its slot, for display. */
export interface ServiceNote {
  readonly wanted?: 'up'
  readonly reason?: string
  readonly nextStartAtMs?: number
}

/**
 * The services that the image defines, as slots: starts them in the order of their dependencies, stops them in the
 * other one, looks after them, and runs what has a schedule. The order itself is decided in src/services/plan.ts.
 */
export class ServiceSlots {
  readonly #options: ServiceSlotsOptions
  readonly #schedules: Schedules
  readonly #stateStore: ServiceStateStore
  readonly #boot: BootServices
  #image: ImageServices | undefined
  #goals: Goals = NO_GOALS
  #phase: 'before' | 'running' | 'stopped' = 'before'
  #restored: string | undefined

  constructor(options: ServiceSlotsOptions) {
    this.#options = options
    const { clock, stateStore, timezone, send, ifBootFails } = options
    const { warn } = options.journal
    this.#schedules = new Schedules({ clock, timezone, warn, due: (name) => this.#runScheduled(name) })
    this.#stateStore = new ServiceStateStore(stateStore, warn)
    this.#boot = new BootServices({ ifBootFails, send, warn })
  }

  /** Rules of a service; undefined: the image defines none of this name. */
  rules(name: string): ServiceRules | undefined {
    return this.#services().rules.get(name)
  }

  get problems(): readonly string[] {
    return this.#services().problems
  }

  /** Restores what an earlier supervisor has kept, before `begin`. */
  restore(text: string): void {
    this.#restored = text
  }

  /**
   * The boot is over, or a supervisor has come back.
   * @param isFirst of this container's life: those that start with it are started; else what still waited goes on
   */
  begin(isFirst: boolean): void {
    if (this.#phase !== 'before') return
    this.#phase = 'running'
    this.#image = undefined // init has written the file since
    const all = [...this.#services().rules.values()]
    const kept = isFirst ? undefined : this.#stateStore.parse(this.#restored, (name) => this.rules(name) !== undefined)
    if (kept?.booted) this.#boot.markReported()
    for (const rules of all) {
      this.#register(rules)
      if (isFirst) this.#options.table().setNormallyUp(serviceSlot(rules.name), rules.start)
    }
    const atBoot = all.filter(({ start }) => start)
    const unscheduled = atBoot.filter(({ kind }) => kind !== 'scheduled')
    this.#goals = kept?.goals ?? wantStarted(NO_GOALS, this.#states(), unscheduled.map(nameOf))
    const isScheduled = new Set(kept?.scheduled ?? atBoot.map(nameOf))
    for (const rules of all) if (isScheduled.has(rules.name)) this.#schedules.start(rules)
    this.#proceed()
  }

  /** A gateway depends on these services: they are started, too. Before `begin`: nothing happens. */
  need(names: readonly string[]): void {
    if (this.#phase !== 'running' || names.length === 0) return
    this.#goals = wantStarted(this.#goals, this.#states(), names)
    this.#proceed()
  }

  /** A command from an operator. @throws HermesError REFUSED */
  command(verb: Verb, key: string): void {
    const rules = this.rules(serviceOfSlot(key) ?? '')
    if (rules === undefined) return
    const slot = this.#options.table().get(key)?.slot
    if (rules.kind === 'scheduled') this.#commandScheduled(verb, rules)
    else if (verb === 'stop') this.#requestStop(rules.name)
    else if (verb === 'restart' && slot !== undefined && (isOccupied(slot) || slot.state === 'done'))
      this.#options.table().dispatch(key, { type: 'restart' })
    else {
      this.#goals = wantStarted(this.#goals, this.#states(), [rules.name])
      // It is there, or about to be: a start ends its backoff, and changes nothing else.
      if (!this.#goals.start.has(rules.name)) this.#want(rules.name, 'up')
    }
    this.#proceed()
  }

  /** Reason why it does not start or stop yet: `waits for db`; undefined: it does not wait. */
  waitsFor(key: string): string | undefined {
    const name = serviceOfSlot(key) ?? ''
    if (this.#goals.start.has(name)) return `waits for ${missingOf(this.#states(), name).join(', ')}`
    return this.#goals.stop.has(name) ? 'waits for the end of what depends on it' : undefined
  }

  /** A slot has changed. */
  changed(key: string, slot: Slot): void {
    const rules = this.#phase === 'running' ? this.rules(serviceOfSlot(key) ?? '') : undefined
    if (rules === undefined) return
    this.#boot.changed(rules.name, slot, () => needing(this.#states(), rules.name))
    this.#proceed()
  }

  /** The container stops: init sees to the order. */
  stop(): void {
    this.#phase = 'stopped'
    this.#schedules.close()
  }

  note(key: string): ServiceNote {
    const name = serviceOfSlot(key)
    if (name === undefined) return {}
    const nextStartAtMs = this.#schedules.nextAtMs(name)
    if (nextStartAtMs !== undefined) return { wanted: 'up', nextStartAtMs }
    const reason = this.waitsFor(key)
    if (reason === undefined) return {}
    return this.#goals.start.has(name) ? { wanted: 'up', reason } : { reason }
  }

  #register(rules: ServiceRules): void {
    const { slot } = this.#options.table().register(serviceSlot(rules.name))
    this.#linkFor(rules.name)
    if (rules.awaited) this.#boot.expect(rules.name, slot)
  }

  /** Takes every step that can be taken now; each may make others possible, which `changed` sees to. */
  #proceed(): void {
    if (this.#phase !== 'running') return
    const { steps, goals } = plan(this.#goals, this.#states())
    this.#goals = goals
    this.#boot.reportIfUp()
    this.#stateStore.save({ goals, scheduled: this.#schedules.names(), booted: this.#boot.isOver })
    for (const { verb, name } of steps) this.#want(name, verb === 'start' ? 'up' : 'down')
  }

  #want(name: string, wanted: 'up' | 'down' | 'once'): void {
    this.#options.table().dispatch(serviceSlot(name), { type: 'want', wanted })
  }

  #requestStop(name: string): void {
    const states = this.#states()
    const kept = [...needing(states, name)].map((one) => this.rules(one)).find((one) => one?.keep)
    if (kept !== undefined)
      throw new HermesError('REFUSED', `${kept.name} is essential to this image: ${kept.source}/flag-essential`, {
        next: 'hermes service restart, or stop the container',
      })
    this.#goals = wantStopped(this.#goals, states, name)
    if (!this.#goals.stop.has(name)) this.#want(name, 'down')
  }

  #commandScheduled(verb: Verb, rules: ServiceRules): void {
    if (verb === 'stop') {
      this.#schedules.stop(rules.name)
      this.#want(rules.name, 'down')
    } else {
      this.#schedules.start(rules)
      if (verb === 'restart') this.#runScheduled(rules.name)
    }
  }

  /** One run of it never meets the next. */
  #runScheduled(name: string): void {
    const slot = this.#options.table().get(serviceSlot(name))?.slot
    if (slot === undefined || this.#phase !== 'running') return
    const missing = missingOf(this.#states(), name)
    const skipped = (why: string): void => this.#options.journal.warn(`${serviceSlot(name)}: ${why}`)
    if (isOccupied(slot)) skipped('its last run has not ended; this one is skipped')
    else if (missing.length > 0) skipped(`${missing.join(', ')} is not up; this run is skipped`)
    else this.#want(name, 'once')
  }

  #states(): Services {
    const { table } = this.#options
    return new Map(
      [...this.#services().rules.values()].map(({ name, dependsOn }) => [
        name,
        { dependsOn, ...dependedOn(table().get(serviceSlot(name))?.slot) },
      ]),
    )
  }

  #services(): ImageServices {
    this.#image ??= readServiceRules(this.#options.file)
    return this.#image
  }

  /** s6's tools know services by their own names: /run/service/nginx. */
  #linkFor(name: string): void {
    const { scanDir, table, journal } = this.#options
    if (table().get(name) !== undefined) return
    try {
      symlinkSync(serviceSlot(name), join(scanDir, name))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST') journal.warn(`there is no ${join(scanDir, name)}: ${message}`)
    }
  }
}

const nameOf = ({ name }: ServiceRules): string => name
