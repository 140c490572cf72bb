import { resolve } from 'node:path'
import type { GatewayConfig } from '../../profile/config/config.ts'
import type { Secrets } from '../../profile/config/kinds/program-kinds.ts'
import {
  readContainerEnvironment,
  readDotEnv,
  type SlotEnvironment,
  slotEnvironment,
} from '../../profile/environment/environment.ts'
import { issueToken, METER, type MeterHolder, meteredAccess } from '../../profile/environment/metered.ts'
import { closeSecretFiles } from '../../profile/environment/secret-files.ts'
import { RECORD_FILE } from '../../profile/environment/secrets-record.ts'
import type { SlotSecretsFacts } from '../../profile/environment/slot-secrets.ts'
import { FORWARDER, FRONT_PORT, NOTIFIER } from '../../profile/names.ts'
import type { JobSpec } from '../../protocol/control.ts'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import type { Slot } from '../../slot/slot.ts'
import { unlessCode } from '../../system/error-code.ts'
import { EXIT } from '../../system/errors.ts'
import { below, profileDir, profileOfSlot, type RunPaths } from '../../system/paths.ts'
import { ownNode } from '../../system/programs/own-node.ts'
import { crlfFault, findProgram, readable } from '../../system/programs/program.ts'
import { SIGNALS } from '../../system/signals.ts'
import { NOT_RUN_FILE } from './not-run.ts'
import type { ProfileConfigs } from './profile-configs.ts'
import type { ProfileWalls, WallState } from './profile-walls.ts'
import { type RunScript, runScript } from './run-script.ts'

export interface SlotScriptsOptions {
  readonly home: string
  readonly paths: RunPaths
  readonly layout: 'image' | 'private'
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  readonly identity: RuntimeIdentity
  readonly configs: ProfileConfigs
  readonly walls: Pick<ProfileWalls, 'areWanted'>
  readonly warn: (text: string) => void
}

/** Secrets to look at again. */
export interface SecretsCheck {
  readonly profile: string
  /** As they were when the process was started. */
  readonly secrets: Secrets
  /** The slot's process. */
  readonly pid: number
  readonly names: readonly string[]
}

/** A program of the profile that the supervisor starts itself. It prints CheckedSecrets. */
export interface CheckProgram {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** A walled profile cannot write in the slot's directory; the line in its log says the same. */
const NOWHERE = '/dev/null'

/** Variables that `.env` cannot set, as in every slot: those of sources that win over it. */
const namesKept = (given: SlotEnvironment['variables'], secrets: Secrets): readonly string[] => [
  ...given.filter(({ source }) => source !== 'container' && source !== 'built-in').map(({ name }) => name),
  ...Object.keys(secrets),
]

/** Default of HERMES_STOP_TIMEOUT, the time limit of a whole stop in seconds; passed to slots. */
const DEFAULT_STOP_TIMEOUT_S = '8'

/**
 * Slots that belong to no profile, and the `hermes` command that each runs. init starts the dashboard itself, because
 * it has its secrets.
 */
const helperCommands: Readonly<Record<string, readonly string[]>> = {
  dashboard: ['dashboard'],
  dispatcher: ['kanban', 'dispatcher'],
  [METER]: ['meter'],
  [NOTIFIER]: ['notifier'],
  [FORWARDER]: ['forwarder'],
  [FRONT_PORT]: ['front-port'],
}

/** They read it themselves when they need a value of it, which keeps secrets out of their scripts. */
const READ_NO_DOT_ENV: readonly string[] = [METER, NOTIFIER, FORWARDER, FRONT_PORT]

/** Slots of programs of our own that serve all profiles. */
export const HELPERS: readonly string[] = Object.keys(helperCommands)
export const isHelper = (slot: string): boolean => Object.hasOwn(helperCommands, slot)

/** A worker's requests count for its task. */
const holderIn = (profile: string, job: JobSpec | undefined): MeterHolder => {
  const { HERMES_KANBAN_TASK: task, HERMES_KANBAN_BOARD: board } = job?.env ?? {}
  return { profile, ...(task && { task }), ...(task && board && { board }) }
}

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
    const { home, paths, install, configs, walls, warn } = this.#options
    const profile = job?.profile ?? profileOfSlot(slot) ?? null
    const dir = profile === null ? home : profileDir(home, profile)
    const wall = profile === null ? undefined : configs.wall(profile)
    const { gateway, secrets } = profile === null ? { gateway: null, secrets: {} } : configs.of(profile)
    const refused = profile !== null && wall !== undefined ? this.#wallProblem(profile, wall, job) : undefined
    // Nothing of the profile is in the script, as it may run as any user.
    if (refused !== undefined) return this.#refusal(slot, refused)
    if (profile !== null && wall === undefined) for (const line of closeSecretFiles(dir)) warn(line)
    const holder = profile === null ? undefined : holderIn(profile, job)
    const { variables, warnings } = this.#environment(slot, profile, { job, holder })
    for (const warning of warnings) warn(`${slot}: ${warning}`)
    const cwd = job?.cwd ?? dir
    const path = variables.find(({ name }) => name === 'PATH')?.value ?? ''
    const own = job === undefined ? gateway?.command : job.command
    const problem = this.#problem(profile, wall === undefined ? (own ?? null) : null, cwd, path)
    // The file .env of a walled profile is read by its own start only.
    const isFetched = Object.keys(secrets).length > 0 || wall !== undefined
    return runScript({
      slot,
      cwd,
      variables,
      command: this.#command(slot, profile, job, gateway),
      ...(problem !== undefined && { problem }),
      ...(isFetched && profile !== null && { fetch: this.#fetchProgram(slot, profile, secrets, wall && variables) }),
      ...(job === undefined && gateway !== null && { limits: gateway }),
      ...(job?.stdinFile !== undefined && { stdinFile: job.stdinFile }),
      notRunFile: wall === undefined ? below(paths.scanDir, slot, NOT_RUN_FILE) : NOWHERE,
      ...(walls.areWanted && wall === undefined && { umask: '027' }),
      hint: profile === null ? `reinstall ${install}` : `set gateway.command in ${below(dir, 'config.yaml')}`,
    })
  }

  /** Why nothing of a walled profile may run. */
  #wallProblem(profile: string, { problem }: WallState, job: JobSpec | undefined): string | undefined {
    if (problem !== undefined) return `${profile}: ${problem}`
    // A job is not a slot of which init knows the profile: it would run as the runtime user.
    if (job !== undefined) return `${profile} is walled, and jobs of walled profiles do not run yet`
    return this.#options.configs.wallConflict(profile)
  }

