/**
 * The parts of the supervisor, put together in five groups; each group gets complete parts of the groups before it.
 * Five closures reach forward, where parts need each other: `table` of the image's services, `command` of the slot
 * directories, `observer` of the slots, `again` of the profiles, `controlChannels` of the volume's lifecycle. All of
 * them are called when something happens, and nothing happens before init is heard.
 */
import { uptime } from 'node:os'
import { ConsoleWriter } from '../log/io/console.ts'
import { Journal } from '../log/io/journal.ts'
import type { CopyForm } from '../log/lines.ts'
import { readContainerEnvironment, truthy } from '../profile/environment/environment.ts'
import { FORWARDER, NOTIFIER } from '../profile/names.ts'
import { gatewayOfMain } from '../profile/state/main-gateway.ts'
import { readOpenRequests } from '../profile/state/open-requests.ts'
import type { SupervisorStart } from '../protocol/start-up.ts'
import type { MachineClock } from '../system/clock.ts'
import { isShown } from '../system/level.ts'
import type { Native } from '../system/native/native.ts'
import { below, gatewaySlot, profileDir, profileOfSlot, type RunPaths, runPaths } from '../system/paths.ts'
import { pasteableCommand } from '../system/programs/install.ts'
import { AuditTrail } from './control/audit-trail.ts'
import { ControlChannels } from './control-channels.ts'
import { InitLink } from './init-link.ts'
import { Launcher } from './launch/launcher.ts'
import { takeNotRun } from './launch/not-run.ts'
import { ProfileWalls } from './launch/profile-walls.ts'
import { HELPERS } from './launch/slot-scripts.ts'
import { StatusAdvice } from './operator/advice.ts'
import { GatewayFiles } from './operator/gateway-files.ts'
import { HelperWatch, helperTimeoutMs } from './operator/helper-watch.ts'
import { SlotOperations } from './operator/operations.ts'
import { Ownership } from './operator/ownership.ts'
import { S6Control } from './operator/s6-control.ts'
import { SlotWaiters } from './operator/slot-waiters.ts'
import { StatusFiles } from './operator/status-files.ts'
import { WorkersDeadline } from './operator/workers-deadline.ts'
import { DispatcherSlot } from './reconcile/dispatcher-slot.ts'
import { LimitedLog } from './reconcile/limited-log.ts'
import { MeterSlot } from './reconcile/meter-slot.ts'
import { ProfileSlots } from './reconcile/profiles.ts'
import { TargetSlot } from './reconcile/target-slot.ts'
import { Unwalling } from './reconcile/unwalling.ts'
import { SlotDirs } from './s6/slot-dir.ts'
import { ifBootFails } from './services/boot-services.ts'
import { ServiceSlots } from './services/image-services.ts'
import { ScheduledGateways } from './services/scheduled-gateways.ts'
import { ServiceReload } from './services/service-reload.ts'
import { WaitingGateways } from './services/waiting-gateways.ts'
import { SlotNotifier } from './slot-notifier.ts'
import { ChildReports } from './slots/child-reports.ts'
import type { SlotObserver } from './slots/entry.ts'
import { JobResults } from './slots/job-results.ts'
import { SlotLogs } from './slots/logs.ts'
import { stopOrphans } from './slots/orphan-stop.ts'
import { StateStore } from './slots/state-store.ts'
import { SlotTable, type SlotTableOptions } from './slots/table.ts'
import { VolumeFiles } from './volume-files.ts'
import { VolumeLifecycle } from './volume-lifecycle.ts'
import { VolumeSlots } from './volume-slots.ts'

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

/** Parts that every other part may use. */
export type BaseParts = ReturnType<typeof makeBase>
export type SlotParts = ReturnType<typeof makeSlots>
export type VolumeParts = ReturnType<typeof makeVolume>
export type OperatorParts = ReturnType<typeof makeOperatorParts>

/** The line to init, the log, and where things lie. */
export function makeBase(options: SupervisorOptions) {
  const { start, clock, native } = options
  // First of all: init answers while the parts are made.
  const link = new InitLink(start.protocolFd, (text) => journal.warn(text))
  const paths: RunPaths = runPaths(start.runDir, start.layout)
  const container = readContainerEnvironment(paths.environmentDir)
  const journal = new Journal({
    console: new ConsoleWriter(start.stderr, native, clock),
    json: container.LOG_FORMAT === 'json' || container.LOG_FORMAT === 'json-all',
    isShown: isShown(container.S6_VERBOSITY),
    clock,
  })
  return { options, paths, container, journal, link, stateStore: new StateStore(link.send, journal.warn) }
}

