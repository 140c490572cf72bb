import type { Journal } from '../log/io/journal.ts'
import { seedHome } from '../profile/directory/disk.ts'
import { FOREIGN_AGE_MS, sweepLeftovers } from '../profile/directory/staging.ts'
import { truthy } from '../profile/environment/environment.ts'
import { readDesired } from '../profile/state/state.ts'
import type { StatusResult } from '../protocol/control.ts'
import type { LeaseState, ToInit } from '../protocol/init.ts'
import type { SupervisorStart } from '../protocol/start-up.ts'
import { FREE_THE_VOLUME, volumeUserText } from '../protocol/volume-user.ts'
import { isOccupied } from '../slot/slot.ts'
import type { Clock } from '../system/clock.ts'
import type { Native } from '../system/native/native.ts'
import { homePaths, profileDir, profileOfSlot } from '../system/paths.ts'
import { isOurs, type LifeEffect, type LifeEvent, newLife, stepLife, type Life as VolumeLife } from '../volume/life.ts'
import { removeOldRunDirectory } from './old-run-directory.ts'
import type { GatewayFiles } from './operator/gateway-files.ts'
import type { Records } from './operator/records.ts'
import { DISPATCHER, type DispatcherSlot } from './reconcile/dispatcher-slot.ts'
import type { ProfileSlots } from './reconcile/profiles.ts'
import { watchProfiles } from './reconcile/watch.ts'
import type { ServiceSlots } from './services/image-services.ts'
import type { SlotLogs } from './slots/logs.ts'
import type { Memory } from './slots/memory.ts'
import { stopOrphans } from './slots/orphan-stop.ts'
import type { SlotTable } from './slots/table.ts'
import { VolumeCounter } from './volume-counter.ts'

/** The dashboard's slot; a container whose main program it is has no such slot. */
const DASHBOARD = 'dashboard'

export interface LifeOptions {
  readonly start: SupervisorStart
  readonly memory: Pick<Memory, 'keep'>
  /** The container environment. */
  readonly container: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly realClock: Clock
  readonly native: Native
  readonly table: SlotTable
  readonly profiles: ProfileSlots
  readonly dispatcher: DispatcherSlot
  readonly services: ServiceSlots
  readonly files: GatewayFiles
  readonly records: Records
  readonly logs: SlotLogs
  readonly journal: Journal
  readonly send: (message: ToInit) => void
  /** No client is answered any more. */
  readonly closeControl: () => void
  /** The first boot in the foreground is over. */
  readonly sayWhatNext: () => void
  /** Nobody supervises the slots any more: who listens to them is told. */
  readonly leaveSlots: () => void
  readonly exit: (code: number) => void
}

type Perform = { readonly [K in LifeEffect['type']]: (effect: Extract<LifeEffect, { readonly type: K }>) => void }

const PHASE: { readonly [S in VolumeLife['at']]: StatusResult['phase'] } = {
  booting: 'booting',
  filling: 'booting',
  waiting: 'waiting',
  running: 'running',
  stopping: 'stopping',
  closing: 'stopping',
  drained: 'stopping',
  orphaned: 'stopping',
}

/** Where in its life the container is: performs what the supervisor's half of the volume's life decides (docs/volume-life.md). */
export class Life {
  readonly #o: LifeOptions
  readonly #counter: VolumeCounter
  readonly #answered = Promise.withResolvers<void>()
  #life: VolumeLife = newLife
  #watch: { close(): void } | undefined

