import { join } from 'node:path'
import {
  type ConsoleSink,
  type Ending,
  INIT_PROTOCOL_VERSION,
  type ToInit,
  type ToSupervisor,
} from '../protocol/init.ts'
import { shellCode } from '../slot/ending.ts'
import type { Clock } from '../system/clock.ts'
import { EXIT } from '../system/errors.ts'
import type { Native } from '../system/native.ts'
import { homePaths } from '../system/paths.ts'
import { listProcesses } from '../system/proc.ts'
import { BeginGate } from './begin-gate.ts'
import { Children } from './children.ts'
import { readEnvironment, storeEnvironment, type Variables } from './environment.ts'
import { type InitFacts, type InitOptions, makeHome } from './facts.ts'
import { FINISH_HOOKS, goesOnAfterFailure, Hooks, INIT_HOOKS } from './hooks.ts'
import { Lease } from './lease.ts'
import { LogFifos } from './log-fifos.ts'
import { containerCode, startMain } from './main-program.ts'
import { isDashboard, mainWords } from './main-words.ts'
import type { Level, OwnConsole } from './own-console.ts'
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
import { listenForSignals } from './signals.ts'
import { Stop } from './stop.ts'
import { supervisorCommand } from './supervisor-command.ts'
import { SupervisorProcess } from './supervisor-process.ts'
import { terminalFd, terminalPlan } from './terminal.ts'
import { prepareVolume, requireWritable, type VolumeOptions, whyUnwritable } from './volume.ts'

/** For what runs as root on its way to somewhere else: nothing in it comes from a container, a profile or a supervisor. */
const SAFE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const ROOT_ENV: Variables = { PATH: SAFE_PATH }
const DRAIN_MS = 500
/** Lines for the supervisor's log that may wait until there is one. */
const MAX_NOTES = 100

export interface InitParts {
  readonly options: InitOptions
  readonly facts: InitFacts
  readonly native: Native
  readonly clock: Clock
  readonly own: OwnConsole
  readonly stdout: ConsoleSink
  readonly stderr: ConsoleSink
}

/** One life of a container: boot, supervise, stop. */
export class Init {
  readonly #o: InitParts
  readonly #run: RunDirectory
  readonly #processes = new Processes()
  readonly #reaper: Reaper
  readonly #children: Children
  readonly #supervisor: SupervisorProcess
  readonly #gate: BeginGate
  readonly #hooks: Hooks
  #notes: ToSupervisor[] = []
  #main: { readonly pid: number; ending?: Ending } | undefined
  #hangupsExpected = 0
  #stop: Stop | undefined
  #drained: () => void = () => undefined
  #sharesTerminal = false

  constructor(parts: InitParts) {
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
      ...supervisorCommand({
        install: options.install,
        foreground: options.foreground,
        words: options.words,
        facts,
        run: this.#run,
        stdout: parts.stdout,
        stderr: parts.stderr,
        ...(typeof control === 'number' && { controlFd: control }),
        env: { PATH: SAFE_PATH, ...this.#names() },
      }),
      receive: (message) => this.#receive(message),
      gone: () => this.#children.forgetRequests(),
      warn: (text) => this.#say('warn', text),
    })
    const lease = new Lease({
      file: homePaths(home).lease,
      native,
      clock,
      owner,
      changed: (state) => void this.#gate.leaseIs(state),
      warn: (text) => this.#say('warn', text),
    })
    this.#gate = new BeginGate({
      home,
      lease,
      withoutLease: isDashboard(options.words),
      prepare: () => prepareVolume(this.#volumeOptions()),
      tryIt: () => whyUnwritable(this.#volumeOptions()),
      send: (message) => {
        if (this.#stop === undefined) this.#supervisor.send(message)
      },
      unusable: (why) => this.#stopWith(EXIT.failed, why),
      say: (level, text) => this.#say(level, text),
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
    listenForSignals({
      foreground: options.foreground,
      childEnded: () => this.#reaper.scanSoon(),
      stop: () => {
        if (this.#stop === undefined) void this.#end(undefined)
      },
      hurry: () => this.#stop?.hurry(),
      isStopping: () => this.#stop !== undefined,
      reconcile: () => this.#supervisor.send({ type: 'reconcile' }),
      hangupIsOurs: () => this.#hangupsExpected > 0 && this.#hangupsExpected-- > 0,
      mainPid: () => this.#mainPid(),
      sharesTerminal: () => this.#sharesTerminal,
      bug: (error) => this.#say('error', `a bug in init: ${error instanceof Error ? error.stack : String(error)}`),
    })
    if (!facts.pid1) this.#becomeSubreaper()
    // It loads while the next steps run.
    void this.#supervisor.start()
    if (options.foreground) this.#sayWhatNext()
    await this.#gate.open()
    if (this.#stop !== undefined) return
    if (!options.foreground) await this.#runHooks()
    if (this.#stop !== undefined) return
    this.#gate.hooksDone()
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

  #volumeOptions(): VolumeOptions {
    const { facts, options } = this.#o
    const { home, identity, prefix, dropped } = facts
    return {
      home,
      identity,
      prefix,
      dropped,
      processes: this.#processes,
      repair: [process.execPath, '--v8-pool-size=0', join(options.install, 'lib', 'repair.cjs')],
      rootEnv: ROOT_ENV,
      say: (level, text) => this.#say(level, text),
    }
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
        void this.#gate.leaseCounted(message.state)
        return
      case 'pong':
        return // the link's own
    }
  }

  #welcome(): void {
    const events = this.#children.events.unacknowledged()
    const { begun, lease } = this.#gate
    this.#supervisor.send({
      type: 'welcome',
      v: INIT_PROTOCOL_VERSION,
      children: this.#children.facts(),
      begun,
      lease,
      replay: events.length,
    })
    // Before the replay: an exit in it must not lead to a start any more.
    if (this.#stop !== undefined) this.#supervisor.send({ type: 'stop' })
    for (const event of events) this.#supervisor.send(event)
    for (const note of this.#notes.splice(0)) this.#supervisor.send(note)
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
