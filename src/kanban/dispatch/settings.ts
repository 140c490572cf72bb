/** Reads the board's settings and the profiles from the disk. */
import { join } from 'node:path'
import { type KanbanConfig, loadConfig, type ProfileConfig } from '../../profile/config/config.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import { profileDir } from '../../system/paths.ts'
import type { WrittenRules } from '../rules.ts'

const CAP_KEY = 'kanban.max_in_progress_per_profile'
const ASSIGNEE_KEY = 'kanban.default_assignee'

/** Values from the default profile's config.yaml; the dispatcher reports bad caps itself. */
export function readWrittenRules(
  home: string,
): WrittenRules & Pick<KanbanConfig, 'dispatchInGateway' | 'contextMaxBytes'> {
  const { config, problems } = loadConfig(join(home, 'config.yaml'))
  const cap = problems.find(({ key }) => key === CAP_KEY)
  const assignee = problems.find(({ key }) => key === ASSIGNEE_KEY)
  return {
    ...config.kanban,
    ...(cap === undefined ? {} : { maxInProgressPerProfile: cap.value }),
    // A number or a list there names no profile either.
    ...(assignee === undefined ? {} : { defaultAssignee: JSON.stringify(assignee.value) ?? '?' }),
  }
}

export interface AgentProfile {
  /** Something that does tasks is configured. */
  readonly agent: boolean
}

/**
 * Profiles on disk. A profile's config.yaml is read only on demand: a board of one profile does not pay for a
 * hundred.
 */
export class Profiles {
  readonly #home: string
  readonly #names: ReadonlySet<string>
  readonly #known = new Map<string, ProfileConfig>()

  constructor(home: string) {
    this.#home = home
    this.#names = new Set(listProfiles(home).profiles.map(({ name }) => name))
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  get(name: string): AgentProfile | undefined {
    if (!this.#names.has(name)) return undefined
    const { command, openai } = this.config(name).agent
    return { agent: command !== null || openai !== null }
  }

  config(name: string): ProfileConfig {
    const known = this.#known.get(name)
    if (known) return known
    const { config } = loadConfig(join(profileDir(this.#home, name), 'config.yaml'))
    this.#known.set(name, config)
    return config
  }
}
