import type { Journal } from '../../log/io/journal.ts'
import type { ToInit } from '../../protocol/init.ts'
import { type ServiceRules, serviceOfSlot, serviceSlot } from '../../services/definition.ts'
import {
  dependedOn,
  type Goals,
  missingOf,
  NO_GOALS,
  needing,
  type PlannedService,
  plan,
  type Services,
  wantStarted,
  wantStopped,
  withSteps,
} from '../../services/plan.ts'
import type { ReloadPlan } from '../../services/reload.ts'
import { isOccupied, type Slot } from '../../slot/slot.ts'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { inNextTurn } from '../../system/next-turn.ts'
import type { StateStore } from '../slots/state-store.ts'
import type { SlotTable } from '../slots/table.ts'
import { BootServices, type IfBootFails } from './boot-services.ts'
import type { LeavingService } from './leaving-services.ts'
import { type ImageServices, readServiceRules } from './rules.ts'
import { Schedules } from './schedules.ts'
import { ServiceLinks } from './service-links.ts'
import { ServiceReplacement } from './service-replacement.ts'
import { ServiceStateStore } from './state-store.ts'

export interface ServiceSlotsOptions {
  /** Definitions written by init. */
  readonly file: string
  readonly stateStore: Pick<StateStore, 'keep'>
  readonly scanDir: string
  readonly table: () => Pick<SlotTable, 'register' | 'dispatch' | 'get' | 'setNormallyUp' | 'remove'>
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
  readonly #replacement: ServiceReplacement
  readonly #links: ServiceLinks
  #image: ImageServices | undefined
  #goals: Goals = NO_GOALS
  /** Steps of this turn, by service: their slots may not have taken them yet. */
  readonly #underWay = new Map<string, 'start' | 'stop'>()
  #phase: 'before' | 'running' | 'stopped' = 'before'
  #restored: string | undefined

