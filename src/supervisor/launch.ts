import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import {
  type ConfigProblem,
  configProblemText,
  configSignature,
  defaultConfig,
  type GatewayConfig,
  isDispatchersProblem,
  loadConfig,
  type ProfileConfig,
} from '../profile/config.ts'
import { readContainerEnvironment, readDotEnv, slotEnvironment } from '../profile/environment.ts'
import type { JobSpec } from '../protocol/control.ts'
import { type RuntimeIdentity, SIGNALS } from '../protocol/init.ts'
import { FINISH_TIMEOUT_MS, type ServiceReadiness, type ServiceRules, serviceOfSlot } from '../services/definition.ts'
import type { Slot, SlotPolicy } from '../slot/slot.ts'
import { below, profileDir, profileOfSlot, type RunPaths, slotLogDir } from '../system/paths.ts'
import { dirId } from './disk-observer.ts'
import type { DirId } from './reconcile.ts'
import { runScript } from './run-script.ts'

export type Readiness = ServiceReadiness

/** How a slot is run: what its files said when they were read last. Kept with the slot's state. */
export interface Launch {
  readonly policy: SlotPolicy
  readonly readiness: Readiness
  readonly killLeftovers: boolean
  /** The container ends with this slot. */
  readonly essential: boolean
}

/** Where the lines of a slot go. */
export interface LogPlace {
  readonly dir: string
  /** A file of this name instead of `current`. */
  readonly name?: string
  readonly maxBytes: number
  readonly archives: number
  /** Copied to the container's stdout. */
  readonly toConsole: boolean
}

export interface LauncherOptions {
  readonly home: string
  readonly paths: RunPaths
  readonly layout: 'image' | 'private'
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  readonly identity: RuntimeIdentity
  /** The Node that runs our own programs. */
  readonly node: string
  readonly warn: (text: string) => void
  /** The rules of a service the image defines. */
  readonly service: (name: string) => ServiceRules | undefined
}

/** Seconds a whole stop may take where nothing else is said (HERMES_STOP_TIMEOUT); slots are told. */
const DEFAULT_STOP_TIMEOUT_S = '8'

/** A job's log; one archive is kept besides (docs/kanban.md). */
const JOB_LOG_BYTES = 2 * 1024 * 1024

/** The slots that are no profile's, and the `hermes` command each runs. */
const helperCommands: Readonly<Record<string, readonly string[]>> = {
  dashboard: ['dashboard'],
  dispatcher: ['kanban', 'dispatcher'],
}

/** Our own programs that say when they work: a newline on fd 3. */
const announces = (slot: string, gateway: GatewayConfig, profile: string | undefined): boolean =>
  profile === undefined ? Object.hasOwn(helperCommands, slot) : gateway.command === null

interface CachedConfig {
  readonly signature: string
  readonly config: ProfileConfig
  readonly problems: readonly ConfigProblem[]
}

/** Turns a slot's name into what has to be run, from the files as they are at that moment. */
export class Launcher {
  readonly #o: LauncherOptions
  readonly #configs = new Map<string, CachedConfig>()
  readonly #blank = defaultConfig()
  #container: Record<string, string> | undefined

  constructor(options: LauncherOptions) {
    this.#o = options
  }

