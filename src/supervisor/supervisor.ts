import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConsoleWriter } from '../log/io/console.ts'
import { seedHome } from '../profile/disk.ts'
import { readContainerEnvironment, truthy } from '../profile/environment.ts'
import { readDesired } from '../profile/state.ts'
import type { StatusResult } from '../protocol/control.ts'
import type { LeaseState, SupervisorStart, ToSupervisor } from '../protocol/init.ts'
import { shellCode } from '../slot/ending.ts'
import { childOf, type Effect, isOccupied } from '../slot/slot.ts'
import type { Clock } from '../system/clock.ts'
import type { Native } from '../system/native.ts'
import { homePaths, profileDir, profileOfSlot, type RunPaths, runPaths } from '../system/paths.ts'
import { type ControlServer, serveControl } from './control-server.ts'
import { DISPATCHER, DispatcherSlot } from './dispatcher-slot.ts'
import { GatewayFiles } from './gateway-files.ts'
import { InitLink } from './init-link.ts'
import { Journal } from './journal.ts'
import { Launcher } from './launch.ts'
import { Lease } from './lease.ts'
import { SlotOperations } from './operations.ts'
import { stopOrphans } from './orphan-stop.ts'
import { ProfileSlots } from './profiles.ts'
import { Records } from './records.ts'
import { letterActions } from './s6-letters.ts'
import { sentence } from './sentences.ts'
import { ServiceDirs } from './service-dir.ts'
import { SlotLogs } from './slot-logs.ts'
import { SlotStore } from './slot-store.ts'
import { type SlotEntry, SlotTable, type Transition } from './slots.ts'
import { Waiting } from './waiting.ts'
import { watchProfiles } from './watch.ts'

export interface SupervisorOptions {
  readonly start: SupervisorStart
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  /** The Node of our own programs. */
  readonly node: string
  readonly version: string
  readonly clock: Clock
  readonly native: Native
  readonly random: () => number
  /** Ends the process. */
  readonly exit: (code: number) => void
}

/** The dashboard's slot; a container whose main program it is has no such slot. */
const DASHBOARD = 'dashboard'

/** Policy: decides about slots, and has init do it. Lives in phases: booting, (waiting for the volume,) running, stopping. */
export class Supervisor {
  readonly #o: SupervisorOptions
  readonly #paths: RunPaths
  readonly #container: Readonly<Record<string, string>>
  readonly #journal: Journal
  readonly #launcher: Launcher
  readonly #logs: SlotLogs
  readonly #services: ServiceDirs
  readonly #files: GatewayFiles
  readonly #waiting: Waiting
  readonly #table: SlotTable
  readonly #operations: SlotOperations
  readonly #lease: Lease
  readonly #profiles: ProfileSlots
  readonly #dispatcher: DispatcherSlot
  readonly #records: Records
  readonly #link: InitLink
  #control: ControlServer | undefined
  #watch: { close(): void } | undefined
  #leaseState: LeaseState = 'held'
  #phase: StatusResult['phase'] = 'booting'
  #begun = false
  #drained = false

