import { hostname } from 'node:os'
import { EXIT, HermesError } from '../system/errors.ts'
import type { Level } from '../system/level.ts'
import type { Native } from '../system/native/native.ts'
import { pasteableCommand } from '../system/programs/install.ts'
import { goesOnAfterFailure, type Hooks, INIT_HOOKS } from './boot/hooks.ts'
import type { Secrets } from './boot/secrets.ts'
import { isAwaited, loadServices, type ServicesBootOptions } from './boot/services-boot.ts'
import type { InitFacts, InitOptions } from './facts/facts.ts'
import type { MainProgram } from './programs/main-program.ts'
import type { SupervisorProcess } from './programs/supervisor-process.ts'
import type { Gates, Shutdown } from './shutdown.ts'
import type { ServicePrograms } from './slots/service-programs.ts'

export interface BootOptions {
  readonly container: BootedContainer
  readonly native: Pick<Native, 'becomeSubreaper'>
  readonly programs: BootedPrograms
  readonly secrets: Pick<Secrets, 'areInFiles' | 'read'>
  readonly gates: Gates
  /** Asked when the hooks are done: they may have changed what it tells. */
  readonly servicesBoot: () => ServicesBootOptions
  readonly shutdown: Pick<Shutdown, 'begun' | 'stopWith' | 'begin'>
  readonly log: (level: Level, text: string) => void
}

export interface BootedContainer {
  readonly options: Pick<InitOptions, 'foreground' | 'env' | 'install'>
  readonly facts: Pick<InitFacts, 'home' | 'uid' | 'pid1' | 'environment'>
  readonly runDir: string
}

/** Programs that a boot starts, in this order. */
export interface BootedPrograms {
  readonly supervisor: Pick<SupervisorProcess, 'start'>
  readonly hooks: Hooks
  readonly services: Pick<ServicePrograms, 'load'>
  readonly main: Pick<MainProgram, 'start' | 'isWanted'>
}

/**
 * The steps of a boot, in their order (docs/init.md); a stop ends it between any two. In the foreground there are
 * fewer.
 */
export class Boot {
  readonly #options: BootOptions

  constructor(options: BootOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { container, programs, secrets, gates, shutdown } = this.#options
    const { options, facts } = container
    const { supervisor, main } = programs
    if (!facts.pid1) this.#becomeSubreaper()
    // It loads while the next steps run.
    void supervisor.start()
    if (options.foreground) this.#logNextSteps()
    if (secrets.areInFiles) await this.#readSecrets()
    if (shutdown.begun) return
    await gates.volume.open()
    if (shutdown.begun) return
    if (!options.foreground) gates.services.begin()
    if (!options.foreground) await this.#runHooks()
    if (shutdown.begun) return
    if (!options.foreground) await this.#loadServices()
    gates.volume.hooksDone()
    if (options.foreground) return
    // While another container has the volume, or may have it (no locks there), the main program does not wait for it.
    const { lease } = gates.volume
    const isOurs = lease === 'held' || lease === 'none'
    if (main.isWanted && isOurs) await gates.profiles.open()
    await gates.services.open()
    if (shutdown.begun) return
    await this.#startMain()
  }

  #becomeSubreaper(): void {
    try {
      this.#options.native.becomeSubreaper()
    } catch (error) {
      this.#options.log('warn', `orphans of the slots go to another process: ${(error as Error).message}`)
    }
  }

  /** Before everything that may need one. A container without its secrets would look like one that works. */
  async #readSecrets(): Promise<void> {
    const { secrets, shutdown, log } = this.#options
    const problems = await secrets.read()
    for (const problem of problems) log('error', problem)
    if (problems.length > 0) void shutdown.begin(EXIT.failed)
  }

  #logNextSteps(): void {
    const { log } = this.#options
    const { facts, options, runDir } = this.#options.container
    const { home, uid } = facts
    const type = pasteableCommand({ HOME: options.env.HOME, home, runDir, uid, install: options.install }, 'status')
    log('info', `supervising ${home}; Ctrl-C or hermes stop stops it. In a second terminal: ${type}`)
  }

  /** `docker run` with nothing but the image's name: a container that says nothing looks like one that hangs. */
  #logNoMain(): void {
    const { container, log } = this.#options
    const exec = `docker exec ${hostname()} hermes`
    log(
      'info',
      `supervising ${container.facts.home} without a main program: gateways run until the container is stopped`,
    )
    log('info', `next: ${exec} gateway start, to start the default gateway; ${exec} status, to see what runs`)
  }

  async #runHooks(): Promise<void> {
    const { programs, container, shutdown } = this.#options
    const { facts } = container
    const code = await programs.hooks.run(
      INIT_HOOKS,
      (ended) => !shutdown.begun && (ended === 0 || goesOnAfterFailure(facts.environment)),
    )
    if (code !== 0 && !shutdown.begun) {
      shutdown.stopWith(code, 'a boot hook failed; S6_BEHAVIOUR_IF_STAGE2_FAILS=1 would go on')
    }
  }

  async #loadServices(): Promise<void> {
    const { programs, servicesBoot, gates } = this.#options
    const table = await loadServices(servicesBoot())
    if (table === undefined) return
    programs.services.load(table)
    // While another container has the volume no slot is started, and the main program does not wait for that.
    if (gates.volume.lease === 'held') gates.services.waitFor(table.rules.filter(isAwaited).length)
  }

  async #startMain(): Promise<void> {
    const { programs, shutdown } = this.#options
    try {
      if (!(await programs.main.start())) this.#logNoMain()
    } catch (error) {
      if (error instanceof HermesError) shutdown.stopWith(error.exitCode, `${error.message}. ${error.next}`)
      else shutdown.stopWith(EXIT.failed, `the main program cannot be started: ${(error as Error).message}`)
    }
  }
}
