/**
 * The parts of init, put together in four groups; each group gets complete parts of the groups before it.
 * Three closures reach forward, where parts need each other: the `supervisor` of the log, the `parts` of the
 * shutdown, the `listener` of the supervisor's process.
 */
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { DASHBOARD_DIR } from '../protocol/handover.ts'
import type { MachineClock } from '../system/clock.ts'
import { EXIT } from '../system/errors.ts'
import type { Level } from '../system/level.ts'
import type { Native } from '../system/native/native.ts'
import { homePaths } from '../system/paths.ts'
import { isImageInstall } from '../system/programs/install.ts'
import { ownNode } from '../system/programs/own-node.ts'
import { isStopped } from '../system/programs/proc.ts'
import { WALLS_FILE } from '../walls/record.ts'
import { makeDirectories } from './boot/directories.ts'
import { HealthFile } from './boot/health-file.ts'
import { Hooks } from './boot/hooks.ts'
import { ProfilesGate } from './boot/profiles-gate.ts'
import { hookScript, mainScript } from './boot/run-directory.ts'
import { Secrets } from './boot/secrets.ts'
import type { ServicesBootOptions } from './boot/services-boot.ts'
import { ServicesGate } from './boot/services-gate.ts'
import { prepareVolume, type VolumeOptions, whyUnwritable } from './boot/volume.ts'
import { VolumeGate } from './boot/volume-gate.ts'
import { Boot } from './boot.ts'
import { readEnvironment, type Variables } from './facts/environment.ts'
import type { InitFacts, InitOptions } from './facts/facts.ts'
import { namesOf } from './facts/identity.ts'
import { RootEnvironment, SAFE_PATH } from './facts/root-environment.ts'
import { InitLog } from './init-log.ts'
import { VolumeLock } from './lease/volume-lock.ts'
import type { OwnConsole } from './processes/own-console.ts'
import { Pipes } from './processes/pipes.ts'
import { Processes } from './processes/processes.ts'
import { Reaper } from './processes/reaper.ts'
import { ServiceManager } from './processes/service-manager.ts'
import type { SpawnedLinked } from './processes/spawn-linked.ts'
import { DashboardProgram } from './programs/dashboard-program.ts'
import { DashboardState } from './programs/dashboard-state.ts'
import { DispatcherProgram } from './programs/dispatcher-program.ts'
import { isDashboard } from './programs/main-command.ts'
import { MainProgram } from './programs/main-program.ts'
import { type SupervisorListener, SupervisorProcess } from './programs/supervisor-process.ts'
import { type Inherited, supervisorProgram, supervisorStart } from './programs/supervisor-program.ts'
import { SupervisorStates } from './programs/supervisor-states.ts'
import { type Gates, Shutdown, type StoppedParts } from './shutdown.ts'
import { Children } from './slots/children.ts'
import { LogFifos } from './slots/log-fifos.ts'
import { ProfileWalls } from './slots/profile-walls.ts'
import { ServicePrograms } from './slots/service-programs.ts'
import { ServiceReload } from './slots/service-reload.ts'
import { SlotLimits } from './slots/slot-limits.ts'

export interface InitParts {
  readonly options: InitOptions
  readonly facts: InitFacts
  readonly native: Native
  readonly clock: MachineClock
  readonly own: OwnConsole
  readonly inherited: Inherited
  /** The first supervisor, which waits for its orders. */
  readonly supervisor: SpawnedLinked | undefined
}

/** Parts that every other part may use. */
export type BaseParts = ReturnType<typeof makeBase>
export type SupervisorParts = ReturnType<typeof makeSupervisor>
export type SlotParts = ReturnType<typeof makeSlots>
export type BootParts = ReturnType<typeof makeBoot>

