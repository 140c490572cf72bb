import {
  ConfigCache,
  configProblemText,
  isDispatchersProblem,
  isSecretsProblem,
  type ProfileConfig,
} from '../../profile/config/config.ts'
import { below, profileDir } from '../../system/paths.ts'

/** Every profile's current config.yaml. Problems are logged when it is read. */
export class ProfileConfigs {
  readonly #fileOf: (profile: string) => string
  readonly #cache
  #metersAny = false

  constructor(home: string, warn: (text: string) => void) {
    this.#fileOf = (profile) => below(profileDir(home, profile), 'config.yaml')
    this.#cache = new ConfigCache((loaded) => {
      for (const problem of loaded.problems) if (!isDispatchersProblem(problem)) warn(configProblemText(problem))
      if (loaded.config.agent.metered) this.#metersAny = true
      return loaded
    })
  }

  of(profile: string): ProfileConfig {
    return this.#cache.of(this.#fileOf(profile)).config
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
