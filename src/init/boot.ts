import { hostname } from 'node:os'
import { EXIT, HermesError } from '../system/errors.ts'
import type { Native } from '../system/native/native.ts'
import { pasteable } from '../system/programs/install.ts'
import type { BeginGate } from './boot/begin-gate.ts'
import { goesOnAfterFailure, type Hooks, INIT_HOOKS } from './boot/hooks.ts'
import type { MainGate } from './boot/main-gate.ts'
import type { ProfilesGate } from './boot/profiles-gate.ts'
import { isAwaited, loadServices, type ServicesBootOptions } from './boot/services-boot.ts'
import type { InitFacts, InitOptions } from './facts/facts.ts'
import type { Level } from './processes/own-console.ts'
import type { MainProgram } from './programs/main-program.ts'
import type { SupervisorProcess } from './programs/supervisor-process.ts'
import type { Shutdown } from './shutdown.ts'
import type { ServicePrograms } from './slots/service-programs.ts'

export interface BootOptions {
  readonly options: Pick<InitOptions, 'foreground' | 'env' | 'install'>
  readonly facts: Pick<InitFacts, 'home' | 'uid' | 'pid1' | 'environment'>
  readonly runDir: string
  readonly native: Pick<Native, 'becomeSubreaper'>
  readonly supervisor: Pick<SupervisorProcess, 'start'>
  readonly gate: Pick<BeginGate, 'open' | 'hooksDone' | 'lease'>
  readonly hooks: Hooks
  readonly services: Pick<ServicePrograms, 'load'>
  /** Asked when the hooks are done: they may have changed what it tells. */
  readonly servicesBoot: () => ServicesBootOptions
  readonly profilesGate: Pick<ProfilesGate, 'open'>
  readonly mainGate: Pick<MainGate, 'begin' | 'waitFor' | 'open'>
  readonly main: Pick<MainProgram, 'start' | 'isWanted'>
  readonly shutdown: Pick<Shutdown, 'begun'>
  /** The container ends with this code. */
  readonly stopWith: (code: number, why: string) => void
  readonly say: (level: Level, text: string) => void
}

/**
 * The steps of a boot, in their order (docs/init.md); a stop ends it between any two. In the foreground there are
 * fewer.
 */
export class Boot {
  readonly #o: BootOptions

  constructor(options: BootOptions) {
    this.#o = options
  }

  async run(): Promise<void> {
    const { options, facts, supervisor, gate, profilesGate, mainGate, main, shutdown } = this.#o
    if (!facts.pid1) this.#becomeSubreaper()
    // It loads while the next steps run.
    void supervisor.start()
    if (options.foreground) this.#sayWhatNext()
    await gate.open()
    if (shutdown.begun) return
    if (!options.foreground) mainGate.begin()
    if (!options.foreground) await this.#runHooks()
    if (shutdown.begun) return
    if (!options.foreground) await this.#loadServices()
    gate.hooksDone()
    if (options.foreground) return
    // While another container has the volume, or may have it (no locks there), the main program does not wait for it.
    const isOurs = gate.lease === 'held' || gate.lease === 'none'
    if (main.isWanted && isOurs) await profilesGate.open()
    await mainGate.open()
    if (shutdown.begun) return
    await this.#startMain()
  }

  #becomeSubreaper(): void {
    try {
      this.#o.native.becomeSubreaper()
    } catch (error) {
      this.#o.say('warn', `orphans of the slots go to another process: ${(error as Error).message}`)
    }
  }

  #sayWhatNext(): void {
    const { facts, options, runDir, say } = this.#o
    const { home, uid } = facts
    const type = pasteable({ HOME: options.env.HOME, home, runDir, uid, install: options.install }, 'status')
    say('info', `supervising ${home}; Ctrl-C stops it. In a second terminal: ${type}`)
  }

  /** `docker run` with nothing but the image's name: a container that says nothing looks like one that hangs. */
  #sayNoMain(): void {
    const { facts, say } = this.#o
    const exec = `docker exec ${hostname()} hermes`
    say('info', `supervising ${facts.home} without a main program: gateways run until the container is stopped`)
    say('info', `next: ${exec} gateway start, to start the default gateway; ${exec} status, to see what runs`)
  }

  async #runHooks(): Promise<void> {
    const { hooks, facts, shutdown, stopWith } = this.#o
    const code = await hooks.run(
      INIT_HOOKS,
      (ended) => !shutdown.begun && (ended === 0 || goesOnAfterFailure(facts.environment)),
    )
    if (code !== 0 && !shutdown.begun) {
      stopWith(code, 'a boot hook failed; S6_BEHAVIOUR_IF_STAGE2_FAILS=1 would go on')
    }
  }

  async #loadServices(): Promise<void> {
    const { services, servicesBoot, gate, mainGate } = this.#o
    const table = await loadServices(servicesBoot())
    if (table === undefined) return
    services.load(table)
    // While another container has the volume no slot is started, and the main program does not wait for that.
    if (gate.lease === 'held') mainGate.waitFor(table.rules.filter(isAwaited).length)
  }

  async #startMain(): Promise<void> {
    const { main, stopWith } = this.#o
    try {
      if (!(await main.start())) this.#sayNoMain()
    } catch (error) {
      if (error instanceof HermesError) stopWith(error.exitCode, `${error.message}. ${error.next}`)
      else stopWith(EXIT.failed, `the main program cannot be started: ${(error as Error).message}`)
    }
  }
}