/** Directories, the console, what knows processes, and the end of it all. */
export function makeBase(
  given: InitParts,
  later: { readonly supervisor: () => SupervisorProcess | undefined; readonly stopped: () => StoppedParts },
) {
  const { options, facts, native, clock, own } = given
  const initLog = new InitLog(own, later.supervisor)
  const log = (level: Level, text: string): void => initLog.log(level, text)
  const warn = (text: string): void => log('warn', text)
  const directories = makeDirectories(options, facts, native, given.inherited.control)
  const { paths } = directories.run
  const container = (): Variables => readEnvironment(paths.environmentDir)
  const hasHooks = !options.foreground
  const manager = new ServiceManager({ socket: options.managerSocket, native, warn })
  const shutdown = new Shutdown({ native, clock, own, facts, hasHooks, parts: later.stopped, log, manager })
  const processes = new Processes(native)
  return {
    given,
    initLog,
    log,
    warn,
    directories,
    container,
    manager,
    shutdown,
    processes,
    secrets: new Secrets({
      install: options.install,
      environment: facts.environment,
      files: facts.secretFiles,
      environmentDir: paths.environmentDir,
      owner: facts.dropped ? facts.identity : undefined,
      clock,
      processes,
    }),
    reaper: new Reaper({
      native,
      clock,
      isOwn: (pid) => processes.isOwn(pid),
      reaped: () => shutdown.lookAgain(),
    }),
    rootEnvironment: new RootEnvironment({ uid: facts.uid, container, file: paths.rootPath, warn }),
  }
}

/** The supervisor's process, and what it leaves for the next one. */
export function makeSupervisor(
  { given, directories, processes, warn }: BaseParts,
  later: { readonly listener: () => SupervisorListener },
) {
  const { options, facts, native, clock } = given
  const { run, control } = directories
  const { stdout, stderr } = given.inherited
  // Not the one that was made early: that is closed when it cannot listen.
  const inherited = { stdout, stderr, ...(typeof control === 'number' && { control }) }
  const health = new HealthFile(run.paths.health)
  const states = new SupervisorStates({ dir: run.paths.slotStates, warn })
  const { install, foreground, argv } = options
  const supervisor = new SupervisorProcess({
    clock,
    native,
    processes,
    program: supervisorProgram(install, inherited),
    start: supervisorStart({
      foreground,
      argv,
      facts,
      run: { runDir: run.paths.runDir, layout: run.layout },
      inherited,
    }),
    ...(given.supervisor !== undefined && { first: given.supervisor }),
    listener: later.listener,
    remember: (message) => states.take(message),
    isStopped,
    answers: (pid) => health.set(pid),
    warn,
  })
  return { supervisor, states }
}

/** Undefined without HERMES_PROFILE_UIDS, unless a profile was walled in an earlier life of the volume. */
function makeWalls({ given, directories, processes, log }: BaseParts): ProfileWalls | undefined {
  const { options, facts } = given
  const { home, fd } = { home: facts.home, ...directories.home }
  if (!facts.dropped) return undefined
  if (facts.walls === undefined && !isRecorded(`/proc/self/fd/${fd}/${WALLS_FILE}`)) return undefined
  return new ProfileWalls({
    home,
    homeId: directories.home.id,
    owner: { uid: facts.identity.uid, gid: facts.identity.gid },
    range: facts.walls?.obstacle === undefined ? facts.walls?.range : undefined,
    processes,
    program: ownNode('walls', options.install),
    file: directories.run.paths.walls,
    log,
  })
}

/**
 * Without DAC_OVERRIDE, or on a file system that does not trust root, init may not look. Then no wall can be had, and a
 * profile that the supervisor calls walled is not started.
 */
function isRecorded(file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false
  }
}

