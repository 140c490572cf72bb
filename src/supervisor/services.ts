import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { ToInit } from '../protocol/init.ts'
import { type ServiceRules, serviceOfSlot, serviceSlot } from '../services/definition.ts'
import {
  type Goals,
  missingOf,
  NO_GOALS,
  needing,
  plan,
  type Services,
  wantStarted,
  wantStopped,
} from '../services/plan.ts'
import { shellCode } from '../slot/ending.ts'
import { isOccupied, type Slot } from '../slot/slot.ts'
import type { Clock } from '../system/clock.ts'
import { HermesError } from '../system/errors.ts'
import { Care } from './care.ts'
import type { Journal } from './journal.ts'
import { isTimezone, Schedule } from './schedule.ts'
import { replace } from './service-files.ts'
import { type ImageServices, readServiceRules } from './service-rules.ts'
import type { SlotTable } from './slots.ts'

export interface ServiceSlotsOptions {
  /** What init has written about them. */
  readonly file: string
  /** Our own state files; what still waits is kept there. */
  readonly stateDir: string
  readonly serviceDir: string
  readonly table: () => Pick<SlotTable, 'register' | 'dispatch' | 'get'>
  readonly send: (message: ToInit) => void
  readonly clock: Clock
  readonly journal: Journal
  /** TZ of the container, for schedules. */
  readonly timezone: string | undefined
  /** S6_BEHAVIOUR_IF_STAGE2_FAILS: what a service that fails while the container boots comes to. */
  readonly ifBootFails: 'nothing' | 'warn' | 'stop'
}

export type Verb = 'start' | 'stop' | 'restart'

/** What is known of a service beside its slot, for those who look at it. */
export interface ServiceNote {
  readonly wanted?: 'up'
  readonly reason?: string
  readonly nextStartAtMs?: number
}

/**
 * The services that the image defines, as slots: starts them in the order of their dependencies, stops them in the other one, and
 * tells init when those that the main program waits for are up. The order itself is decided in src/services/plan.ts.
 */
export class ServiceSlots {
  readonly #o: ServiceSlotsOptions
  readonly #schedules = new Map<string, Schedule>()
  readonly #care: Care
  #image: ImageServices | undefined
  #goals: Goals = NO_GOALS
  #saved = ''
  #begun = false
  #stopped = false
  /** Services the main program still waits for. */
  readonly #awaited = new Set<string>()
  #toldInit = false

