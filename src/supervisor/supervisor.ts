import { ConsoleWriter } from '../log/io/console.ts'
import { Journal } from '../log/io/journal.ts'
import { readContainerEnvironment, truthy } from '../profile/environment/environment.ts'
import { gatewayOfMain } from '../profile/state/main-gateway.ts'
import type { Warning } from '../protocol/control.ts'
import { isSlotKey, type ToSupervisor } from '../protocol/init.ts'
import type { SupervisorStart } from '../protocol/start-up.ts'
import type { Ending } from '../slot/ending.ts'
import type { MachineClock } from '../system/clock.ts'
import { isShown } from '../system/level.ts'
import type { Native } from '../system/native/native.ts'
import { below, gatewaySlot, profileOfSlot, type RunPaths, runPaths } from '../system/paths.ts'
import { pasteable } from '../system/programs/install.ts'
import { type ControlServer, serveControl } from './control/server.ts'
import { InitLink } from './init-link.ts'
import { Launcher } from './launch/launcher.ts'
import { takeNotRun } from './launch/not-run.ts'
import { HELPERS } from './launch/slot-scripts.ts'
import { Life } from './life.ts'
import { GatewayFiles } from './operator/gateway-files.ts'
import { HelperWatch, helperTimeoutMs } from './operator/helper-watch.ts'
import { SlotOperations } from './operator/operations.ts'
import { Ownership } from './operator/ownership.ts'
import { Records } from './operator/records.ts'
import { S6Control } from './operator/s6-control.ts'
import { Waiting } from './operator/waiting.ts'
import { DispatcherSlot } from './reconcile/dispatcher-slot.ts'
import { FirstFew } from './reconcile/first-few.ts'
import { ProfileSlots } from './reconcile/profiles.ts'
import { ScanControl } from './s6/scan-control.ts'
import { ServiceDirs } from './s6/slot-dir.ts'
import { ifBootFails } from './services/boot-services.ts'
import { ServiceSlots } from './services/image-services.ts'
import { SlotNews } from './slot-news.ts'
import { ChildReports } from './slots/child-reports.ts'
import { JobResults } from './slots/job-results.ts'
import { SlotLogs } from './slots/logs.ts'
import { Memory } from './slots/memory.ts'
import { SlotTable } from './slots/table.ts'

export interface SupervisorOptions {
  readonly start: SupervisorStart
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  readonly version: string
  readonly clock: MachineClock
  readonly native: Native
  readonly random: () => number
  /** Ends the process. */
  readonly exit: (code: number) => void
}