  constructor(options: SupervisorOptions) {
    this.#o = options
    const { start, clock, native, install, node, version, random } = options
    const { home, runDir, layout, instance, identity } = start
    this.#paths = runPaths(runDir, layout)
    this.#container = readContainerEnvironment(this.#paths.environmentDir)
    this.#journal = new Journal({
      console: new ConsoleWriter(start.stderr, native, clock),
      json: this.#container.LOG_FORMAT === 'json',
      clock,
    })
    const { warn } = this.#journal
    this.#launcher = new Launcher({ home, paths: this.#paths, layout, install, identity, node, warn })
    this.#logs = new SlotLogs({
      fifos: this.#paths.logFifos,
      console: new ConsoleWriter(start.stdout, native, clock),
      prefix: truthy(this.#container.HERMES_LOG_PREFIX),
      clock,
      warn,
    })
    this.#services = new ServiceDirs({
      dir: this.#paths.serviceDir,
      native,
      clock,
      warn,
      command: (slot, letter) => this.#obeyLetter(slot, letter),
    })
    this.#files = new GatewayFiles({ home, instance, clock, warn })
    this.#waiting = new Waiting(clock)
    this.#table = new SlotTable({
      clock,
      send: (message) => this.#link.send(message),
      store: new SlotStore(this.#paths.slotStates, warn),
      launcher: this.#launcher,
      services: this.#services,
      logs: this.#logs,
      warn,
      bug: (error) => this.#journal.error(`a bug: ${error instanceof Error ? error.stack : String(error)}`),
      random,
      changed: (transition) => this.#changed(transition),
      removed: (entry) => this.#removed(entry),
      ended: (entry, effect) => this.#ended(entry, effect),
    })
    this.#dispatcher = new DispatcherSlot({ home, table: this.#table, clock, warn })
    this.#records = new Records({ table: () => this.#table, files: this.#files, services: this.#services, clock })
    this.#profiles = new ProfileSlots({
      home,
      runDir,
      table: this.#table,
      clock,
      journal: this.#journal,
      bootstrap: this.#container.HERMES_GATEWAY_BOOTSTRAP_STATE,
    })
    this.#lease = new Lease({
      file: homePaths(home).lease,
      instance,
      hostname: start.hostname,
      clock,
      warn,
      changed: (state) => this.#leaseCounted(state),
    })
    this.#operations = new SlotOperations({
      home,
      instance,
      manager: start.pid1 ? 's6-compatible' : 'foreground',
      version,
      pid1: start.pid1,
      identity,
      clock,
      table: this.#table,
      logs: this.#logs,
      files: this.#files,
      waiting: this.#waiting,
      send: (message) => this.#link.send(message),
      warn,
      phase: () => this.#phase,
      holder: () => this.#lease.holder(),
      reconcile: () => this.#reconcile(),
      warnings: () => this.#warnings(),
    })
    this.#table.restore()
    for (const entry of this.#table.entries()) {
      this.#records.known(entry)
      // Its last change may not have been written any more.
      this.#records.mark(entry.key)
    }
    this.#link = new InitLink({
      fd: start.protocolFd,
      receive: (message) => this.#receive(message),
      ended: () => this.#initEnded(),
      warn,
    })
  }

  #receive(message: ToSupervisor): void {
    switch (message.type) {
      case 'welcome':
        this.#table.welcome(message.children, message.replay)
        this.#leaseIs(message.lease)
        this.#serve()
        this.#sayAgainWhatEnded()
        if (message.begun) this.#begin()
        return
      case 'spawned':
        this.#table.spawned(message.request, message.facts)
        return
      case 'exit':
        if (message.leftoversKilled)
          this.#journal.info(`${message.slot} (pid ${message.pid}) left processes behind; they were killed`)
        this.#table.sequenced(message)
        return
      case 'ready':
      case 'spawn-failed':
        this.#table.sequenced(message)
        return
      case 'begin':
        this.#begin()
        return
      case 'lease':
        this.#leaseIs(message.state)
        return
      case 'stop':
        this.#stop()
        return
      case 'reconcile':
        this.#reconcile()
        return
      case 'note':
        this.#journal.note(message.level, message.text)
        return
      case 'ping':
        return // answered by the link
    }
  }

  // ---- the life of a container ----

  #serve(): void {
    const { controlFd } = this.#o.start
    if (controlFd === undefined || this.#control !== undefined) return
    this.#control = serveControl({
      fd: controlFd,
      handlers: this.#operations.handlers,
      clock: this.#o.clock,
      warn: this.#journal.warn,
    })
  }

  #begin(): void {
    if (this.#phase === 'stopping') return
    if (this.#begun) {
      this.#resume()
      return
    }
    this.#begun = true
    // What fails here fails for a reason in the volume; the slots that can run must.
    this.#boot().catch((error: Error) => this.#journal.error(`the boot went wrong: ${error.stack}`))
  }

  async #boot(): Promise<void> {
    const { home, foreground, main } = this.#o.start
    const marker = join(this.#paths.slotStates, '.booted')
    const isFirst = !existsSync(marker)
    if (isFirst) {
      const made = await seedHome(home)
      if (made.length > 0) this.#journal.info(`new in ${home}: ${made.join(', ')}`)
    }
    this.#journal.open(homePaths(home).supervisorLog)
    if (this.#phase === 'stopping') return
    this.#phase = 'running'
    if (this.#leaseState !== 'none') {
      if (isFirst && foreground && main.length === 0) this.#files.want('default', 'running')
      if (isFirst) this.#profiles.boot()
      else this.#profiles.reconcile()
      this.#table.register(DASHBOARD, truthy(this.#container.HERMES_DASHBOARD))
      this.#dispatcher.watch()
      const { clock } = this.#o
      const warn = this.#journal.warn
      this.#watch = watchProfiles({ home, clock, changed: () => this.#reconcile(), warn })
    }
    if (isFirst) writeFileSync(marker, '')
  }

  /** The volume was somebody else's for a while and is ours again: what should run does. */
  #resume(): void {
    this.#phase = 'running'
    this.#reconcile()
    for (const { key, slot } of this.#table.entries()) {
      const profile = profileOfSlot(key)
      if (profile === undefined || slot.state !== 'down') continue
      if (readDesired(profileDir(this.#o.start.home, profile)).wanted === 'running')
        this.#table.dispatch(key, { type: 'want', wanted: 'up' })
    }
  }

  #reconcile(): readonly string[] {
    if (this.#phase !== 'running' || this.#leaseState === 'none') return []
    this.#dispatcher.update()
    return this.#profiles.reconcile()
  }

  #leaseIs(state: LeaseState): void {
    this.#leaseState = state
    switch (state) {
      case 'held':
        if (this.#phase === 'waiting' && !this.#begun) this.#phase = 'booting'
        this.#lease.held()
        return
      case 'busy':
        this.#phase = 'waiting'
        return
      case 'unsupported':
        if (this.#phase === 'booting') this.#phase = 'waiting'
        this.#lease.count()
        return
      case 'none':
        return
    }
  }

  #leaseCounted(state: 'taken' | 'lost'): void {
    this.#link.send({ type: 'lease', state })
    if (state === 'taken') return
    this.#journal.error('another container has taken the volume; the gateways here are stopped')
    this.#phase = 'waiting'
    this.#dispatcher.forget()
    for (const { key, job } of this.#table.entries()) {
      const works = profileOfSlot(key) !== undefined || job !== undefined || key === DISPATCHER
      if (works) this.#table.dispatch(key, { type: 'want', wanted: 'down' })
    }
  }

  #stop(): void {
    if (this.#phase === 'stopping') return
    this.#phase = 'stopping'
    this.#files.containerStops()
    this.#dispatcher.close()
    this.#watch?.close()
    this.#profiles.close()
    for (const { key } of this.#table.entries()) this.#table.dispatch(key, { type: 'halt' })
    this.#drainIfEmpty()
  }

  #drainIfEmpty(): void {
    if (this.#phase !== 'stopping' || this.#drained) return
    if (this.#table.entries().some(({ slot }) => isOccupied(slot))) return
    this.#drained = true
    this.#records.flush()
    this.#logs.closeAll().then(() => {
      this.#lease.release()
      this.#link.send({ type: 'drained' })
    })
  }

  #initEnded(): void {
    const slots = this.#table.entries().map(({ slot }) => slot)
    const isSurprise = this.#phase !== 'stopping'
    this.#phase = 'stopping'
    if (isSurprise) this.#journal.error('init is gone; the slots are stopped')
    this.#dispatcher.close()
    this.#watch?.close()
    this.#profiles.close()
    this.#control?.close()
    stopOrphans(slots, this.#o.native, this.#o.clock)
      .then(() => this.#logs.closeAll())
      .then(() => this.#lease.release())
      .finally(() => this.#o.exit(0))
  }

  // ---- what happens to slots ----

  #changed({ entry, before, event }: Transition): void {
    const { clock } = this.#o
    const { key, slot } = entry
    const said = sentence(key, before, slot, event, clock.nowMs())
    if (said !== undefined) this.#journal[said.level](said.text)
    this.#waiting.changed(key, slot)
    this.#records.mark(key)
    this.#operations.tell('slot', entry)
    this.#drainIfEmpty()
  }

  #removed(entry: SlotEntry): void {
    this.#waiting.removed(entry.key)
    this.#records.forget(entry.key)
    this.#operations.tell('removed', entry)
  }

  /** An essential slot takes the container with it. */
  #ended({ key, launch }: SlotEntry, { ending, reason }: Extract<Effect, { type: 'ended' }>): void {
    if (!launch.essential || this.#phase === 'stopping') return
    const exitCode = ending === undefined ? 1 : shellCode(ending)
    this.#link.send({
      type: 'shutdown',
      exitCode,
      reason: `the essential slot ${key} has ended: ${reason}`.slice(0, 1000),
    })
  }

  /** The supervisor that wanted to say so may have died before it could. */
  #sayAgainWhatEnded(): void {
    for (const entry of this.#table.entries()) {
      const { slot } = entry
      if (slot.state !== 'parked' && slot.state !== 'down') continue
      if (slot.reason === undefined) continue
      const ending = slot.lastEnding?.ending
      this.#ended(entry, { type: 'ended', reason: slot.reason, ...(ending && { ending }) })
    }
  }

  #obeyLetter(key: string, letter: string): void {
    const entry = this.#table.get(key)
    if (entry === undefined || this.#phase !== 'running') return
    for (const action of letterActions(letter, entry.slot)) {
      switch (action.type) {
        case 'event':
          this.#table.dispatch(key, action.event)
          break
        case 'word': {
          const notKept = this.#operations.keepWord(key, action.word)
          if (notKept !== undefined) this.#journal.warn(notKept.message)
          break
        }
        case 'signal': {
          const child = childOf(entry.slot)
          if (child === null) break
          this.#link.send({ type: 'signal', child: child.id, signal: action.signal, target: action.target })
          if (action.signal === 'STOP' || action.signal === 'CONT') this.#records.pause(key, action.signal === 'STOP')
          break
        }
      }
    }
  }

  #warnings(): readonly string[] {
    const { start } = this.#o
    const ofConfigs = this.#table.entries().flatMap(({ key }) => this.#launcher.problems(profileOfSlot(key) ?? ''))
    const control = start.controlFd === undefined ? ['there is no control socket'] : []
    return [...this.#profiles.warnings, ...ofConfigs, ...control]
  }
}
