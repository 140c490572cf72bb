import {
  type ConfigProblem,
  configProblemText,
  configSignature,
  isDispatchersProblem,
  loadConfig,
  type ProfileConfig,
} from '../../profile/config/config.ts'
import { below, profileDir } from '../../system/paths.ts'

interface Known {
  readonly signature: string
  readonly config: ProfileConfig
  readonly problems: readonly ConfigProblem[]
}

/** Every profile's config.yaml as it is at that moment, read again only when it has changed. */
export class ProfileConfigs {
  readonly #home: string
  readonly #warn: (text: string) => void
  readonly #known = new Map<string, Known>()

  constructor(home: string, warn: (text: string) => void) {
    this.#home = home
    this.#warn = warn
  }

  /** Costs one stat where the file has not changed. What is wrong with it is said when it is read. */
  of(profile: string): ProfileConfig {
    const file = below(profileDir(this.#home, profile), 'config.yaml')
    const signature = configSignature(file)
    const known = this.#known.get(profile)
    if (known?.signature === signature) return known.config
    const { config, problems } = loadConfig(file)
    this.#known.set(profile, { signature, config, problems })
    for (const problem of problems) if (!isDispatchersProblem(problem)) this.#warn(configProblemText(problem))
    return config
  }

  /** What was wrong with it when it was read last. */
  problems(profile: string): readonly string[] {
    return this.#known.get(profile)?.problems.map(configProblemText) ?? []
  }

  forget(profile: string): void {
    this.#known.delete(profile)
  }
}