/** The slots, and what is written about them. */
export function makeSlots(
  { options, paths, container, journal, link, stateStore }: BaseParts,
  later: { readonly observer: () => SlotObserver; readonly command: (slot: string, command: string) => void },
) {
  const { start, clock, native, install, random } = options
  const { home, layout, instance, identity } = start
  const { warn } = journal
  const { send } = link
  const { scanDir } = paths
  const services = new ServiceSlots({
    file: paths.services,
    stateStore,
    scanDir,
    table: () => table,
    send,
    clock,
    journal,
    timezone: container.TZ,
    ifBootFails: ifBootFails(container),
  })
  const reload = new ServiceReload({ file: paths.services, services, clock, send })
  const waiting = new WaitingGateways({ table: () => table, services, stateStore })
  const scheduled = new ScheduledGateways({
    table: () => table,
    stateStore,
    clock,
    timezone: container.TZ,
    warn,
    missing: (key) => waiting.missing(key),
  })
  const walls = new ProfileWalls(start)
  const launcher = new Launcher({
    home,
    walls,
    paths,
    layout,
    install,
    identity,
    warn: new LimitedLog('settings of profiles', clock, warn).log,
    service: (name) => services.rules(name),
  })
  const logs = new SlotLogs({
    fifos: paths.logFifos,
    console: new ConsoleWriter(start.stdout, native, clock),
    form: copyForm(container),
    clock,
    warn,
  })
  const dirs = new SlotDirs({
    dir: scanDir,
    native,
    clock,
    warn,
    command: later.command,
    notifyOthers: (slot, events) => send({ type: 'letters', slot, letters: events }),
  })
  const heldByMain = gatewayOfMain(home, start.main, container)
  const heldSlot = heldByMain === undefined ? undefined : gatewaySlot(heldByMain)
  const runs = { launcher, dirs, logs }
  const { observer } = later
  const holds: SlotTableOptions['holds'] = (entry, event) =>
    scheduled.holds(entry, event) || waiting.holds(entry, event)
  const openRequests: SlotTableOptions['openRequests'] = (key, pid) => {
    const profile = profileOfSlot(key)
    return profile === undefined ? undefined : readOpenRequests(profileDir(home, profile), pid)
  }
  const parts = { stateStore, runs, journal, random, observer, holds, openRequests }
  const table = new SlotTable({ heldSlot, kernel: native, clock, send, ...parts })
  const warnOfFiles = new LimitedLog('state files of gateways', clock, warn).log
  const files = new GatewayFiles({ home, instance, clock, warn: warnOfFiles })
  return {
    table,
    walls,
    services,
    reload,
    waiting,
    scheduled,
    runs,
    held: { profile: heldByMain, slot: heldSlot },
    reports: new ChildReports({
      table,
      logs,
      clock,
      obeyWritten: (slot) => dirs.obeyWritten(slot),
      notRun: (slot, ending) => takeNotRun(below(scanDir, slot), ending),
      random,
    }),
    files,
    statusFiles: new StatusFiles({ table, files, dirs, clock }),
    waiters: new SlotWaiters(clock, (key) => services.waitsFor(key) ?? waiting.waitsFor(key)),
    jobResults: new JobResults(warn),
  }
}