  #refusal(slot: string, text: string): string {
    return runScript({
      slot,
      cwd: '/',
      variables: [],
      command: ['/bin/false'],
      problem: { text, exitCode: EXIT.configuration },
      notRunFile: NOWHERE,
      hint: '',
    })
  }

  /** Where the start of a slot records that its secrets are there. */
  secretsRecord(slot: string): string {
    return below(this.#options.paths.scanDir, slot, RECORD_FILE)
  }

  /** The program that tells which of these secrets have changed since the start of the slot's process. */
  secretsCheck(slot: string, { profile, secrets, pid, names }: SecretsCheck): CheckProgram {
    if (this.#options.configs.wall(profile) !== undefined) throw new Error(`${profile} is walled`)
    const { variables } = this.#environment(slot, profile, { secretNames: Object.keys(secrets) })
    return {
      command: [...this.#fetchProgram(slot, profile, secrets), `${pid}`, ...names],
      cwd: profileDir(this.#options.home, profile),
      env: Object.fromEntries(variables.map(({ name, value }) => [name, value])),
    }
  }

  /** @param given what a walled profile has already: its `.env` adds to that */
  #fetchProgram(
    slot: string,
    profile: string,
    secrets: Secrets,
    given?: SlotEnvironment['variables'],
  ): readonly string[] {
    const { home, install, paths } = this.#options
    const dir = profileDir(home, profile)
    const facts: SlotSecretsFacts = {
      slot,
      secrets,
      dir,
      configFile: below(dir, 'config.yaml'),
      recordFile: this.secretsRecord(slot),
      notRunFile: below(paths.scanDir, slot, NOT_RUN_FILE),
      ...(given && { walled: { keep: namesKept(given, secrets) } }),
    }
    return [...ownNode('slot-secrets', install), JSON.stringify(facts)]
  }

  #environment(
    slot: string,
    profile: string | null,
    {
      job,
      holder,
      secretNames,
    }: {
      readonly job?: JobSpec | undefined
      /** Absent: it is not a start, and gets no token. */
      readonly holder?: MeterHolder | undefined
      /** If they are others than those of config.yaml. */
      readonly secretNames?: readonly string[]
    },
  ): SlotEnvironment {
    const { home, paths, layout, install, identity, configs } = this.#options
    const dir = profile === null ? home : profileDir(home, profile)
    const config = profile === null ? undefined : configs.of(profile)
    const { gateway, secrets } = config ?? { gateway: null, secrets: {} }
    // Without its directory the slot cannot start anyway, and says so when its script is written.
    const token = (): string | undefined =>
      holder && unlessCode(['ENOENT'], () => issueToken(paths.scanDir, slot, holder), undefined)
    const container = this.#containerEnvironment()
    const isWalled = profile !== null && configs.wall(profile) !== undefined
    const dotEnv =
      isWalled || READ_NO_DOT_ENV.includes(slot) ? { variables: {}, warnings: [] } : readDotEnv(below(dir, '.env'))
    const { variables, warnings } = slotEnvironment({
      slot,
      profile,
      home,
      profileDir: dir,
      runDir: paths.runDir,
      user: isWalled ? { name: profile, home: below(dir, 'home') } : { name: identity.user, home: identity.home },
      path: [...(layout === 'image' ? ['/command'] : []), below(install, 'bin')],
      container,
      dotEnv: dotEnv.variables,
      gatewayEnv: job?.env ?? gateway?.env ?? {},
      secretNames: secretNames ?? Object.keys(secrets),
      metered: profile === null || config === undefined ? undefined : meteredAccess(profile, config.agent, token),
      supervisor: { HERMES_STOP_TIMEOUT: container.HERMES_STOP_TIMEOUT || DEFAULT_STOP_TIMEOUT_S },
    })
    return { variables, warnings: [...dotEnv.warnings, ...warnings] }
  }

  #problem(profile: string | null, own: readonly string[] | null, cwd: string, path: string): RunScript['problem'] {
    const wrongSecret = profile === null ? undefined : this.#options.configs.secretsProblem(profile)
    // Starting again would not help, and starting without it would hide the mistake.
    if (wrongSecret !== undefined) return { text: wrongSecret, exitCode: EXIT.configuration }
    const text = own === null ? undefined : crlfIn(own, cwd, path)
    return text === undefined ? undefined : { text, exitCode: EXIT.cannotExecute }
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