/** The programs in slots. */
export function makeSlots(base: BaseParts, { supervisor }: SupervisorParts) {
  const { given, directories, processes, reaper, shutdown, rootEnvironment, container, secrets, warn } = base
  const walls = makeWalls(base)
  const { options, facts, native, clock } = given
  const { home, identity, dropped, prefix } = facts
  const { run } = directories
  const { runDir, scanDir, logFifos } = run.paths
  const services = new ServicePrograms({
    pipes: new Pipes(native),
    container,
    root: rootEnvironment,
    warn,
    dir: join(runDir, 'services'),
    scanDir,
    uid: facts.uid,
    runtimeUser: { uid: identity.uid, restrictions: facts.restrictions },
  })
  const isImage = isImageInstall(options.install)
  const handedOver = {
    install: options.install,
    home,
    runDir,
    path: [...(run.layout === 'image' ? ['/command'] : []), join(options.install, 'bin')],
    identity,
    dropped,
    restricted: facts.restrictions.length > 0,
    stored: container,
    secrets: () => secrets.handedOver,
  }
  const dashboard = new DashboardProgram({
    ...handedOver,
    ...(dropped && isImage && { state: new DashboardState(DASHBOARD_DIR) }),
  })
  const children = new Children({
    native,
    clock,
    processes,
    fifos: new LogFifos({ dir: logFifos, native, owner: dropped ? identity : undefined }),
    programs: {
      services,
      dashboard,
      ...(facts.hasDatabase && { dispatcher: new DispatcherProgram(handedOver) }),
      command: { scanDir, prefix, owner: identity, env: { PATH: SAFE_PATH, ...namesOf(identity) } },
    },
    limits: new SlotLimits({
      env: facts.environment,
      ownContainer: dropped && facts.pid1 && isImage,
      confined: dropped || facts.uid !== 0,
      clock,
      warn,
    }),
    reaper,
    ...(walls && { walls }),
    supervisor,
    ended: () => shutdown.lookAgain(),
    warn,
  })
  return { services, dashboard, children, walls }
}

/** The boot, what it waits at, and the main program. */
export function makeBoot(base: BaseParts, { supervisor }: SupervisorParts, { services, dashboard, walls }: SlotParts) {
  const { given, directories, processes, rootEnvironment, container, secrets, shutdown, log, warn } = base
  const { options, facts, native, clock } = given
  const { home, identity, dropped, prefix, uid } = facts
  const { install, argv } = options
  const { paths } = directories.run
  const volume: VolumeOptions = {
    home,
    homeId: directories.home.id,
    identity,
    prefix,
    dropped,
    processes,
    repair: ownNode('repair', install),
    ...(walls && { walls: () => walls.look() }),
    log,
  }
  const lock = new VolumeLock({
    file: homePaths(home).lease,
    dir: `/proc/self/fd/${directories.home.fd}`,
    native,
    clock,
    owner: dropped ? identity : undefined,
    warn,
  })
  const gates: Gates = {
    volume: new VolumeGate({
      home,
      lock,
      withoutLease: isDashboard(argv),
      look: (what) => (what === 'try' ? whyUnwritable : prepareVolume)(volume),
      send: (message) => supervisor.send(message),
      unusable: (why) => shutdown.stopWith(EXIT.failed, why),
      log,
    }),
    profiles: new ProfilesGate({ clock, log }),
    services: new ServicesGate({
      clock,
      env: facts.environment,
      stopWith: (code, why) => shutdown.stopWith(code, why),
      log,
    }),
  }
  const hooks = new Hooks({
    clock,
    processes,
    env: () => rootEnvironment.variables(),
    script: hookScript(paths),
    ...(dropped && { runtimeUser: identity }),
    log,
  })
  const main = new MainProgram({
    native,
    processes,
    argv,
    hermes: join(install, 'bin', 'hermes'),
    stored: container,
    dashboard,
    facts,
    script: mainScript(paths),
    ended: (code) => shutdown.mainEnded(code),
    warn,
  })
  const servicesBoot = (): ServicesBootOptions => ({
    install,
    paths,
    identity,
    uid,
    processes,
    rootPath: rootEnvironment.path(),
    log,
  })
  const serviceReload = new ServiceReload({
    services,
    boot: servicesBoot,
    send: (message) => supervisor.send(message),
    obstacle: () =>
      shutdown.begun
        ? 'the container is stopping'
        : options.foreground
          ? 'services of an image run only in its container'
          : undefined,
  })
  const boot = new Boot({
    container: { options, facts, runDir: paths.runDir },
    native,
    programs: { supervisor, hooks, services, main },
    secrets,
    gates,
    servicesBoot,
    shutdown,
    log,
  })
  return { boot, gates, hooks, main, serviceReload, repair: () => prepareVolume(volume) }
}
