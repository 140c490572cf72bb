import { resolve } from 'node:path'
import type { GatewayConfig } from '../../profile/config/config.ts'
import { readContainerEnvironment, readDotEnv, slotEnvironment } from '../../profile/environment/environment.ts'
import { closeSecretFiles } from '../../profile/environment/secret-files.ts'
import type { JobSpec } from '../../protocol/control.ts'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import type { Slot } from '../../slot/slot.ts'
import { below, profileDir, profileOfSlot, type RunPaths } from '../../system/paths.ts'
import { ownNode } from '../../system/programs/own-node.ts'
import { crlfFault, findProgram, readable } from '../../system/programs/program.ts'
import { SIGNALS } from '../../system/signals.ts'
import { NOT_RUN_FILE } from './not-run.ts'
import type { ProfileConfigs } from './profile-configs.ts'
import { runScript } from './run-script.ts'

export interface SlotScriptsOptions {
  readonly home: string
  readonly paths: RunPaths
  readonly layout: 'image' | 'private'
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  readonly identity: RuntimeIdentity
  readonly configs: ProfileConfigs
  readonly warn: (text: string) => void
}

/** Default of HERMES_STOP_TIMEOUT, the time limit of a whole stop in seconds; passed to slots. */
const DEFAULT_STOP_TIMEOUT_S = '8'

/**
 * Slots that belong to no profile, and the `hermes` command that each runs. init starts the dashboard itself, because
 * it has its secrets.
 */
const helperCommands: Readonly<Record<string, readonly string[]>> = {
  dashboard: ['dashboard'],
  dispatcher: ['kanban', 'dispatcher'],
}

/** Slots of programs of our own that serve all profiles. */
export const HELPERS: readonly string[] = Object.keys(helperCommands)
export const isHelper = (slot: string): boolean => Object.hasOwn(helperCommands, slot)

/** The shell would say of such a script that it is not there. */
function crlfIn([program = '']: readonly string[], cwd: string, path: string): string | undefined {
  const file = program.includes('/') ? resolve(cwd, program) : findProgram(program, { path, look: readable })?.file
  const fault = file === undefined ? undefined : crlfFault(file)
  return fault && `${fault.file}: ${fault.message}; ${fault.repair}`
}

/**
 * Builds the sh text that init runs for a slot: the command, its directory and its environment, from the current
 * files.
 */
export class SlotScripts {
  readonly #options: SlotScriptsOptions
  #container: Record<string, string> | undefined

  constructor(options: SlotScriptsOptions) {
    this.#options = options
  }

  /** @throws RangeError for arguments that cannot be passed to a shell */
  run(slot: string, job?: JobSpec): string {
    const { home, paths, layout, install, identity, configs, warn } = this.#options
    const profile = job?.profile ?? profileOfSlot(slot) ?? null
    const dir = profile === null ? home : profileDir(home, profile)
    const gateway = profile === null ? null : configs.of(profile).gateway
    const container = this.#containerEnvironment()
    if (profile !== null) for (const line of closeSecretFiles(dir)) warn(line)
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
    const cwd = job?.cwd ?? dir
    const path = environment.variables.find(({ name }) => name === 'PATH')?.value ?? ''
    const own = job === undefined ? gateway?.command : job.command
    const problem = own == null ? undefined : crlfIn(own, cwd, path)
    return runScript({
      slot,
      cwd,
      variables: environment.variables,
      command: this.#command(slot, profile, job, gateway),
      ...(problem !== undefined && { problem }),
      ...(job === undefined && gateway !== null && { limits: gateway }),
      ...(job?.stdinFile !== undefined && { stdinFile: job.stdinFile }),
      notRunFile: below(paths.scanDir, slot, NOT_RUN_FILE),
      hint: profile === null ? `reinstall ${install}` : `set gateway.command in ${below(dir, 'config.yaml')}`,
    })
  }

  /** The program to run after a death: a program `finish` in the slot's directory, with s6's arguments. */
  finish(slot: string, ending: Slot['lastEnding']): string {
    const facts = ending?.ending ?? { exitCode: 0 }
    const words = 'exitCode' in facts ? [`${facts.exitCode}`, '0'] : ['256', `${SIGNALS[facts.signal]}`]
    const dir = below(this.#options.paths.scanDir, slot)
    return runScript({
      slot,
      cwd: dir,
      variables: [],
      command: [below(dir, 'finish'), ...words, slot, ...(ending === undefined ? [] : [`${ending.pid}`])],
      notRunFile: below(dir, NOT_RUN_FILE),
      hint: 'remove it or make it executable',
    })
  }

  /** The container environment; read once per turn of the loop, in which a boot starts all its slots. */
  #containerEnvironment(): Record<string, string> {
    if (this.#container === undefined) {
      setImmediate(() => {
        this.#container = undefined
      })
      this.#container = readContainerEnvironment(this.#options.paths.environmentDir)
    }
    return this.#container
  }

  #command(
    slot: string,
    profile: string | null,
    job: JobSpec | undefined,
    gateway: GatewayConfig | null,
  ): readonly string[] {
    if (job !== undefined) return job.command
    const hermes = ownNode('hermes', this.#options.install)
    if (profile === null) return [...hermes, ...(helperCommands[slot] ?? [slot])]
    return gateway?.command ?? [...hermes, '-p', profile, 'gateway', 'run']
  }
}