  constructor(options: ServiceSlotsOptions) {
    this.#options = options
    const { clock, stateStore, timezone, send, ifBootFails } = options
    const { warn } = options.journal
    this.#schedules = new Schedules({ clock, timezone, warn, due: (name) => this.#runScheduled(name) })
    this.#stateStore = new ServiceStateStore(stateStore, warn)
    this.#boot = new BootServices({ ifBootFails, send, warn })
    this.#links = new ServiceLinks(options.scanDir, warn)
    this.#replacement = new ServiceReplacement({
      stateOf: (name) => this.#slot(name)?.state,
      stop: (name) => options.table().dispatch(serviceSlot(name), { type: 'want', wanted: 'down' }),
      gone: (services) => this.#replace(services),
    })
  }

  /** Rules that its process has, or its next start; undefined: the image defines none of this name. */
  rules(name: string): ServiceRules | undefined {
    return this.#replacement.leaving(name)?.rules ?? this.image.rules.get(name)
  }

  get problems(): readonly string[] {
    return this.image.problems
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
    const all = [...this.image.rules.values()]
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
    // Otherwise init has not taken the definitions: nothing has happened yet.
    if (kept?.reload?.generation === this.image.generation) {
      this.#replacement.prepare(kept.reload)
      this.#takeUp()
    }
    this.#proceed()
  }

  /** A gateway depends on these services: they are started, too. Before `begin`: nothing happens. */
  need(names: readonly string[]): void {
    if (this.#phase !== 'running' || names.length === 0) return
    this.#goals = wantStarted(this.#goals, this.#states(), names)
    this.#proceed()
  }

  get isReloading(): boolean {
    return this.#replacement.kept !== undefined
  }

  /** Keeps all that the next supervisor needs to finish the reload, before init takes the new definitions. */
  prepareReload({ added, removed, changed }: ReloadPlan, after: ImageServices): void {
    const { generation } = after
    const leaving = [
      ...removed.flatMap((name) => this.#leaving(name, 'remove')),
      ...changed.flatMap((name) => this.#leaving(name, this.#isToRun(name, after) ? 'start' : 'stay')),
    ]
    this.#replacement.prepare({ generation, leaving, fresh: added })
    this.#save()
  }

  /** @param taken init has taken the definitions; else nothing has changed */
  endReload(taken: boolean): void {
    if (!taken) this.#replacement.drop()
    this.#image = undefined
    if (taken) this.#takeUp()
    this.#proceed()
  }

  /** Resolves when what a reload has removed or changed has ended. */
  whenReloaded(): Promise<void> {
    return this.#replacement.whenDone()
  }

  /** A command from an operator. @throws HermesError REFUSED */
  command(verb: Verb, key: string): void {
    const rules = this.rules(serviceOfSlot(key) ?? '')
    if (rules === undefined) return
    if (this.#replacement.leaving(rules.name) !== undefined)
      throw new HermesError('REFUSED', `${rules.name} is being replaced by a reload`, { next: 'repeat the command' })
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
    this.#replacement.settleSoon()
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
    if (this.#options.table().get(rules.name) === undefined) this.#links.add(rules.name)
    if (rules.awaited) this.#boot.expect(rules.name, slot)
  }

  /** Takes every step that can be taken now; each may make others possible, which `changed` sees to. */
  #proceed(): void {
    if (this.#phase !== 'running') return
    const { steps, goals } = plan(this.#goals, this.#states())
    this.#goals = goals
    this.#boot.reportIfUp()
    for (const { verb, name } of steps) this.#underWay.set(name, verb)
    this.#save()
    for (const { verb, name } of steps) this.#want(name, verb === 'start' ? 'up' : 'down')
    if (steps.length > 0) this.#stepsAreTaken()
  }

  /** In the next turn: the table takes steps one after the other, and some of them cause others. */
  readonly #stepsAreTaken = inNextTurn(() => {
    this.#underWay.clear()
    if (this.#phase === 'running') this.#save()
  })

  /**
   * A step counts as a goal until its slot has taken it: a supervisor that dies in between leaves a goal that has been
   * reached, and not one that is lost.
   */
  #save(): void {
    const { kept: reload } = this.#replacement
    const scheduled = this.#schedules.names()
    const goals = withSteps(this.#goals, this.#underWay)
    this.#stateStore.save({ goals, scheduled, booted: this.#boot.isOver, reload })
  }

  /** The new definitions are in force: begins with what is new, and stops what is not what it was. */
  #takeUp(): void {
    const fresh = this.#replacement.begin().flatMap((name) => this.image.rules.get(name) ?? [])
    for (const rules of fresh) {
      this.#register(rules)
      this.#options.table().setNormallyUp(serviceSlot(rules.name), rules.start)
    }
    for (const { rules } of this.#replacement.kept?.leaving ?? []) this.#schedules.stop(rules.name)
    this.#startAll(fresh.filter(({ start }) => start))
  }

  #startAll(all: readonly ServiceRules[]): void {
    for (const rules of all) this.#schedules.start(rules)
    const unscheduled = all.filter(({ kind }) => kind !== 'scheduled')
    this.#goals = wantStarted(this.#goals, this.#states(), unscheduled.map(nameOf))
  }

  /** These have ended: each begins with its new definition, or goes. */
  #replace(services: readonly LeavingService[]): void {
    if (this.#phase !== 'running') return
    const { table } = this.#options
    for (const { rules } of services.filter(({ afterwards }) => afterwards === 'remove')) {
      table().remove(serviceSlot(rules.name))
      this.#links.remove(rules.name)
    }
    for (const { rules } of services)
      table().setNormallyUp(serviceSlot(rules.name), this.image.rules.get(rules.name)?.start ?? false)
    const toStart = services.filter(({ afterwards }) => afterwards === 'start')
    this.#startAll(toStart.flatMap(({ rules }) => this.image.rules.get(rules.name) ?? []))
    this.#proceed()
  }

  #leaving(name: string, afterwards: LeavingService['afterwards']): readonly LeavingService[] {
    const rules = this.image.rules.get(name)
    return rules === undefined ? [] : [{ rules, afterwards }]
  }

  /** A changed service runs afterwards, unless it was stopped by hand. */
  #isToRun(name: string, after: ImageServices): boolean {
    const slot = this.#slot(name)
    const isWanted = slot !== undefined && (slot.state === 'down' ? slot.reason !== undefined : slot.wanted !== 'down')
    const startsNow = after.rules.get(name)?.start === true && this.image.rules.get(name)?.start === false
    return isWanted || startsNow || this.#goals.start.has(name) || this.#schedules.nextAtMs(name) !== undefined
  }

  #slot(name: string): Slot | undefined {
    return this.#options.table().get(serviceSlot(name))?.slot
  }

  #want(name: string, wanted: 'up' | 'down' | 'once'): void {
    // Its start comes with its new definition.
    if (this.#replacement.leaving(name) !== undefined) return
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
    for (const one of needing(states, name)) this.#underWay.delete(one)
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
    const stateOf = (name: string): Pick<PlannedService, 'state' | 'succeeded'> =>
      this.#replacement.leaving(name) === undefined ? dependedOn(this.#slot(name)) : { state: 'stopping' }
    return new Map([...this.image.rules.values()].map(({ name, dependsOn }) => [name, { dependsOn, ...stateOf(name) }]))
  }

  /** The definitions in force. */
  get image(): ImageServices {
    this.#image ??= readServiceRules(this.#options.file)
    return this.#image
  }
}

const nameOf = ({ name }: ServiceRules): string => name