/** Parts that follow the volume's life: the slots that use it, and its files. */
export function makeVolume(
  { options, container, journal, link, stateStore }: BaseParts,
  { table, services, waiting, scheduled, runs, held, files, statusFiles }: SlotParts,
  later: { readonly controlChannels: () => ControlChannels },
) {
  const { start, clock, native, install, exit } = options
  const { home, runDir, identity } = start
  const { warn } = journal
  const dispatcher = new DispatcherSlot({ home, hasDatabase: start.hasDatabase, table, warn })
  const profiles = new ProfileSlots({
    home,
    isWalled: (profile) => runs.launcher.isWalled(gatewaySlot(profile)),
    hasWalls: start.profileUids !== undefined,
    stateStore,
    table,
    clock,
    journal,
    bootstrap: container.HERMES_GATEWAY_BOOTSTRAP_STATE,
    heldByMain: held.profile,
    again: () => life.reconcile(),
  })
  const { launcher, logs } = runs
  const meter = new MeterSlot({ launcher, table })
  const targets = [
    new TargetSlot({ slot: NOTIFIER, isWanted: () => launcher.notifies, table }),
    new TargetSlot({ slot: FORWARDER, isWanted: () => launcher.forwards, table }),
  ]
  const advice = new StatusAdvice({ table, launcher, profiles, services, hasSocket: start.controlFd !== undefined })
  const life = new VolumeLifecycle({
    start,
    clock,
    journal,
    send: link.send,
    stateStore,
    slots: new VolumeSlots({
      start,
      container,
      clock,
      journal,
      table,
      profiles,
      dispatcher,
      meter,
      targets,
      services,
      waiting,
      scheduled,
      files,
      statusFiles,
    }),
    volume: new VolumeFiles({ home, runDir, journal, clock }),
    ending: {
      statusFiles,
      logs,
      stopOrphans: () =>
        stopOrphans(
          table.entries().map(({ slot }) => slot),
          native,
          clock,
        ),
      exit,
    },
    controlChannels: later.controlChannels,
    logNextSteps: () => {
      if (!advice.needsAgent()) return
      const type = pasteableCommand({ HOME: identity.home, home, runDir, uid: identity.uid, install }, 'setup')
      journal.info(`no agent configured; next: ${type}`)
    },
  })
  return { life, profiles, advice }
}

/** Parts that operators and s6's tools reach. */
export function makeOperatorParts(
  { options, paths, container, journal, link, stateStore }: BaseParts,
  { table, walls, services, reload, waiting, scheduled, runs, held, files, statusFiles, waiters }: SlotParts,
  { life, advice }: VolumeParts,
) {
  const { start, version, clock, native, exit } = options
  const { home, instance, pid1, identity, dropped, controlFd } = start
  const { warn } = journal
  const { send } = link
  const { logs, dirs } = runs
  const isWalled = (profile: string): boolean => runs.launcher.isWalled(gatewaySlot(profile))
  const ownership = new Ownership({ home, dropped, clock, isWalled, send })
  const unwalling = new Unwalling({ walls, table, clock, send })
  const timeoutMs = helperTimeoutMs(container.HERMES_HELPER_TIMEOUT, warn)
  const helpers = new HelperWatch({ table, clock, helpers: HELPERS, timeoutMs, send, warn })
  const bootMs = () => uptime() * 1000
  const workers = new WorkersDeadline({ table, clock: clock.real, bootMs, stateStore, warn })
  const manager = pid1 ? 's6-compatible' : 'foreground'
  const operations = new SlotOperations({
    container: { home, heldSlot: held.slot, instance, manager, version, pid1, identity },
    clock,
    send,
    slots: { table, logs, files, waiters, services, waiting, scheduled },
    life,
    ownership,
    helpers,
    workers,
    reload,
    unwalling,
    advice,
  })
  const writeDesired = operations.writeDesired.bind(operations)
  const audit = new AuditTrail({ home, clock, warn })
  const s6 = new S6Control({ table, statusFiles, writeDesired, send, clock, warn })
  const controlChannels = new ControlChannels({
    controlFd,
    handlers: operations.handlers,
    audit,
    helpers,
    s6,
    dirs,
    scan: {
      dir: paths.scanDir,
      native,
      clock,
      warn,
      reconcile: () => life.reconcile(),
      stop: () => {
        audit.s6('s6-svscanctl stop', null)
        send({ type: 'shutdown', exitCode: null, reason: 'requested by s6-svscanctl' })
      },
      end: () => exit(0),
    },
  })
  return { ownership, unwalling, operations, workers, s6, audit, controlChannels }
}

/** Passes on what happens to slots. */
export function makeNotifier(
  { options, journal, link }: BaseParts,
  { table, services, waiting, waiters, jobResults, statusFiles }: SlotParts,
  { life }: VolumeParts,
  { operations, s6 }: OperatorParts,
): SlotNotifier {
  const listeners = { services, waiting, waiters, jobResults, statusFiles, s6, operations }
  return new SlotNotifier({ clock: options.clock, journal, send: link.send, table, life, listeners })
}

/** JSON names the slot already, so the prefix does not count beside it. */
function copyForm({ LOG_FORMAT, HERMES_LOG_PREFIX }: Readonly<Record<string, string>>): CopyForm {
  if (LOG_FORMAT === 'json-all') return 'json'
  return truthy(HERMES_LOG_PREFIX) ? 'prefixed' : 'raw'
}
