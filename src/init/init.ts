import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import {
  type ConsoleSink,
  type Ending,
  INIT_PROTOCOL_VERSION,
  type LeaseState,
  type SupervisorStart,
  type ToInit,
  type ToSupervisor,
} from '../protocol/init.ts'
import { shellCode } from '../slot/ending.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import type { Native } from '../system/native.ts'
import { loadNative } from '../system/native-libc.ts'
import { homePaths } from '../system/paths.ts'
import { listProcesses } from '../system/proc.ts'
import { Children } from './children.ts'
import { readEnvironment, storeEnvironment, type Variables } from './environment.ts'
import { gatherFacts, type InitFacts, type InitOptions, makeHome } from './facts.ts'
import { FINISH_HOOKS, goesOnAfterFailure, Hooks, INIT_HOOKS } from './hooks.ts'
import { Lease } from './lease.ts'
import { LogFifos } from './log-fifos.ts'
import { containerCode, startMain } from './main-program.ts'
import { isDashboard, mainWords } from './main-words.ts'
import { type Level, OwnConsole, openSink } from './own-console.ts'
import { Processes } from './processes.ts'
import { Reaper } from './reaper.ts'
import {
  chooseRunDirectory,
  listenForClients,
  lockRunDirectory,
  mainScript,
  makeRunDirectory,
  type RunDirectory,
  writeIdentity,
} from './run-directory.ts'
import { Stop } from './stop.ts'
import { SupervisorProcess } from './supervisor-process.ts'
import { terminalFd, terminalPlan } from './terminal.ts'
import { prepareVolume, requireWritable, whyUnwritable } from './volume.ts'

export type { InitOptions } from './facts.ts'

/** For what runs as root on its way to somewhere else: nothing in it comes from a container, a profile or a supervisor. */
const SAFE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const ROOT_ENV: Variables = { PATH: SAFE_PATH }
const DRAIN_MS = 500
const OLDEST_NODE = 24
/** Lines for the supervisor's log that may wait until there is one. */
const MAX_NOTES = 100

