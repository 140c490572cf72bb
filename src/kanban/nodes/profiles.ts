/** The profiles that a tick knows: those on disk, and with a shared board those of other nodes. */
import { join } from 'node:path'
import { loadConfig, type ProfileConfig } from '../../profile/config/config.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import { profileDir } from '../../system/paths.ts'
import { defaultOf, type Node } from '../port/nodes.ts'
import type { KnownProfile } from '../tick.ts'

/**
 * Profiles by the names that they have on the board. A profile's config.yaml is read only on demand: a board of one
 * profile does not pay for a hundred.
 */
export class Profiles {
  readonly #home: string
  readonly #onDisk: ReadonlySet<string>
  readonly #nodes: readonly Node[]
  readonly #own: Node | undefined
  /** The owner of each name, on a shared board. */
  readonly #owners: ReadonlyMap<string, Node>
  readonly #known = new Map<string, ProfileConfig>()
  #sorted: readonly string[] | undefined
  #pools: ReadonlyMap<string, string> | undefined

  /** @param nodes that share the board; none: it is this installation's alone */
  constructor(home: string, nodes: readonly Node[] = []) {
    this.#home = home
    this.#onDisk = new Set(listProfiles(home).profiles.map(({ name }) => name))
    this.#nodes = nodes
    this.#own = nodes.find(({ own }) => own)
    this.#owners = new Map(nodes.flatMap((node) => node.profiles.map((name) => [name, node] as const)))
  }

  /** Names on disk. */
  get onDisk(): readonly string[] {
    return [...this.#onDisk]
  }

  /** Names on the board of the profiles on disk, in order; another node may have some of them. */
  names(): readonly string[] {
    this.#sorted ??= this.onDisk.map((name) => this.onBoard(name)).sort()
    return this.#sorted
  }

  /** Names on disk that another node has on the board, with that node. */
  get taken(): readonly { readonly name: string; readonly node: Node }[] {
    return this.onDisk.flatMap((name) => {
      const node = this.#owners.get(name)
      return name === 'default' || node === undefined || node === this.#own ? [] : [{ name, node }]
    })
  }

  /** The pool of each profile of this installation that is in one, by its name on the board. */
  pools(): ReadonlyMap<string, string> {
    this.#pools ??= new Map(
      this.names().flatMap((name) => {
        const pool = this.#isOurs(name) ? this.config(name).agent.pool : null
        return pool === null ? [] : [[name, pool] as const]
      }),
    )
    return this.#pools
  }

  poolOf(name: string): string | undefined {
    const owner = this.#owners.get(name)
    if (owner !== undefined && owner !== this.#own)
      return Object.hasOwn(owner.pools, name) ? owner.pools[name] : undefined
    return this.#isOurs(name) ? (this.config(name).agent.pool ?? undefined) : undefined
  }

  /** Profiles of this installation with a pool, as far as their config.yaml was read. */
  get readPools(): readonly (readonly [name: string, pool: string])[] {
    return [...this.#known].flatMap(([name, { agent }]) => (agent.pool === null ? [] : [[name, agent.pool] as const]))
  }

  /**
   * The nodes do not know yet which profiles this one has.
   * @param hasPools their pools matter, too
   */
  isNews(hasPools: boolean): boolean {
    const own = this.#own
    if (own === undefined) return false
    if (hasPools && !isSame(this.pools(), new Map(Object.entries(own.pools)))) return true
    const gone = own.profiles.some((name) => !this.#onDisk.has(this.#onDiskName(name)))
    const names = new Set(own.profiles.map((name) => this.#onDiskName(name)))
    return gone || this.onDisk.some((name) => !names.has(name) && (name === 'default' || !this.#owners.has(name)))
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  get(name: string): KnownProfile | undefined {
    const owner = this.#owners.get(name)
    if (owner !== undefined && owner !== this.#own)
      return { elsewhere: { node: owner.name, isLive: owner.state === 'live', silentMs: owner.silentMs } }
    if (!this.#isOurs(name)) return undefined
    const { command, openai } = this.config(name).agent
    return { agent: command !== null || openai !== null }
  }

  /** It is on this disk, and no other node has it. */
  #isOurs(name: string): boolean {
    const owner = this.#owners.get(name)
    const isFree = this.#nodes.length === 0 || this.#own === undefined
    return (owner === undefined ? isFree : owner === this.#own) && this.#onDisk.has(this.#onDiskName(name))
  }

  /** The name on the board of a profile that this installation names so. */
  onBoard(name: string): string {
    const own = this.#own
    if (name !== 'default' || own === undefined || own.profiles.includes('default')) return name
    return defaultOf(own.name)
  }

  /** The name of the profile's directory. */
  directory(name: string): string {
    return this.#onDiskName(name)
  }

  config(name: string): ProfileConfig {
    const directory = this.#onDiskName(name)
    const known = this.#known.get(directory)
    if (known) return known
    const { config } = loadConfig(join(profileDir(this.#home, directory), 'config.yaml'))
    this.#known.set(directory, config)
    return config
  }

  /** `default@NAME`, where NAME is this node, is the default profile. */
  #onDiskName(name: string): string {
    return this.#own !== undefined && name === defaultOf(this.#own.name) ? 'default' : name
  }
}

const isSame = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean =>
  a.size === b.size && [...a].every(([name, pool]) => b.get(name) === pool)