  /** The rules of a slot. Costs one stat where config.yaml has not changed. */
  launch(slot: string, job?: JobSpec): Launch {
    if (job !== undefined) return jobLaunch(this.#blank.gateway, job)
    const service = this.#serviceOf(slot)
    if (service !== undefined) return serviceLaunch(service)
    const profile = profileOfSlot(slot)
    const { gateway } = profile === undefined ? this.#blank : this.#config(profile)
    const ready = gateway.ready
    const readiness: Readiness =
      ready.by === 'auto' ? (announces(slot, gateway, profile) ? { by: 'fd', fd: 3 } : { by: 'alive' }) : ready
    return {
      policy: {
        ...policyOf(gateway, readiness),
        ...(this.#hasFinish(slot) && { finish: { timeoutMs: FINISH_TIMEOUT_MS } }),
      },
      readiness,
      killLeftovers: gateway.killLeftovers,
      essential: profile !== undefined && gateway.essential,
    }
  }

  #serviceOf(slot: string): ServiceRules | undefined {
    const name = serviceOfSlot(slot)
    return name === undefined ? undefined : this.#o.service(name)
  }

  /** init has the programs of this slot itself; no script of ours is run. */
  isInits(slot: string): boolean {
    return serviceOfSlot(slot) !== undefined
  }

  /** @throws RangeError for words that no shell can be told */
  script(slot: string, job?: JobSpec): string {
    const { home, paths, layout, install, identity, warn } = this.#o
    const profile = job?.profile ?? profileOfSlot(slot) ?? null
    const dir = profile === null ? home : profileDir(home, profile)
    const gateway = profile === null ? null : this.#config(profile).gateway
    const container = this.#containerEnvironment()
    const dotEnv = readDotEnv(below(dir, '.env'))
    const environment = slotEnvironment({
      slot,
      profile,
      home,
      profileDir: dir,
      runDir: paths.runDir,
      user: { name: identity.user, home: identity.home },
      path: [...(layout === 'image' ? ['/command'] : []), below(install, 'bin')],
      container,
      dotEnv: dotEnv.variables,
      gatewayEnv: job?.env ?? gateway?.env ?? {},
      supervisor: { HERMES_STOP_TIMEOUT: container.HERMES_STOP_TIMEOUT || DEFAULT_STOP_TIMEOUT_S },
    })
    for (const warning of [...dotEnv.warnings, ...environment.warnings]) warn(`${slot}: ${warning}`)
    return runScript({
      slot,
      cwd: job?.cwd ?? dir,
      variables: environment.variables,
      command: this.#command(slot, profile, job, gateway),
      ...(job?.stdinFile !== undefined && { stdinFile: job.stdinFile }),
      hint: profile === null ? `reinstall ${install}` : `set gateway.command in ${below(dir, 'config.yaml')}`,
    })
  }

  /** What runs after a death: a program `finish` that somebody put into the slot's directory, with s6's arguments. */
  finishScript(slot: string, ending: Slot['lastEnding']): string {
    const facts = ending?.ending ?? { exitCode: 0 }
    const words = 'exitCode' in facts ? [`${facts.exitCode}`, '0'] : ['256', `${SIGNALS[facts.signal]}`]
    const dir = below(this.#o.paths.serviceDir, slot)
    return runScript({
      slot,
      cwd: dir,
      variables: [],
      command: [below(dir, 'finish'), ...words, slot, ...(ending === undefined ? [] : [`${ending.pid}`])],
      hint: 'remove it or make it executable',
    })
  }

  #hasFinish(slot: string): boolean {
    const stat = statSync(below(this.#o.paths.serviceDir, slot, 'finish'), { throwIfNoEntry: false })
    return stat?.isFile() === true && (stat.mode & 0o111) !== 0
  }

  /** Which directory a profile's slot would be started in now. */
  directory(slot: string): DirId | undefined {
    const profile = profileOfSlot(slot)
    return profile === undefined ? undefined : dirId(profileDir(this.#o.home, profile))
  }

  /** Whether the name alone says what runs there: a profile's gateway or a helper. */
  isKnown(slot: string): boolean {
    return (
      profileOfSlot(slot) !== undefined || Object.hasOwn(helperCommands, slot) || this.#serviceOf(slot) !== undefined
    )
  }

  logPlace(slot: string, job?: JobSpec): LogPlace {
    const { logging } = job === undefined ? this.#config(profileOfSlot(slot) ?? 'default') : this.#blank
    if (job !== undefined) {
      const { logFile } = job
      return { maxBytes: JOB_LOG_BYTES, archives: 1, dir: dirname(logFile), name: basename(logFile), toConsole: false }
    }
    return { ...logging, dir: slotLogDir(this.#o.home, slot), toConsole: true }
  }

  /** The container environment; read once per turn of the loop, in which a boot starts all its slots. */
  #containerEnvironment(): Record<string, string> {
    if (this.#container === undefined) {
      setImmediate(() => {
        this.#container = undefined
      })
      this.#container = readContainerEnvironment(this.#o.paths.environmentDir)
    }
    return this.#container
  }

  /** What is wrong with config.yaml of a profile, as of the last start. */
  problems(profile: string): readonly string[] {
    return this.#configs.get(profile)?.problems.map(configProblemText) ?? []
  }

  forget(slot: string): void {
    const profile = profileOfSlot(slot)
    if (profile !== undefined) this.#configs.delete(profile)
  }

  #config(profile: string): ProfileConfig {
    const file = below(profileDir(this.#o.home, profile), 'config.yaml')
    const signature = configSignature(file)
    const cached = this.#configs.get(profile)
    if (cached?.signature === signature) return cached.config
    const { config, problems } = loadConfig(file)
    this.#configs.set(profile, { signature, config, problems })
    for (const problem of problems) if (!isDispatchersProblem(problem)) this.#o.warn(configProblemText(problem))
    return config
  }

  #command(
    slot: string,
    profile: string | null,
    job: JobSpec | undefined,
    gateway: GatewayConfig | null,
  ): readonly string[] {
    if (job !== undefined) return job.command
    const hermes = [this.#o.node, below(this.#o.install, 'lib', 'hermes.cjs')]
    if (profile === null) return [...hermes, ...(helperCommands[slot] ?? [slot])]
    return gateway?.command ?? [...hermes, '-p', profile, 'gateway', 'run']
  }
}

const policyOf = (gateway: GatewayConfig, readiness: Readiness): SlotPolicy => ({
  kind: 'service',
  restart: gateway.restart,
  restartDelay: gateway.restartDelay,
  forgetAfterMs: gateway.forgetAfterMs,
  readiness: readiness.by === 'alive' ? 'alive' : 'announced',
  readyAfterMs: gateway.readyAfterMs,
  startTimeoutMs: gateway.startTimeoutMs,
  stopSignal: gateway.stopSignal,
  stopTimeoutMs: gateway.stopTimeoutMs,
  giveUpAfter: gateway.giveUpAfter,
})

/** No limit: longer than any container lives. */
const FOR_EVER_MS = 366 * 86_400_000

const serviceLaunch = (rules: ServiceRules): Launch => ({
  policy: {
    kind: rules.kind === 'oneshot' ? 'oneshot' : rules.kind === 'scheduled' ? 'job' : 'service',
    restart: rules.restart,
    restartDelay: rules.restartDelay,
    forgetAfterMs: 30_000,
    readiness: rules.kind === 'oneshot' || rules.readiness.by !== 'alive' ? 'announced' : 'alive',
    readyAfterMs: rules.readyAfterMs,
    startTimeoutMs: rules.startTimeoutMs || FOR_EVER_MS,
    stopSignal: rules.stopSignal,
    stopTimeoutMs: rules.stopTimeoutMs,
    giveUpAfter: rules.giveUpAfter,
    ...(rules.finishTimeoutMs !== null && {
      finish: { timeoutMs: rules.finishTimeoutMs || FOR_EVER_MS, atStop: true },
    }),
  },
  readiness: rules.readiness,
  killLeftovers: true,
  essential: rules.essential,
})

/** A job runs once, is up as soon as it is there, and its end is its result. */
const jobLaunch = (defaults: GatewayConfig, { stopTimeoutMs }: JobSpec): Launch => ({
  policy: {
    ...policyOf(defaults, { by: 'alive' }),
    kind: 'job',
    restart: 'never',
    readyAfterMs: 0,
    ...(stopTimeoutMs !== undefined && { stopTimeoutMs }),
  },
  readiness: { by: 'alive' },
  killLeftovers: true,
  essential: false,
})
