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
import { Lease } from './lease.ts'
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

/** Where in its life the container is: booting, (waiting for the volume,) running, stopping; and what each turn of it does. */
export class Life {
  readonly #o: LifeOptions
  readonly #lease: Lease
  #watch: { close(): void } | undefined
  #leaseState: LeaseState = 'held'
  #phase: StatusResult['phase'] = 'booting'
  readonly #booted = Promise.withResolvers<void>()
  #begun = false
  #wasBooted = false
  #drained = false

  constructor(options: LifeOptions) {
    this.#o = options
    const { start, clock, journal } = options
    this.#lease = new Lease({
      file: homePaths(start.home).lease,
      instance: start.instance,
      hostname: start.hostname,
      clock,
      realClock: options.realClock,
      warn: journal.warn,
      changed: (state) => this.#leaseCounted(state),
    })
    void this.#booted.promise.then(() => options.send({ type: 'booted' }))
  }

  get phase(): StatusResult['phase'] {
    return this.#phase
  }

  /** Resolves when the boot has led to something else: running, waiting for the volume, stopping. */
  whenBooted(): Promise<void> {
    return this.#booted.promise
  }

  /** Who holds the volume, for people. */
  holder(): string | undefined {
    return this.#lease.holder()
  }

  holderHost(): string | undefined {
    return this.#lease.holderHost()
  }

  /** Why nobody can tell whose the volume is, while that is what the gateways wait for. */
  obstacle(): string | undefined {
    return this.#phase === 'waiting' ? this.#lease.obstacle() : undefined
  }

  /** An earlier supervisor of this life has ended the boot. */
  restore(): void {
    this.#wasBooted = true
  }

  /** The volume is ours and its boot stages are behind us. Comes again when the volume was lost and is ours again. */
  begin(): void {
    // A word of init that the counter has overtaken: there comes another when it is ours again.
    if (this.#phase === 'stopping' || !this.#isOurs()) return
    if (this.#begun) {
      this.#resume()
      return
    }
    this.#begun = true
    if (this.#leaseState === 'held') this.#lease.held()
    this.#boot().catch((error: Error) => this.#o.journal.error(`the boot went wrong: ${error.stack}`))
  }

  reconcile(): readonly string[] {
    if (this.#phase !== 'running' || this.#leaseState === 'none') return []
    this.#o.dispatcher.update()
    return this.#o.profiles.reconcile()
  }

  leaseIs(state: LeaseState): void {
    if (this.#phase === 'stopping') return
    this.#leaseState = state
    switch (state) {
      case 'held':
        if (this.#phase === 'waiting' && !this.#begun) this.#phase = 'booting'
        if (this.#phase === 'waiting' && this.#begun) this.#resume()
        // The volume may still be somebody else's to write; init gives it to us before the boot goes on, which tries again.
        this.#lease.held({ quietly: !this.#begun })
        return
      case 'busy':
        this.#enter('waiting')
        // init has said why, unless it is another container's: only the file says whose.
        if (this.#lease.obstacle() === undefined)
          this.#o.journal.warn(`${this.#o.start.home}: ${volumeUserText(this.#lease.holderHost())}. ${FREE_THE_VOLUME}`)
        if (this.#begun) this.#lost()
        return
      case 'unsupported':
        if (this.#phase === 'booting') this.#enter('waiting')
        this.#lease.count()
        return
      case 'none':
        return
    }
  }

  /** The container stops: init signals, we write down what happens until the last slot is empty. */
  stop(): void {
    if (this.#phase === 'stopping') return
    const { table, services, files, records } = this.#o
    this.#enter('stopping')
    records.writeNow()
    const occupied = table.entries().filter(({ slot }) => isOccupied(slot))
    files.containerStops(new Set(occupied.map(({ key }) => key)))
    services.stop()
    this.#closeWatches()
    for (const { key } of table.entries()) table.dispatch(key, { type: 'halt' })
    this.drainIfEmpty()
  }

  /** Everything is in its files: init is told, once. */
  drainIfEmpty(): void {
    if (this.#phase !== 'stopping' || this.#drained) return
    const { table, records, logs, send, leaveSlots } = this.#o
    if (table.entries().some(({ slot }) => isOccupied(slot))) return
    this.#drained = true
    records.flush()
    leaveSlots()
    logs.closeAll().then(() => {
      this.#lease.release()
      send({ type: 'drained' })
    })
  }

  /** init is gone: after a stop that is the end; in the foreground somebody may have killed it. */
  initEnded(): void {
    const { table, native, clock, logs, journal, closeControl, leaveSlots, exit } = this.#o
    const slots = table.entries().map(({ slot }) => slot)
    if (this.#phase !== 'stopping') journal.error('init is gone; the slots are stopped')
    this.#enter('stopping')
    this.#closeWatches()
    closeControl()
    leaveSlots()
    stopOrphans(slots, native, clock)
      .then(() => logs.closeAll())
      .then(() => this.#lease.release())
      .finally(() => exit(0))
  }

  async #boot(): Promise<void> {
    const { start, container, journal, table, profiles, dispatcher, services, files, clock } = this.#o
    const { home, foreground, main } = start
    const isFirst = !this.#wasBooted
    // What fails here fails for a reason in the volume; the slots that can run must.
    if (isFirst) {
      await seedHome(home).then(
        (made) => made.length > 0 && journal.info(`new in ${home}: ${made.join(', ')}`),
        (error: Error) => journal.warn(`${home} could not be filled: ${error.message}`),
      )
      this.#removeOldRunDirectory()
    }
    if (!this.#isOurs()) {
      this.#begun = false // lost meanwhile: the boot begins anew when it is ours again
      return
    }
    files.hold(false)
    journal.open(homePaths(home).supervisorLog)
    if (this.#phase === 'stopping') return
    this.#phase = 'running'
    if (this.#leaseState !== 'none') {
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
    // Only now: whoever has waited for the end of the boot finds the slots there.
    this.#enter(this.#phase)
    if (isFirst) this.#sweepProfiles()
    if (isFirst && foreground) this.#o.sayWhatNext()
    // Last: if we die before, the next supervisor boots once more.
    if (isFirst) this.#o.memory.keep('.booted', 'yes')
  }

  /** What commands of this volume's earlier lives left; once more when those of other containers can be told from living ones. */
  #sweepProfiles(again = true): void {
    const { start, journal, clock } = this.#o
    if (!this.#isOurs()) return
    sweepLeftovers(homePaths(start.home).profiles).then(
      (swept) => swept > 0 && journal.info(`removed ${swept} directories that interrupted commands left in profiles/`),
      (error: Error) => journal.warn(`what interrupted commands left in profiles/ stays: ${error.message}`),
    )
    if (again) clock.at(clock.nowMs() + 2 * FOREIGN_AGE_MS, () => this.#sweepProfiles(false))
  }

  #removeOldRunDirectory(): void {
    const { start, journal } = this.#o
    if (!this.#isOurs()) return
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

  /** The volume, as far as we know: its lock is held, or nobody needs it, or our counter is in it. */
  #isOurs(): boolean {
    return this.#leaseState === 'unsupported' ? this.#lease.counts : this.#leaseState !== 'busy'
  }

  #enter(phase: StatusResult['phase']): void {
    this.#phase = phase
    this.#booted.resolve()
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

  /** The volume was somebody else's for a while and is ours again: what should run does. */
  #resume(): void {
    const { table, files, start, dispatcher } = this.#o
    this.#phase = 'running'
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

  #leaseCounted(state: 'taken' | 'lost'): void {
    this.#o.send({ type: 'lease', state })
    if (state === 'lost') this.#lost()
  }

  #lost(): void {
    const { journal, dispatcher, table, files } = this.#o
    // The state files are the other one's now.
    files.hold(true)
    if (this.#phase === 'stopping') return
    journal.error('another container has taken the volume; the gateways here are stopped')
    this.#phase = 'waiting'
    dispatcher.forget()
    for (const { key, job } of table.entries()) {
      const works = profileOfSlot(key) !== undefined || job !== undefined || key === DISPATCHER
      if (works) table.dispatch(key, { type: 'want', wanted: 'down' })
    }
  }

  #closeWatches(): void {
    this.#o.dispatcher.close()
    this.#watch?.close()
    this.#o.profiles.close()
  }
}
