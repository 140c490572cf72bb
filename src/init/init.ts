import { join } from 'node:path'
import { INIT_PROTOCOL_VERSION, type ToInit } from '../protocol/init.ts'
import type { ConsoleSink } from '../protocol/start-up.ts'
import type { MachineClock } from '../system/clock.ts'
import { partSecrets } from '../system/dashboard-secrets.ts'
import { EXIT } from '../system/errors.ts'
import type { Native } from '../system/native/native.ts'
import { homePaths, type RunPaths } from '../system/paths.ts'
import { isImageInstall } from '../system/programs/install.ts'
import { ownNode } from '../system/programs/own-node.ts'
import { isStopped } from '../system/programs/proc.ts'
import { BeginGate } from './boot/begin-gate.ts'
import { makeDirectories } from './boot/directories.ts'
import { HealthFile } from './boot/health-file.ts'
import type { Home } from './boot/home.ts'
import { Hooks } from './boot/hooks.ts'
import { MainGate } from './boot/main-gate.ts'
import { ProfilesGate } from './boot/profiles-gate.ts'
import { hookScript, mainScript } from './boot/run-directory.ts'
import type { ServicesBootOptions } from './boot/services-boot.ts'
import { prepareVolume, type VolumeOptions, whyUnwritable } from './boot/volume.ts'
import { VolumeLock } from './boot/volume-lock.ts'
import { Boot } from './boot.ts'
import { readEnvironment, type Variables } from './facts/environment.ts'
import type { InitFacts, InitOptions } from './facts/facts.ts'
import { RootEnvironment, SAFE_PATH } from './facts/root-environment.ts'
import { tellListeners } from './processes/listeners.ts'
import type { OwnConsole } from './processes/own-console.ts'
import { Pipes } from './processes/pipes.ts'
import { Processes } from './processes/processes.ts'
import { Reaper } from './processes/reaper.ts'
import { DASHBOARD_DIR, DashboardMemory } from './programs/dashboard-memory.ts'
import { DashboardProgram } from './programs/dashboard-program.ts'
import { MainProgram } from './programs/main-program.ts'
import { isDashboard } from './programs/main-words.ts'
import { SupervisorMemory } from './programs/supervisor-memory.ts'
import { SupervisorProcess } from './programs/supervisor-process.ts'
import { Shutdown } from './shutdown.ts'
import { listenForSignals } from './signals.ts'
import { Children } from './slots/children.ts'
import { LogFifos } from './slots/log-fifos.ts'
import { ServicePrograms } from './slots/service-programs.ts'
import { SlotLimits } from './slots/slot-limits.ts'
import { supervisorCommand } from './supervisor-command.ts'
import { Voice } from './voice.ts'

const ROOT_ENV: Variables = { PATH: SAFE_PATH }

export interface InitParts {
  readonly options: InitOptions
  readonly facts: InitFacts
  readonly native: Native
  readonly clock: MachineClock
  readonly own: OwnConsole
  readonly stdout: ConsoleSink
  readonly stderr: ConsoleSink
}

/** One life of a container: boot, supervise, stop. */
export class Init {
  readonly #o: InitParts
  readonly #paths: RunPaths
  readonly #home: Home
  readonly #voice: Voice
  readonly #processes: Processes
  readonly #reaper: Reaper
  readonly #rootEnvironment: RootEnvironment
  readonly #services: ServicePrograms
  readonly #children: Children
  readonly #memory: SupervisorMemory
  readonly #supervisor: SupervisorProcess
  readonly #gate: BeginGate
  readonly #hooks: Hooks
  readonly #profilesGate: ProfilesGate
  readonly #mainGate: MainGate
  readonly #main: MainProgram
  readonly #shutdown: Shutdown
  readonly #boot: Boot
  /** Asked for since the last one began. */
  #repairs = 0