  constructor(options: LifeOptions) {
    this.#o = options
    const { start, clock, journal } = options
    this.#counter = new VolumeCounter({
      file: homePaths(start.home).lease,
      instance: start.instance,
      hostname: start.hostname,
      clock,
      realClock: options.realClock,
      warn: journal.warn,
      changed: (state) => this.#take({ type: 'counted', state }),
    })
    void this.#answered.promise.then(() => options.send({ type: 'booted' }))
  }

  get phase(): StatusResult['phase'] {
    return PHASE[this.#life.at]
  }

  /** Resolves when the boot has led to something else: running, waiting for the volume, stopping. */
  whenBooted(): Promise<void> {
    return this.#answered.promise
  }

  /** Who holds the volume, for people. */
  holder(): string | undefined {
    return this.#counter.holder()
  }

  holderHost(): string | undefined {
    return this.#counter.holderHost()
  }

  /** Why nobody can tell whose the volume is, while that is what the gateways wait for. */
  obstacle(): string | undefined {
    return this.phase === 'waiting' ? this.#counter.obstacle() : undefined
  }

  /** @param text what an earlier supervisor of this container has kept */
  restore(text: string): void {
    this.#take({ type: 'restored', booted: text === 'lost' ? 'lost' : 'yes' })
  }

  /** The lease is ours and the boot stages are behind us. Comes again when the lease was lost and is ours again. */
  begin(): void {
    this.#take({ type: 'begin' })
  }

  reconcile(): readonly string[] {
    if (this.phase !== 'running' || this.#life.lease === 'none') return []
    this.#o.dispatcher.update()
    return this.#o.profiles.reconcile()
  }

  leaseIs(state: LeaseState): void {
    this.#take({ type: 'lease', state })
  }

  /** The container stops: init signals, we write down what happens until the last slot is empty. */
  stop(): void {
    this.#take({ type: 'stop' })
    this.drainIfEmpty()
  }

  /** A slot has changed: the last one may be empty now. */
  drainIfEmpty(): void {
    if (this.#life.at !== 'stopping') return
    if (!this.#o.table.entries().some(({ slot }) => isOccupied(slot))) this.#take({ type: 'emptied' })
  }

  /** init is gone: after a stop that is the end; in the foreground somebody may have killed it. */
  initEnded(): void {
    this.#take({ type: 'init-gone' })
  }

  #take(event: LifeEvent): void {
    const [next, ...effects] = stepLife(this.#life, event)
    this.#life = next
    for (const effect of effects) this.#perform[effect.type](effect as never)
  }

  readonly #perform: Perform = {
    sign: ({ quietly }) => this.#counter.held({ quietly }),
    count: () => this.#counter.count(),
    'warn-busy': () => {
      // init has said why, unless it is another container's: only the file says whose.
      if (this.#counter.obstacle() !== undefined) return
      const { journal, start } = this.#o
      journal.warn(`${start.home}: ${volumeUserText(this.#counter.holderHost())}. ${FREE_THE_VOLUME}`)
    },
    report: ({ state }) => this.#o.send({ type: 'lease', state }),
    fill: () => void this.#fill().then(() => this.#take({ type: 'filled' })),
    open: ({ first }) => this.#open(first),
    resume: () => this.#resume(),
    answer: () => this.#answered.resolve(),
    settle: () => {
      this.#sweepProfiles()
      if (this.#o.start.foreground) this.#o.sayWhatNext()
    },
    keep: ({ booted }) => this.#o.memory.keep('.booted', booted),
    'stop-slots': () => this.#stopSlots(),
    hold: () => this.#o.files.hold(true),
    halt: () => this.#halt(),
    close: () => {
      const { records, logs, leaveSlots } = this.#o
      records.flush()
      leaveSlots()
      void logs.closeAll().then(() => this.#take({ type: 'closed' }))
    },
    release: () => this.#counter.release(),
    drained: () => this.#o.send({ type: 'drained' }),
    'end-alone': ({ expected }) => this.#endAlone(expected),
  }

  async #fill(): Promise<void> {
    const { start, journal } = this.#o
    try {
      const made = await seedHome(start.home)
      if (made.length > 0) journal.info(`new in ${start.home}: ${made.join(', ')}`)
    } catch (error) {
      journal.warn(`${start.home} could not be filled: ${(error as Error).message}`)
    }
    this.#removeOldRunDirectory()
  }

  /** One part that fails must not keep the others, or the answer to those who wait, away. */
  #open(isFirst: boolean): void {
    try {
      this.#openVolume(isFirst)
    } catch (error) {
      this.#o.journal.error(`the boot went wrong: ${(error as Error).stack}`)
    }
  }

  #openVolume(isFirst: boolean): void {
    const { start, container, journal, table, profiles, dispatcher, services, files, clock } = this.#o
    const { home, foreground, main } = start
    files.hold(false)
    journal.open(homePaths(home).supervisorLog)
    if (this.#life.lease === 'none') return
    if (isFirst && foreground && main.length === 0) this.#startDefault(files)
    try {
      if (isFirst) profiles.boot()
      else profiles.reconcile()
    } catch (error) {
      // The watcher and the poll below try again; the helpers do not depend on it.
      journal.error(`the profiles could not be looked at: ${(error as Error).stack}`)
    }
    table.register(DASHBOARD, truthy(container.HERMES_DASHBOARD))
    dispatcher.watch()
    services.begin(isFirst)
    this.#watch = watchProfiles({ home, clock, changed: () => this.reconcile(), warn: journal.warn })
  }

  /** What commands of this volume's earlier lives left; once more when those of other containers can be told from living ones. */
  #sweepProfiles(again = true): void {
    const { start, journal, clock } = this.#o
    if (!isOurs(this.#life)) return
    sweepLeftovers(homePaths(start.home).profiles).then(
      (swept) => swept > 0 && journal.info(`removed ${swept} directories that interrupted commands left in profiles/`),
      (error: Error) => journal.warn(`what interrupted commands left in profiles/ stays: ${error.message}`),
    )
    if (again) clock.at(clock.nowMs() + 2 * FOREIGN_AGE_MS, () => this.#sweepProfiles(false))
  }

  #removeOldRunDirectory(): void {
    const { start, journal } = this.#o
    if (!isOurs(this.#life)) return
    try {
      const removed = removeOldRunDirectory(start.home, start.runDir)
      if (removed !== undefined)
        journal.info(`removed ${removed}: an earlier version kept the container's environment, secrets included, there`)
    } catch (error) {
      journal.warn(
        `cannot remove ${(error as Error).message}: an earlier version left the container's environment there`,
      )
    }
  }

  /** `npm start` counts as an operator's start of the default gateway. */
  #startDefault(files: GatewayFiles): void {
    try {
      files.want('default', 'running')
    } catch (error) {
      this.#o.journal.warn(
        `the default gateway is not started, its desired state cannot be written: ${(error as Error).message}`,
      )
    }
  }

  /** The lease was another container's for a while and is ours again: what should run does. */
  #resume(): void {
    const { table, files, start, dispatcher } = this.#o
    files.hold(false)
    dispatcher.watch()
    this.reconcile()
    for (const { key, slot } of table.entries()) {
      const profile = profileOfSlot(key)
      if (profile === undefined || slot.state !== 'down') continue
      if (readDesired(profileDir(start.home, profile)).wanted === 'running')
        table.dispatch(key, { type: 'want', wanted: 'up' })
    }
  }

  #stopSlots(): void {
    const { journal, dispatcher, table, files } = this.#o
    // The state files are the other one's now.
    files.hold(true)
    dispatcher.forget()
    const onVolume = table
      .entries()
      .filter(({ key, job }) => profileOfSlot(key) !== undefined || job !== undefined || key === DISPATCHER)
    if (onVolume.some(({ slot }) => isOccupied(slot)))
      journal.error('another container has taken the volume; the gateways here are stopped')
    for (const { key } of onVolume) table.dispatch(key, { type: 'want', wanted: 'down' })
  }

  #halt(): void {
    const { table, services, files, records } = this.#o
    records.writeNow()
    const occupied = table.entries().filter(({ slot }) => isOccupied(slot))
    files.containerStops(new Set(occupied.map(({ key }) => key)))
    services.stop()
    this.#closeWatches()
    for (const { key } of table.entries()) table.dispatch(key, { type: 'halt' })
  }

  #endAlone(expected: boolean): void {
    const { table, native, clock, logs, journal, closeControl, leaveSlots, exit } = this.#o
    const slots = table.entries().map(({ slot }) => slot)
    if (!expected) journal.error('init is gone; the slots are stopped')
    this.#closeWatches()
    closeControl()
    leaveSlots()
    stopOrphans(slots, native, clock)
      .then(() => logs.closeAll())
      .then(() => this.#counter.release())
      .finally(() => exit(0))
  }

  #closeWatches(): void {
    this.#o.dispatcher.close()
    this.#watch?.close()
    this.#o.profiles.close()
  }
}