  constructor(options: ServiceSlotsOptions) {
    this.#o = options
    const { clock, journal, table } = options
    this.#care = new Care({
      clock,
      restart: (name, why) => {
        journal.warn(`${serviceSlot(name)} ${why}; it is restarted`)
        table().dispatch(serviceSlot(name), { type: 'restart' })
      },
    })
  }

  /** Rules of a service; undefined: the image defines none of this name. */
  rules(name: string): ServiceRules | undefined {
    return this.#services().rules.get(name)
  }

  get problems(): readonly string[] {
    return this.#services().problems
  }

  /**
   * The boot is over, or a supervisor has come back.
   * @param isFirst of this container's life: those that start with it are started; else what still waited goes on
   */
  begin(isFirst: boolean): void {
    if (this.#begun) return
    this.#begun = true
    this.#image = undefined // init has written the file meanwhile
    const { rules } = this.#services()
    const { table } = this.#o
    const kept = isFirst ? undefined : this.#load()
    this.#toldInit = kept?.booted ?? false
    for (const one of rules.values()) {
      const { slot } = table().register(serviceSlot(one.name))
      this.#linkFor(one.name)
      this.#care.follow(one, slot)
      if (one.awaited && !this.#toldInit && slot.state !== 'up' && slot.state !== 'done') this.#awaited.add(one.name)
    }
    const atBoot = [...rules.values()].filter((one) => one.start)
    this.#goals = kept?.goals ?? wantStarted(NO_GOALS, this.#states(), atBoot.filter(isNotScheduled).map(nameOf))
    const scheduled = kept?.scheduled ?? atBoot.filter((one) => !isNotScheduled(one)).map(nameOf)
    for (const name of scheduled) this.#schedule(name)
    this.#proceed()
  }

  /** An operator's word. */
  say(verb: Verb, key: string): void {
    const name = serviceOfSlot(key) ?? ''
    const { table } = this.#o
    const slot = table().get(key)?.slot
    if (this.rules(name)?.kind === 'scheduled') this.#sayScheduled(verb, name)
    else if (verb === 'stop') this.#sayStop(name)
    else if (verb === 'restart' && slot !== undefined && (isOccupied(slot) || slot.state === 'done'))
      table().dispatch(key, { type: 'restart' })
    else {
      this.#goals = wantStarted(this.#goals, this.#states(), [name])
      // It is there, or about to be: a start ends its backoff, and changes nothing else.
      if (!this.#goals.start.has(name)) table().dispatch(key, { type: 'want', wanted: 'up' })
    }
    this.#proceed()
  }

  /** @throws HermesError for what its author wants kept */
  #sayStop(name: string): void {
    const states = this.#states()
    const kept = [...needing(states, name)].find((one) => this.rules(one)?.keep)
    if (kept !== undefined)
      throw new HermesError(
        'REFUSED',
        `${kept} is essential to this image: ${this.rules(kept)?.source}/flag-essential`,
        {
          next: 'hermes service restart, or stop the container',
        },
      )
    this.#goals = wantStopped(this.#goals, states, name)
    if (!this.#goals.stop.has(name)) this.#o.table().dispatch(serviceSlot(name), { type: 'want', wanted: 'down' })
  }

  /** It waits for others before it starts or stops. */
  isWaiting(key: string): boolean {
    const name = serviceOfSlot(key)
    return name !== undefined && (this.#goals.start.has(name) || this.#goals.stop.has(name))
  }

  /** A slot has changed. */
  changed(key: string, slot: Slot): void {
    const name = serviceOfSlot(key)
    const rules = name === undefined ? undefined : this.rules(name)
    if (name === undefined || rules === undefined || !this.#begun || this.#stopped) return
    this.#care.follow(rules, slot)
    this.#judgeAwaited(name, slot)
    this.#proceed()
  }

  /** The container stops: init sees to the order. */
  stop(): void {
    this.#stopped = true
    this.#care.close()
    for (const schedule of this.#schedules.values()) schedule.close()
  }

  note(key: string): ServiceNote {
    const name = serviceOfSlot(key)
    if (name === undefined) return {}
    const schedule = this.#schedules.get(name)
    if (schedule !== undefined) return { wanted: 'up', nextStartAtMs: schedule.nextAtMs }
    if (!this.#goals.start.has(name)) return {}
    return { wanted: 'up', reason: `waits for ${missingOf(this.#states(), name).join(', ')}` }
  }

  // ---- order ----

  /** Takes every step that can be taken now; each may make others possible, which `changed` sees to. */
  #proceed(): void {
    if (this.#stopped || !this.#begun) return
    const { steps, goals } = plan(this.#goals, this.#states())
    this.#goals = goals
    if (this.#awaited.size === 0 && !this.#toldInit) {
      this.#toldInit = true
      this.#o.send({ type: 'services-up' })
    }
    this.#save()
    for (const { verb, name } of steps)
      this.#o.table().dispatch(serviceSlot(name), { type: 'want', wanted: verb === 'start' ? 'up' : 'down' })
  }

  #states(): Services {
    const { table } = this.#o
    return new Map(
      [...this.#services().rules.values()].map(({ name, dependsOn }) => [
        name,
        { dependsOn, state: table().get(serviceSlot(name))?.slot.state ?? 'down' },
      ]),
    )
  }

  // ---- the boot ----

  #judgeAwaited(name: string, slot: Slot): void {
    if (!this.#awaited.has(name)) return
    if (slot.state === 'up' || slot.state === 'done') this.#awaited.delete(name)
    const late = slot.state === 'stopping' && slot.cause === 'start-timeout'
    const ended = (slot.state === 'down' && slot.reason !== undefined) || slot.state === 'parked'
    if (!late && !ended) return
    const { journal, send, ifBootFails } = this.#o
    // What waits for it will not come up either: the main program starts without them, or not at all.
    this.#awaited.clear()
    const why = `service ${name} has not come up: ${'reason' in slot && slot.reason !== undefined ? slot.reason : 'it was not ready in time'}`
    if (ifBootFails === 'warn') journal.warn(why)
    if (ifBootFails !== 'stop') return
    const ending = slot.lastEnding?.ending
    const exitCode = (ended && ending !== undefined && shellCode(ending)) || 1
    send({ type: 'shutdown', exitCode, reason: `${why}; S6_BEHAVIOUR_IF_STAGE2_FAILS=1 would go on`.slice(0, 1000) })
  }

  // ---- schedules ----

  #sayScheduled(verb: Verb, name: string): void {
    const key = serviceSlot(name)
    if (verb === 'stop') {
      this.#schedules.get(name)?.close()
      this.#schedules.delete(name)
      this.#o.table().dispatch(key, { type: 'want', wanted: 'down' })
    } else {
      this.#schedule(name)
      if (verb === 'restart') this.#runScheduled(name)
    }
  }

  #schedule(name: string): void {
    const pattern = this.rules(name)?.schedule
    if (pattern == null || this.#schedules.has(name)) return
    const { clock, timezone = '', journal } = this.#o
    const isKnown = isTimezone(timezone)
    if (timezone !== '' && !isKnown)
      journal.warn(`TZ=${timezone} is no name such as Europe/Berlin; ${name} goes by the machine's time zone`)
    const due = (): void => this.#runScheduled(name)
    this.#schedules.set(name, new Schedule({ pattern, clock, due, ...(isKnown && { timezone }) }))
  }

  /** One run of it never meets the next. */
  #runScheduled(name: string): void {
    const key = serviceSlot(name)
    const { table, journal } = this.#o
    const slot = table().get(key)?.slot
    if (slot === undefined || this.#stopped) return
    if (isOccupied(slot)) journal.warn(`${key}: its last run has not ended; this one is skipped`)
    else if (missingOf(this.#states(), name).length > 0)
      journal.warn(`${key}: ${missingOf(this.#states(), name).join(', ')} is not up; this run is skipped`)
    else table().dispatch(key, { type: 'want', wanted: 'once' })
  }

  // ---- files ----

  #services(): ImageServices {
    this.#image ??= readServiceRules(this.#o.file)
    return this.#image
  }

  /** s6's tools know services by their own names: /run/service/nginx. */
  #linkFor(name: string): void {
    const { serviceDir, table, journal } = this.#o
    if (table().get(name) !== undefined) return
    try {
      symlinkSync(serviceSlot(name), join(serviceDir, name))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST') journal.warn(`there is no ${join(serviceDir, name)}: ${message}`)
    }
  }

  #save(): void {
    const { stateDir, journal } = this.#o
    const { start, stop } = this.#goals
    const text = JSON.stringify({
      start: [...start],
      stop: [...stop],
      scheduled: [...this.#schedules.keys()],
      booted: this.#toldInit,
    })
    if (text === this.#saved) return
    try {
      replace(join(stateDir, STATE_FILE), text, 0o600)
      this.#saved = text
    } catch (error) {
      journal.warn(`what services wait for cannot be written: ${(error as Error).message}`)
    }
  }

  #load(): Kept | undefined {
    try {
      const kept = JSON.parse(readFileSync(join(this.#o.stateDir, STATE_FILE), 'utf8')) as {
        start: string[]
        stop: string[]
        scheduled: string[]
        booted: boolean
      }
      const known = (names: readonly string[]): string[] => names.filter((name) => this.rules(name) !== undefined)
      return {
        goals: { start: new Set(known(kept.start)), stop: new Set(known(kept.stop)) },
        scheduled: known(kept.scheduled),
        booted: kept.booted,
      }
    } catch (error) {
      this.#o.journal.warn(`what services wait for is lost, they start as at boot: ${(error as Error).message}`)
      return undefined
    }
  }
}

interface Kept {
  readonly goals: Goals
  readonly scheduled: readonly string[]
  /** init has been told that the services are up. */
  readonly booted: boolean
}

/** A dot in front: no slot has such a name. */
const STATE_FILE = '.services'

const nameOf = ({ name }: ServiceRules): string => name
const isNotScheduled = ({ kind }: ServiceRules): boolean => kind !== 'scheduled'