  constructor(parts: InitParts) {
    this.#o = parts
    const { options, facts, native, clock, own } = parts
    const { home, identity, dropped, prefix } = facts
    const owner = dropped ? identity : undefined
    this.#voice = new Voice(own, () => this.#supervisor)
    const say = this.#voice.say.bind(this.#voice)
    const warn = (text: string): void => say('warn', text)
    const { home: opened, modeProblem, run, control, exitCode } = makeDirectories(options, facts, native)
    this.#home = opened
    const { paths } = run
    this.#paths = paths
    this.#processes = new Processes(native)
    this.#reaper = new Reaper({
      native,
      clock,
      isOwn: (pid) => this.#processes.isOwn(pid),
      reaped: () => this.#shutdown.lookAgain(),
    })
    const container = (): Variables => readEnvironment(paths.environmentDir)
    this.#rootEnvironment = new RootEnvironment({ uid: facts.uid, container, file: paths.rootPath, warn })
    this.#services = new ServicePrograms({
      pipes: new Pipes(native),
      container,
      root: this.#rootEnvironment,
      warn,
      dir: join(paths.runDir, 'services'),
      serviceDir: paths.serviceDir,
      uid: facts.uid,
      runtimeUser: { uid: identity.uid, restrictions: facts.restrictions },
    })
    const dashboard = new DashboardProgram({
      install: options.install,
      home,
      runDir: paths.runDir,
      path: [...(run.layout === 'image' ? ['/command'] : []), join(options.install, 'bin')],
      identity,
      dropped,
      restricted: facts.restrictions.length > 0,
      stored: container,
      secrets: partSecrets(facts.environment).secrets,
      names: this.#names(),
      rootEnv: ROOT_ENV,
      ...(dropped && isImageInstall(options.install) && { memory: new DashboardMemory(DASHBOARD_DIR) }),
    })
    this.#children = new Children({
      dashboard,
      limits: new SlotLimits({
        env: facts.environment,
        ownContainer: dropped && facts.pid1 && isImageInstall(options.install),
        confined: dropped || facts.uid !== 0,
        clock,
        warn,
      }),
      native,
      clock,
      processes: this.#processes,
      fifos: new LogFifos({ dir: paths.logFifos, native, owner }),
      serviceDir: paths.serviceDir,
      command: { prefix, env: { PATH: SAFE_PATH, ...this.#names() } },
      services: this.#services,
      reapOrphans: () => this.#reaper.scan(),
      send: (message) => this.#supervisor.send(message),
      happened: () => this.#supervisor.deliver(),
      ended: () => this.#shutdown.lookAgain(),
      warn,
    })
    const health = new HealthFile(paths.health)
    this.#memory = new SupervisorMemory({ dir: paths.slotStates, warn })
    this.#supervisor = new SupervisorProcess({
      clock,
      frozen: () => clock.frozen(),
      native,
      processes: this.#processes,
      ...supervisorCommand({
        install: options.install,
        foreground: options.foreground,
        words: options.words,
        facts,
        run,
        stdout: parts.stdout,
        stderr: parts.stderr,
        ...(typeof control === 'number' && { controlFd: control }),
        env: { PATH: SAFE_PATH, ...this.#names() },
      }),
      receive: (message) => this.#receive(message),
      remember: (message) => this.#memory.take(message),
      eventAfter: (seq) => this.#children.events.after(seq),
      isStopped,
      gone: () => {
        this.#children.forgetRequests()
        this.#gate.supervisorEnded()
      },
      answers: (pid) => health.set(pid),
      warn,
    })
    const lock = new VolumeLock({
      file: homePaths(home).lease,
      dir: `/proc/self/fd/${opened.fd}`,
      native,
      clock,
      owner,
      changed: (state) => void this.#gate.leaseIs(state),
      warn,
    })
    this.#gate = new BeginGate({
      home,
      lock,
      withoutLease: isDashboard(options.words),
      look: (what) => (what === 'prepare' ? prepareVolume : whyUnwritable)(this.#volumeOptions()),
      send: (message) => this.#supervisor.send(message),
      unusable: (why) => this.#stopWith(EXIT.failed, why),
      say,
    })
    this.#hooks = new Hooks({
      clock,
      processes: this.#processes,
      env: () => this.#rootEnvironment.variables(),
      script: hookScript(paths),
      ...(dropped && { runtimeUser: identity }),
      say,
    })
    this.#profilesGate = new ProfilesGate({ clock, say })
    this.#mainGate = new MainGate({
      clock,
      env: facts.environment,
      stopWith: (code, why) => this.#stopWith(code, why),
      say,
    })
    this.#main = new MainProgram({
      native,
      processes: this.#processes,
      words: options.words,
      hermes: this.#hermes(),
      stored: container,
      dashboard,
      names: this.#names(),
      identity,
      prefix,
      dropped,
      script: mainScript(paths),
      rootEnv: ROOT_ENV,
      ended: (code) => this.#mainEnded(code),
      warn,
    })
    this.#shutdown = new Shutdown({
      native,
      clock,
      own,
      facts,
      children: this.#children,
      services: this.#services,
      supervisor: this.#supervisor,
      gate: this.#gate,
      profilesGate: this.#profilesGate,
      mainGate: this.#mainGate,
      main: this.#main,
      ...(exitCode && { exitCode }),
      hooks: this.#hooks,
      hasHooks: !options.foreground,
      say,
    })
    this.#boot = new Boot({
      options,
      facts,
      runDir: paths.runDir,
      native,
      supervisor: this.#supervisor,
      gate: this.#gate,
      hooks: this.#hooks,
      services: this.#services,
      servicesBoot: () => this.#servicesBoot(),
      profilesGate: this.#profilesGate,
      mainGate: this.#mainGate,
      main: this.#main,
      shutdown: this.#shutdown,
      stopWith: (code, why) => this.#stopWith(code, why),
      say,
    })
    for (const note of facts.notes) say('info', note)
    for (const warning of facts.warnings) warn(warning)
    if (modeProblem !== undefined) warn(modeProblem)
    if (typeof control === 'string') warn(control)
  }

  /** Boots; what follows then comes from signals, the supervisor and the main program. */
  async boot(): Promise<void> {
    const { options, native } = this.#o
    const say = this.#voice.say.bind(this.#voice)
    listenForSignals({
      foreground: options.foreground,
      childEnded: () => this.#reaper.scanSoon(),
      stop: () => void this.#shutdown.begin(),
      interrupt: () => this.#shutdown.interrupt(),
      reconcile: () => this.#supervisor.send({ type: 'reconcile' }),
      main: this.#main,
      native,
      bug: (error) => say('error', `a bug in init: ${error instanceof Error ? error.stack : String(error)}`),
    })
    await this.#boot.run()
  }

  #volumeOptions(): VolumeOptions {
    const { facts, options } = this.#o
    const { home, identity, prefix, dropped } = facts
    return {
      home,
      homeId: this.#home.id,
      identity,
      prefix,
      dropped,
      processes: this.#processes,
      repair: ownNode('repair', options.install),
      rootEnv: ROOT_ENV,
      say: this.#voice.say.bind(this.#voice),
    }
  }

  #servicesBoot(): ServicesBootOptions {
    const { options, facts } = this.#o
    return {
      install: options.install,
      paths: this.#paths,
      identity: facts.identity,
      uid: facts.uid,
      processes: this.#processes,
      rootEnv: ROOT_ENV,
      rootPath: this.#rootEnvironment.path(),
      say: this.#voice.say.bind(this.#voice),
    }
  }

  #hermes(): string {
    return join(this.#o.options.install, 'bin', 'hermes')
  }

  /** HOME, USER and LOGNAME of the runtime user. */
  #names(): Variables {
    const { home, user } = this.#o.facts.identity
    return { HOME: home, USER: user, LOGNAME: user }
  }

  // ---- the supervisor ----

  #receive(message: ToInit): void {
    switch (message.type) {
      case 'hello':
        this.#supervisor.restore(this.#memory.messages(), () => this.#welcome())
        return
      case 'spawn':
        this.#children.spawn(message)
        return
      case 'signal':
        this.#children.signal(message.child, message.signal, message.target)
        return
      case 'forget':
        this.#children.forget(message.slot)
        return
      case 'letters':
        if (this.#o.facts.dropped)
          tellListeners(join(this.#paths.serviceDir, message.slot), message.letters, this.#o.facts.identity.uid)
        return
      case 'ack':
        this.#children.events.acknowledge(message.seq)
        return
      case 'shutdown':
        this.#stopWith(message.exitCode, message.reason)
        return
      case 'drained':
        this.#shutdown.drained()
        return
      case 'booted':
        this.#profilesGate.pass()
        return
      case 'repair':
        void this.#repair()
        return
      case 'services-up':
        this.#mainGate.pass()
        return
      case 'lease':
        void this.#gate.leaseCounted(message.state)
        return
      case 'keep':
      case 'pong':
        return // the link has seen to it
    }
  }

  #welcome(): void {
    const { begun, lease } = this.#gate
    this.#supervisor.send({
      type: 'welcome',
      v: INIT_PROTOCOL_VERSION,
      children: this.#children.facts(),
      begun,
      lease,
      replay: this.#children.events.unacknowledged().length,
      frozen: this.#o.clock.frozen(),
    })
    // Before the replay: an exit in it must not lead to a start any more.
    if (this.#shutdown.begun) this.#supervisor.send({ type: 'stop' })
    this.#supervisor.deliver()
    this.#voice.catchUp()
  }

  /** One at a time: a supervisor that asks again and again keeps no more than one program busy. */
  async #repair(): Promise<void> {
    this.#repairs += 1
    if (this.#repairs > 1) return
    let done = 0
    while (done < this.#repairs && this.#gate.begun && !this.#shutdown.begun) {
      done = this.#repairs
      await prepareVolume(this.#volumeOptions())
    }
    this.#repairs = 0
    this.#supervisor.send({ type: 'repaired' })
  }

  // ---- the end ----

  /** By itself: the container ends with it. */
  #mainEnded(code: number): void {
    if (this.#shutdown.begun) this.#shutdown.lookAgain()
    else void this.#shutdown.begin(code)
  }

  /** @param code null: it was asked for, as with TERM */
  #stopWith(code: number | null, why: string): void {
    if (this.#shutdown.begun) return
    this.#voice.say(code === null ? 'info' : 'error', `stopping: ${why}`)
    void this.#shutdown.begin(code ?? undefined)
  }
}
