import { statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { LogPlace } from '../../log/io/log-file.ts'
import { defaultConfig } from '../../profile/config/config.ts'
import { DEFAULT_PROFILE } from '../../profile/names.ts'
import type { JobSpec } from '../../protocol/control.ts'
import { type ServiceRules, serviceOfSlot } from '../../services/definition.ts'
import type { Slot } from '../../slot/slot.ts'
import type { DirId } from '../../system/files/dir-id.ts'
import { dirId } from '../../system/files/dir-id.ts'
import { below, profileDir, profileOfSlot, slotLogDir } from '../../system/paths.ts'
import { gatewayLaunch, jobLaunch, type Launch, serviceLaunch } from './launch.ts'
import { ProfileConfigs } from './profile-configs.ts'
import type { ProfileWalls } from './profile-walls.ts'
import { type CheckProgram, isHelper, type SecretsCheck, SlotScripts, type SlotScriptsOptions } from './slot-scripts.ts'

/** Destination of a slot's log lines. */
export interface SlotLogPlace extends LogPlace {
  /** Copied to the container's stdout. */
  readonly toConsole: boolean
}

export interface LauncherOptions extends Omit<SlotScriptsOptions, 'configs'> {
  readonly walls: ProfileWalls
  /** The rules of a service the image defines. */
  readonly service: (name: string) => ServiceRules | undefined
}

/** A job's log; one archive is kept besides (docs/kanban.md). */
const JOB_LOG_BYTES = 2 * 1024 * 1024

/** Determines from a slot's name what to run and how, from the files at that moment. */
export class Launcher {
  readonly #options: LauncherOptions
  readonly #configs: ProfileConfigs
  readonly #scripts: SlotScripts
  readonly #blank = defaultConfig()

  constructor(options: LauncherOptions) {
    this.#options = options
    this.#configs = new ProfileConfigs(options.home, options.walls, options.warn)
    this.#scripts = new SlotScripts({ ...options, configs: this.#configs })
  }

  /** The rules of a slot. Costs one stat where config.yaml has not changed. */
  launch(slot: string, job?: JobSpec): Launch {
    if (job !== undefined) return jobLaunch(this.#blank.gateway, job)
    const service = this.#serviceOf(slot)
    if (service !== undefined) return serviceLaunch(service)
    const profile = profileOfSlot(slot)
    const { gateway, secrets } = profile === undefined ? this.#blank : this.#configs.of(profile)
    const watch = profile === undefined ? null : this.#watched(profile, gateway.watch)
    return gatewayLaunch(
      { ...gateway, watch },
      {
        announces: profile === undefined ? isHelper(slot) : gateway.command === null,
        hasFinish: this.#hasFinish(slot),
        // Fetched by its own start. The supervisor runs no command of it, not even to look whether one has changed.
        secrets: this.isWalled(slot) ? {} : secrets,
      },
    )
  }

  /** Its profile is walled: init must start it as the profile's own user. */
  isWalled(slot: string): boolean {
    const profile = profileOfSlot(slot)
    const wall = profile === undefined ? undefined : this.#configs.wall(profile)
    return wall !== undefined && !(wall.problem !== undefined && wall.isNew)
  }

  /** init itself has this program of the slot; no script of ours is run. */
  isOfInit(slot: string, program: 'run' | 'finish'): boolean {
    return serviceOfSlot(slot) !== undefined || (slot === 'dashboard' && program === 'run')
  }

  /** @throws RangeError for arguments that cannot be passed to a shell */
  script(slot: string, job?: JobSpec): string {
    return this.#scripts.run(slot, job)
  }

  finishScript(slot: string, ending: Slot['lastEnding']): string {
    return this.#scripts.finish(slot, ending)
  }

  /** Where the start of a slot records that its secrets are there. */
  secretsRecord(slot: string): string {
    return this.#scripts.secretsRecord(slot)
  }

  /** The program that tells which of these secrets have changed since the start of the slot's process. */
  secretsCheck(slot: string, check: SecretsCheck): CheckProgram {
    return this.#scripts.secretsCheck(slot, check)
  }

  /** Which directory a profile's slot would be started in now. */
  directory(slot: string): DirId | undefined {
    const profile = profileOfSlot(slot)
    return profile === undefined ? undefined : dirId(profileDir(this.#options.home, profile))
  }

  /** Tells whether the name alone determines the program: a profile's gateway or a helper. */
  isKnown(slot: string): boolean {
    return profileOfSlot(slot) !== undefined || isHelper(slot) || this.#serviceOf(slot) !== undefined
  }

  logPlace(slot: string, job?: JobSpec): SlotLogPlace {
    if (job !== undefined) {
      const { logFile } = job
      return { maxBytes: JOB_LOG_BYTES, archives: 1, dir: dirname(logFile), name: basename(logFile), toConsole: false }
    }
    const { logging } = this.#configs.of(profileOfSlot(slot) ?? 'default')
    return { ...logging, dir: slotLogDir(this.#options.home, slot), toConsole: true }
  }

  /** Problems of a profile's config.yaml, as of the last start. */
  problems(profile: string): readonly string[] {
    return this.#configs.problems(profile)
  }

  /** Tells whether its gateway is the user's own program, or the built-in one with an agent. */
  answers(profile: string): boolean {
    const { gateway, agent } = this.#configs.of(profile)
    return gateway.command !== null || agent.command !== null || agent.openai !== null
  }

  /** Whether a profile's settings, as far as they were read, need the meter. */
  get metersAny(): boolean {
    return this.#configs.metersAny
  }

  /** Whether the default profile has targets of notifications. Costs one stat where config.yaml has not changed. */
  get notifies(): boolean {
    return this.#configs.of(DEFAULT_PROFILE).notify.length > 0
  }

  /** Likewise of targets that get the lines of logs. */
  get forwards(): boolean {
    return this.#configs.of(DEFAULT_PROFILE).forward.length > 0
  }

  forget(slot: string): void {
    const profile = profileOfSlot(slot)
    if (profile !== undefined) this.#configs.forget(profile)
  }

  #serviceOf(slot: string): ServiceRules | undefined {
    const name = serviceOfSlot(slot)
    return name === undefined ? undefined : this.#options.service(name)
  }

  #watched(profile: string, paths: readonly string[] | null): readonly string[] | null {
    const dir = profileDir(this.#options.home, profile)
    const holdsProfile = (path: string): boolean => path === dir || dir.startsWith(`${path}/`)
    const found = paths?.map((path) => resolve(dir, path)) ?? null
    for (const path of found?.filter(holdsProfile) ?? [])
      this.#options.warn(
        `${below(dir, 'config.yaml')}: gateway.watch: ${path} is not watched, because Hermes writes its own files there; name files or directories below it`,
      )
    return found?.filter((path) => !holdsProfile(path)) ?? null
  }

  #hasFinish(slot: string): boolean {
    const stat = statSync(below(this.#options.paths.scanDir, slot, 'finish'), { throwIfNoEntry: false })
    return stat?.isFile() === true && (stat.mode & 0o111) !== 0
  }
}