const IGNORED_WITH_SHARED_TERMINAL = ['SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const

/** Starts init; resolves when the boot is behind it. Ends the process by itself. */
export async function runInit(options: InitOptions): Promise<void> {
  const { native, problem } = await loadNative()
  const clock = systemClock()
  const stderr = openSink(2)
  const own = new OwnConsole({ sink: stderr, native, clock, json: options.env.LOG_FORMAT === 'json' })
  const fail = (error: unknown): never => {
    if (error instanceof HermesError)
      own.line('error', error.next === undefined ? error.message : `${error.message}. ${error.next}`)
    else own.line('error', `init cannot start: ${error instanceof Error ? error.stack : String(error)}`)
    own.flush()
    return native.exitNow(error instanceof HermesError ? error.exitCode : EXIT.failed)
  }
  try {
    const { node } = process.versions
    if (Number.parseInt(node, 10) < OLDEST_NODE) {
      throw new HermesError('FAILED', `hermes needs Node ${OLDEST_NODE} or newer, this is ${node}`, {
        next: 'npm ci brings one along; start through the wrapper bin/init',
      })
    }
    if (problem !== undefined) own.line('error', problem)
    const facts = gatherFacts(options)
    const init = new Init({ options, facts, native, clock, own, stdout: openSink(1), stderr })
    await init.boot()
  } catch (error) {
    fail(error)
  }
}

interface Parts {
  readonly options: InitOptions
  readonly facts: InitFacts
  readonly native: Native
  readonly clock: Clock
  readonly own: OwnConsole
  readonly stdout: ConsoleSink
  readonly stderr: ConsoleSink
}

/** One life of a container: boot, supervise, stop. */
class Init {
  readonly #o: Parts
  readonly #run: RunDirectory
  readonly #processes = new Processes()
  readonly #reaper: Reaper
  readonly #children: Children
  readonly #supervisor: SupervisorProcess
  readonly #lease: Lease
  readonly #hooks: Hooks
  #leaseState: LeaseState = 'busy'
  #notes: ToSupervisor[] = []
  /** The volume is ours and usable. */
  #volumeReady = false
  #hooksDone = false
  #begun = false
  #main: { readonly pid: number; ending?: Ending } | undefined
  #hangupsExpected = 0
  #stop: Stop | undefined
  #drained: () => void = () => undefined
  #sharesTerminal = false

  constructor(parts: Parts) {
    this.#o = parts
    const { options, facts, native, clock } = parts
    const { home, uid, identity, dropped, prefix } = facts
    const owner = dropped ? identity : undefined
    makeHome(facts)
    if (!dropped) requireWritable(facts)
    this.#run = chooseRunDirectory({ env: options.env, home, uid, foreground: options.foreground })
    const { paths } = this.#run
    makeRunDirectory(this.#run, owner, () => lockRunDirectory(native, paths.runDir))
    storeEnvironment(paths.environmentDir, facts.environment)
    writeIdentity(paths.identity, identity)
    const control = listenForClients(native, paths.controlSocket, owner)
    this.#reaper = new Reaper({
      native,
      clock,
      isOwn: (pid) => this.#processes.isOwn(pid),
      reaped: () => this.#stop?.lookAgain(),
    })
    this.#children = new Children({
      native,
      clock,
      processes: this.#processes,
      fifos: new LogFifos({ dir: paths.logFifos, native, owner }),
      serviceDir: paths.serviceDir,
      command: { prefix, env: { PATH: SAFE_PATH, ...this.#names() } },
      reapOrphans: () => this.#reaper.scan(),
      send: (message) => this.#supervisor.send(message),
      ended: () => this.#stop?.lookAgain(),
      warn: (text) => this.#say('warn', text),
    })
    this.#supervisor = new SupervisorProcess({
      clock,
      processes: this.#processes,
      ...this.#supervisorCommand(typeof control === 'number' ? control : undefined),
      receive: (message) => this.#receive(message),
      gone: () => this.#supervisorGone(),
      warn: (text) => this.#say('warn', text),
    })
    this.#lease = new Lease({
      file: homePaths(home).lease,
      native,
      clock,
      owner,
      changed: (state) => void this.#leaseIs(state),
      warn: (text) => this.#say('warn', text),
    })
    this.#hooks = new Hooks({
      clock,
      processes: this.#processes,
      env: () => readEnvironment(paths.environmentDir),
      say: (level, text) => this.#say(level, text),
    })
    for (const warning of facts.warnings) this.#say('warn', warning)
    if (typeof control === 'string') this.#say('warn', control)
  }

  // ---- boot ----

  async boot(): Promise<void> {
    const { options, facts } = this.#o
    this.#listen()
    if (!facts.pid1) this.#becomeSubreaper()
    // It loads while the next steps run.
    void this.#supervisor.start()
    if (options.foreground) this.#sayWhatNext()
    await this.#leaseIs(isDashboard(options.words) ? 'none' : this.#lease.take())
    if (this.#stop !== undefined) return
    if (!options.foreground) await this.#runHooks()
    if (this.#stop !== undefined) return
    this.#hooksDone = true
    this.#beginIfReady()
    if (!options.foreground) await this.#startMain()
  }

  #becomeSubreaper(): void {
    try {
      this.#o.native.becomeSubreaper()
    } catch (error) {
      this.#say('warn', `orphans of the slots go to another process: ${(error as Error).message}`)
    }
  }

  #sayWhatNext(): void {
    const { options, facts } = this.#o
    const hermes = join(options.install, 'bin', 'hermes')
    this.#say('info', `supervising ${facts.home}; Ctrl-C stops it. In a second terminal: ${hermes} status`)
  }

  /** What the lock on the volume came to, at boot or later. */
  async #leaseIs(state: LeaseState): Promise<void> {
    this.#leaseState = state
    if (state === 'busy') {
      this.#say(
        'warn',
        `another container holds ${this.#o.facts.home}: its gateways wait here until the volume is free`,
      )
    }
    if (state === 'held' || state === 'none') await this.#useVolume(prepareVolume)
    // Where locks do not work the supervisor's counter decides, if anything can be written at all.
    if (state === 'unsupported' && !this.#lease.opened) await this.#useVolume(whyUnwritable, false)
    this.#supervisor.send({ type: 'lease', state })
    this.#beginIfReady()
  }

  /** By the counter of a supervisor, where locks do not work. */
  async #leaseCounted(state: 'taken' | 'lost'): Promise<void> {
    if (this.#leaseState !== 'unsupported' || state === 'lost') return
    const again = this.#begun
    if (!this.#volumeReady) await this.#useVolume(prepareVolume)
    this.#beginIfReady()
    if (again) this.#supervisor.send({ type: 'begin' })
  }

  /** @param ready what a volume without problems is from then on */
  async #useVolume(look: typeof prepareVolume, ready = true): Promise<void> {
    const { facts, options } = this.#o
    const { home, identity, prefix, dropped } = facts
    const problem = await look({
      home,
      identity,
      prefix,
      dropped,
      processes: this.#processes,
      repair: [process.execPath, '--v8-pool-size=0', join(options.install, 'lib', 'repair.cjs')],
      rootEnv: ROOT_ENV,
      say: (level, text) => this.#say(level, text),
    })
    if (problem === undefined) this.#volumeReady = ready
    else this.#stopWith(EXIT.failed, problem)
  }

  async #runHooks(): Promise<void> {
    const behaviour = this.#o.facts.environment
    const code = await this.#hooks.run(
      INIT_HOOKS,
      (ended) => this.#stop === undefined && (ended === 0 || goesOnAfterFailure(behaviour)),
    )
    if (code !== 0 && this.#stop === undefined) {
      this.#stopWith(code, 'a boot hook failed; S6_BEHAVIOUR_IF_STAGE2_FAILS=1 would go on')
    }
  }

  #beginIfReady(): void {
    if (this.#begun || !this.#volumeReady || !this.#hooksDone || this.#stop !== undefined) return
    this.#begun = true
    this.#supervisor.send({ type: 'begin' })
  }

  async #startMain(): Promise<void> {
    const { options, facts, native } = this.#o
    const { paths } = this.#run
    const stored = readEnvironment(paths.environmentDir)
    const words = mainWords({
      words: options.words,
      hasTerminal: terminalFd() !== undefined,
      path: stored.PATH ?? SAFE_PATH,
      hermes: join(options.install, 'bin', 'hermes'),
    })
    if (words.length === 0) return
    const terminal = terminalPlan(native)
    this.#sharesTerminal = terminal === 'share'
    try {
      const { pid, ended } = await startMain({
        native,
        processes: this.#processes,
        words,
        env: { ...stored, ...this.#names() },
        cwd: process.cwd(),
        identity: facts.identity,
        prefix: facts.prefix,
        dropped: facts.dropped,
        terminal,
        script: mainScript(paths),
        rootEnv: ROOT_ENV,
        hangupExpected: () => {
          this.#hangupsExpected += 1
        },
        warn: (text) => this.#say('warn', text),
      })
      this.#main = { pid }
      void ended.then((ending) => this.#mainEnded(ending))
    } catch (error) {
      this.#stopWith(EXIT.failed, `the main program cannot be started: ${(error as Error).message}`)
    }
  }

  /** HOME, USER and LOGNAME of the runtime user. */
  #names(): Variables {
    const { home, user } = this.#o.facts.identity
    return { HOME: home, USER: user, LOGNAME: user }
  }

  // ---- the supervisor ----

  #supervisorCommand(controlFd: number | undefined) {
    const { options, facts, stdout, stderr } = this.#o
    const { paths, layout } = this.#run
    const { home, pid1, identity, dropped, prefix } = facts
    // fd 3 is the protocol's socket; these follow it in this order.
    const inherited = [controlFd, ...[stdout, stderr].map(({ fd, kind }) => (kind === 'none' ? undefined : fd))]
    const start: SupervisorStart = {
      protocolFd: 3,
      ...(controlFd !== undefined && { controlFd: 4 }),
      stdout: { fd: 5, kind: stdout.kind },
      stderr: { fd: 6, kind: stderr.kind },
      home,
      runDir: paths.runDir,
      layout,
      instance: randomName(),
      hostname: hostname(),
      pid1,
      identity,
      dropped,
      foreground: options.foreground,
      main: options.words,
    }
    const [file = '', ...args] = [
      ...prefix,
      process.execPath,
      '--disable-sigusr1',
      '--v8-pool-size=0',
      '--max-semi-space-size=1',
      '--disable-warning=ExperimentalWarning',
      join(options.install, 'lib', 'supervisor.cjs'),
      JSON.stringify(start),
    ]
    return {
      file,
      args,
      env: { PATH: SAFE_PATH, ...this.#names(), HERMES_HOME: home, HERMES_RUN_DIR: paths.runDir },
      stderrFd: stderr.kind === 'none' ? ('ignore' as const) : 2,
      fds: inherited.map((fd) => fd ?? ('ignore' as const)),
    }
  }

  #receive(message: ToInit): void {
    switch (message.type) {
      case 'hello':
        this.#welcome()
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
      case 'ack':
        this.#children.events.acknowledge(message.seq)
        return
      case 'shutdown':
        this.#stopWith(message.exitCode, message.reason)
        return
      case 'drained':
        this.#drained()
        return
      case 'lease':
        void this.#leaseCounted(message.state)
        return
      case 'pong':
        return // the link's own
    }
  }

  #welcome(): void {
    const events = this.#children.events.unacknowledged()
    const lease = this.#leaseState
    this.#supervisor.send({
      type: 'welcome',
      v: INIT_PROTOCOL_VERSION,
      children: this.#children.facts(),
      // A new supervisor counts anew, and we tell it to begin when it has the volume.
      begun: this.#begun && lease !== 'unsupported',
      lease,
      replay: events.length,
    })
    // Before the replay: an exit in it must not lead to a start any more.
    if (this.#stop !== undefined) this.#supervisor.send({ type: 'stop' })
    for (const event of events) this.#supervisor.send(event)
    for (const note of this.#notes.splice(0)) this.#supervisor.send(note)
  }

  #supervisorGone(): void {
    this.#children.forgetRequests()
  }

  // ---- signals ----

  #listen(): void {
    process.on('SIGCHLD', () => this.#reaper.scanSoon())
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) process.on(signal, () => this.#askedToStop(signal))
    process.on('SIGHUP', () => this.#hangup())
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const) {
      process.on(signal, () => {
        if (this.#mainPid() !== undefined) process.kill(this.#mainPid() as number, signal)
      })
    }
    // On a terminal we share: what is typed there is meant for the main program, and must not stop us in its place.
    for (const signal of ['SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const) {
      if (!this.#o.options.foreground) process.on(signal, () => undefined)
    }
    // PID 1 does not die of a bug: it says so and goes on.
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, (error: unknown) => {
        this.#say('error', `a bug in init: ${error instanceof Error ? error.stack : String(error)}`)
      })
    }
  }

  #askedToStop(signal: NodeJS.Signals): void {
    const isIgnored = (IGNORED_WITH_SHARED_TERMINAL as readonly string[]).includes(signal)
    if (this.#sharesTerminal && this.#mainPid() !== undefined && isIgnored) return
    if (this.#stop === undefined) void this.#end(undefined)
    else if (signal === 'SIGINT' && this.#o.options.foreground) this.#stop.hurry()
  }

  #hangup(): void {
    if (this.#hangupsExpected > 0) {
      this.#hangupsExpected -= 1
      return
    }
    if (this.#o.options.foreground) this.#askedToStop('SIGHUP')
    else this.#supervisor.send({ type: 'reconcile' })
  }

  // ---- the end ----

  #mainPid(): number | undefined {
    return this.#main?.ending === undefined ? this.#main?.pid : undefined
  }

  #mainEnded(ending: Ending): void {
    if (this.#main !== undefined) this.#main.ending = ending
    if (this.#stop === undefined) void this.#end(containerCode({ ending, stopAsked: false, killed: false }, shellCode))
    else this.#stop.lookAgain()
  }

  #stopWith(code: number, why: string): void {
    if (this.#stop !== undefined) return
    this.#say('error', `stopping: ${why}`)
    void this.#end(code)
  }

  /** @param code what the container ends with; undefined: it was asked to stop, and the main program has a say */
  async #end(code: number | undefined): Promise<void> {
    const { native, clock, facts } = this.#o
    const startedAtMs = clock.nowMs()
    const stop = new Stop({
      native,
      clock,
      totalMs: facts.stopTimeoutMs,
      pid1: facts.pid1,
      ownPid: process.pid,
      processes: listProcesses,
      children: () => this.#children.living(),
      mainPid: () => this.#mainPid(),
      supervisorPid: () => this.#supervisor.pid,
      say: (text) => this.#say('warn', text),
    })
    this.#stop = stop
    this.#children.refuse()
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve
    })
    this.#supervisor.send({ type: 'stop' })
    await stop.run()
    // A supervisor that is still loading has nothing to drain, unless another one before it had.
    if (this.#supervisor.listens || this.#children.everStarted) await Promise.race([drained, this.#elapsed(DRAIN_MS)])
    await this.#supervisor.end()
    await this.#finishHooks(startedAtMs + facts.stopTimeoutMs)
    this.#o.own.flush()
    native.exitNow(code ?? this.#codeOfMain(stop))
  }

  #codeOfMain(stop: Stop): number {
    if (this.#main === undefined) return EXIT.done
    const { pid, ending } = this.#main
    const killed = stop.wasKilled(pid)
    return ending === undefined ? 137 : containerCode({ ending, stopAsked: true, killed }, shellCode)
  }

  async #finishHooks(deadlineMs: number): Promise<void> {
    const { options, clock, native } = this.#o
    if (options.foreground) return
    const cancel = clock.at(deadlineMs, () => {
      const { pid } = this.#hooks
      if (pid === undefined) return
      this.#say('warn', `${FINISH_HOOKS}: no time is left for it; it is killed`)
      native.kill(-pid, 9)
    })
    await this.#hooks.run(FINISH_HOOKS, () => clock.nowMs() < deadlineMs)
    cancel()
  }

  #elapsed(ms: number): Promise<void> {
    const { clock } = this.#o
    return new Promise((resolve) => clock.at(clock.nowMs() + ms, resolve))
  }

  /** On the console, and in the supervisor's log. */
  #say(level: Level, text: string): void {
    this.#o.own.line(level, text)
    const note: ToSupervisor = { type: 'note', level, text }
    if (this.#supervisor?.listens) this.#supervisor.send(note)
    else if (this.#notes.length < MAX_NOTES) this.#notes.push(note)
  }
}

/** 16 hex digits. From the kernel: node:crypto takes 7 ms to load. */
const randomName = (): string =>
  readFileSync('/proc/sys/kernel/random/uuid', 'latin1').replaceAll('-', '').slice(-17, -1)