/** Policy: decides about slots, and has init do it. Puts the parts together, and hears init. */
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
  readonly #jobResults: JobResults
  readonly #table: SlotTable
  readonly #reports: ChildReports
  readonly #operations: SlotOperations
  readonly #ownership: Ownership
  readonly #profiles: ProfileSlots
  readonly #dispatcher: DispatcherSlot
  readonly #helpers: HelperWatch
  readonly #records: Records
  readonly #imageServices: ServiceSlots
  readonly #s6: S6Control
  readonly #life: Life
  readonly #news: SlotNews
  readonly #link: InitLink
  #control: ControlServer | undefined
  #scan: ScanControl | undefined

  constructor(options: SupervisorOptions) {
    this.#o = options
    const { start, clock, native, install, version, random } = options
    const { home, runDir, layout, instance, identity } = start
    this.#paths = runPaths(runDir, layout)
    this.#container = readContainerEnvironment(this.#paths.environmentDir)
    this.#journal = new Journal({
      console: new ConsoleWriter(start.stderr, native, clock),
      json: this.#container.LOG_FORMAT === 'json',
      isShown: isShown(this.#container.S6_VERBOSITY),
      clock,
    })
    const { warn } = this.#journal
    const memory = new Memory((message) => this.#link.send(message), warn)
    this.#imageServices = new ServiceSlots({
      kernel: native,
      file: this.#paths.services,
      memory,
      serviceDir: this.#paths.serviceDir,
      table: () => this.#table,
      send: (message) => this.#link.send(message),
      clock,
      journal: this.#journal,
      timezone: this.#container.TZ,
      ifBootFails: ifBootFails(this.#container),
    })
    this.#launcher = new Launcher({
      home,
      paths: this.#paths,
      layout,
      install,
      identity,
      warn: new FirstFew('settings of profiles', clock, warn).say,
      service: (name) => this.#imageServices.rules(name),
    })
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
      command: (slot, letter) => {
        if (this.#life.phase === 'running') this.#s6.obey(slot, letter)
      },
      tellOthers: (slot, letters) => this.#link.send({ type: 'letters', slot, letters }),
    })
    this.#files = new GatewayFiles({
      home,
      instance,
      clock,
      warn: new FirstFew('state files of gateways', clock, warn).say,
    })
    this.#waiting = new Waiting(clock, (key) => this.#imageServices.waitsFor(key))
    this.#jobResults = new JobResults(warn)
    const heldByMain = gatewayOfMain(home, start.main, this.#container)
    const heldSlot = heldByMain === undefined ? undefined : gatewaySlot(heldByMain)
    this.#table = new SlotTable({
      heldSlot,
      kernel: native,
      clock,
      send: (message) => this.#link.send(message),
      memory,
      launcher: this.#launcher,
      services: this.#services,
      logs: this.#logs,
      warn,
      bug: (error) => this.#journal.error(`a bug: ${error instanceof Error ? error.stack : String(error)}`),
      random,
      finishing: (entry) => this.#records.tally(entry),
      changed: (transition) => this.#news.changed(transition),
      registered: (entry) => this.#operations.tell('slot', entry),
      removed: (entry) => this.#news.removed(entry),
      ended: (entry, effect) => this.#news.ended(entry, effect),
    })
    const notRun = (slot: string, ending: Ending) => takeNotRun(below(this.#paths.serviceDir, slot), ending)
    this.#reports = new ChildReports({ table: this.#table, logs: this.#logs, clock, notRun, random })
    this.#dispatcher = new DispatcherSlot({ home, table: this.#table, clock, warn })
    this.#helpers = new HelperWatch({
      table: this.#table,
      clock,
      helpers: HELPERS,
      timeoutMs: helperTimeoutMs(this.#container.HERMES_HELPER_TIMEOUT, warn),
      send: (message) => this.#link.send(message),
      warn,
    })
    this.#records = new Records({ table: () => this.#table, files: this.#files, services: this.#services, clock })
    this.#profiles = new ProfileSlots({
      home,
      memory,
      table: this.#table,
      clock,
      journal: this.#journal,
      bootstrap: this.#container.HERMES_GATEWAY_BOOTSTRAP_STATE,
      heldByMain,
      again: () => this.#life.reconcile(),
    })
    this.#life = new Life({
      ...options,
      realClock: clock.real,
      memory,
      container: this.#container,
      table: this.#table,
      profiles: this.#profiles,
      dispatcher: this.#dispatcher,
      services: this.#imageServices,
      files: this.#files,
      records: this.#records,
      logs: this.#logs,
      journal: this.#journal,
      send: (message) => this.#link.send(message),
      closeControl: () => {
        this.#helpers.close()
        this.#control?.close()
      },
      sayWhatNext: () => this.#sayWhatNext(),
      leaveSlots: () => {
        this.#s6.flush()
        this.#scan?.close()
        this.#services.close()
      },
    })
    this.#ownership = new Ownership({
      home,
      dropped: start.dropped,
      clock,
      send: (message) => this.#link.send(message),
    })
    this.#operations = new SlotOperations({
      ownership: this.#ownership,
      home,
      heldSlot,
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
      services: this.#imageServices,
      send: (message) => this.#link.send(message),
      warn,
      phase: () => this.#life.phase,
      booted: () => this.#life.whenBooted(),
      holder: () => this.#life.holder(),
      holderHost: () => this.#life.holderHost(),
      obstacle: () => this.#life.obstacle(),
      alive: (slot) => this.#helpers.alive(slot),
      reconcile: () => this.#life.reconcile(),
      warnings: () => this.#warnings(),
      needsAgent: () => this.#needsAgent(),
    })
    this.#s6 = new S6Control({
      table: this.#table,
      records: this.#records,
      writeWord: (key, word) => this.#operations.writeWord(key, word),
      send: (message) => this.#link.send(message),
      clock,
      warn,
    })
    this.#news = new SlotNews({
      clock,
      journal: this.#journal,
      table: this.#table,
      services: this.#imageServices,
      waiting: this.#waiting,
      jobResults: this.#jobResults,
      records: this.#records,
      s6: this.#s6,
      operations: this.#operations,
      life: this.#life,
      send: (message) => this.#link.send(message),
    })
    this.#link = new InitLink({
      fd: start.protocolFd,
      receive: (message) => this.#receive(message),
      ended: () => this.#life.initEnded(),
      adopt: (frozen) => clock.adopt(frozen),
      warn,
    })
  }

  #receive(message: ToSupervisor): void {
    switch (message.type) {
      case 'kept':
        this.#restore(message)
        return
      case 'welcome':
        this.#reports.welcome(message.children, message.replay)
        this.#life.leaseIs(message.lease)
        this.#serve()
        this.#scan ??= this.#watchScanDirectory()
        this.#news.sayAgainWhatEnded()
        if (message.begun) this.#life.begin()
        return
      case 'spawned':
        this.#reports.spawned(message.request, message.facts)
        return
      case 'exit':
        if (message.leftoversKilled)
          this.#journal.info(`${message.slot} (pid ${message.pid}) left processes behind; they were killed`)
        this.#reports.sequenced(message)
        return
      case 'ready':
        this.#reports.sequenced(message)
        return
      case 'spawn-failed':
        this.#reports.refused(message)
        return
      case 'begin':
        this.#life.begin()
        return
      case 'lease':
        this.#life.leaseIs(message.state)
        return
      case 'stop':
        this.#life.stop()
        return
      case 'repaired':
        this.#ownership.repaired()
        return
      case 'reconcile':
        this.#life.reconcile()
        return
      case 'note':
        this.#journal.note(message.level, message.text)
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
      if (name === '.booted') this.#life.restore(kept.text)
      else if (name === '.reconcile') this.#profiles.restore(kept.text)
      else if (name === '.services') this.#imageServices.restore(kept.text)
      else this.#restoreSlot(name, kept.text)
    } catch (error) {
      this.#journal.warn(`what was kept of ${name} is of no use: ${(error as Error).message}; it is made anew`)
      if (isSlotKey(name)) this.#forget(name)
    }
  }

  #restoreSlot(key: string, text: string): void {
    const entry = this.#table.restore(key, text)
    this.#records.known(entry)
    this.#jobResults.keep(entry)
  }

  /** init tells us of its process, if there is one. */
  #forget(key: string): void {
    this.#table.unrestore(key)
    this.#link.send({ type: 'forget', slot: key })
  }

  #serve(): void {
    const { controlFd } = this.#o.start
    if (controlFd === undefined || this.#control !== undefined) return
    this.#control = serveControl({
      fd: controlFd,
      handlers: this.#operations.handlers,
      clock: this.#o.clock,
      warn: this.#journal.warn,
    })
    // Without a socket nobody can say that it lives.
    this.#helpers.watch()
  }

  #watchScanDirectory(): ScanControl {
    const { native, clock, exit } = this.#o
    return new ScanControl({
      dir: this.#paths.serviceDir,
      native,
      clock,
      warn: this.#journal.warn,
      reconcile: () => this.#life.reconcile(),
      stop: () => this.#link.send({ type: 'shutdown', exitCode: null, reason: 's6-svscanctl said so' }),
      end: () => exit(0),
    })
  }

  /** `npm start`, where nothing answers yet. */
  #sayWhatNext(): void {
    if (!this.#needsAgent()) return
    const { install, start } = this.#o
    const { home, runDir, identity } = start
    const type = pasteable({ HOME: identity.home, home, runDir, uid: identity.uid, install }, 'setup')
    this.#journal.info(`no agent configured; next: ${type}`)
  }

  #needsAgent(): boolean {
    const profiles = this.#table.entries().flatMap(({ key }) => profileOfSlot(key) ?? [])
    return profiles.length > 0 && !profiles.some((profile) => this.#launcher.answers(profile))
  }

  #warnings(): readonly Warning[] {
    const ofConfigs = this.#table.entries().flatMap(({ key }): readonly Warning[] => {
      const profile = profileOfSlot(key)
      if (profile === undefined) return []
      return this.#launcher.problems(profile).map((text) => ({ code: 'CONFIG', profile, text }))
    })
    const services = this.#imageServices.problems.map((text): Warning => ({ code: 'SERVICE', text }))
    const control: readonly Warning[] =
      this.#o.start.controlFd === undefined ? [{ code: 'NO_SOCKET', text: 'there is no control socket' }] : []
    const obstacle = this.#life.obstacle()
    const why = `the gateways wait: cannot tell which container uses this volume: ${obstacle}`
    const volume: readonly Warning[] = obstacle === undefined ? [] : [{ code: 'VOLUME', text: why }]
    return [...volume, ...this.#profiles.warnings, ...firstOf(ofConfigs), ...services, ...control]
  }
}

const MAX_WARNINGS = 100

/** A status is one message over the control socket, whatever a thousand profiles have in their settings. */
function firstOf(all: readonly Warning[]): readonly Warning[] {
  const more = all.length - MAX_WARNINGS
  if (more <= 0) return all
  return [...all.slice(0, MAX_WARNINGS), { code: 'MORE', text: `and ${more} more; "hermes doctor" shows all` }]
}
