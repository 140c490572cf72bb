import {
  ConfigCache,
  configProblemText,
  isDispatchersProblem,
  isSecretsProblem,
  type ProfileConfig,
} from '../../profile/config/config.ts'
import { below, profileDir } from '../../system/paths.ts'
import { behindWall, type ProfileWalls, unsupported, type WallState } from './profile-walls.ts'

/** Every profile's current config.yaml, with what counts of it behind a wall. Problems are logged when it is read. */
export class ProfileConfigs {
  readonly #fileOf: (profile: string) => string
  readonly #cache
  readonly #walls: ProfileWalls
  #metersAny = false

  constructor(home: string, walls: ProfileWalls, warn: (text: string) => void) {
    this.#walls = walls
    this.#fileOf = (profile) => below(profileDir(home, profile), 'config.yaml')
    this.#cache = new ConfigCache((loaded) => {
      for (const problem of loaded.problems) if (!isDispatchersProblem(problem)) warn(configProblemText(problem))
      if (loaded.config.agent.metered) this.#metersAny = true
      return loaded
    })
  }

  of(profile: string): ProfileConfig {
    const config = this.#configOf(profile)
    const wall = this.wall(profile, config)
    return wall === undefined ? config : behindWall(config, wall)
  }

  /** The wall of a profile as of now. A new one is recorded; undefined: it is not walled. */
  wall(profile: string, config = this.#configOf(profile)): WallState | undefined {
    return this.#walls.of(profile, config.gateway)
  }

  /** The setting that a walled profile cannot have yet, and where it is. */
  wallConflict(profile: string): string | undefined {
    const key = unsupported(this.#configOf(profile))
    return key && `${this.#fileOf(profile)}: ${key} does not work behind a wall (gateway.user: own) yet; remove it`
  }

  #configOf(profile: string): ProfileConfig {
    return this.#cache.of(this.#fileOf(profile), this.#walls.isRecorded(profile) ? 'refused' : 'followed').config
  }

  /** A profile that was read in this life of the supervisor needs the meter; looking costs nothing. */
  get metersAny(): boolean {
    return this.#metersAny
  }

  /** Problems found at the last reading. */
  problems(profile: string): readonly string[] {
    return this.#cache.last(this.#fileOf(profile))?.problems.map(configProblemText) ?? []
  }

  /** Why no gateway can be started with the secrets of the profile. */
  secretsProblem(profile: string): string | undefined {
    const problem = this.#cache.last(this.#fileOf(profile))?.problems.find(isSecretsProblem)
    return problem && configProblemText(problem)
  }

  forget(profile: string): void {
    this.#cache.forget(this.#fileOf(profile))
  }
}
