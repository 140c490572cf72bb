/** Pools: profiles that share something scarce, and how many tasks may run on all of them at once. */
import { isRecord } from '../system/text/record.ts'

/** How many tasks may run at once in each pool. */
export type Pools = ReadonlyMap<string, number>

/** Caps of pools with what a write has to know of them. */
export interface PoolLimits {
  readonly caps: Readonly<Record<string, number>>
  /** The pool of each profile of this installation that is in one. A database knows those of other nodes. */
  readonly of: Readonly<Record<string, string>>
}

export const NO_POOLS: PoolLimits = { caps: {}, of: {} }

/**
 * Reads `kanban.pools`.
 * @param written from config.yaml or the board's settings, which another program may have written
 */
export function readPools(written: unknown): { readonly value: Pools; readonly warning?: string } {
  if (written === null || written === undefined) return { value: new Map() }
  const entries = isRecord(written) ? Object.entries(written) : undefined
  if (entries?.every(isCapacity)) return { value: new Map(entries) }
  const shown = (JSON.stringify(written) ?? String(written)).slice(0, 80)
  return { value: new Map(), warning: `invalid kanban.pools='${shown}'; ignoring` }
}

const isCapacity = (entry: [string, unknown]): entry is [string, number] =>
  Number.isSafeInteger(entry[1]) && Number(entry[1]) >= 1

/** A full pool, with the tasks that run in it. */
export interface FullPool {
  readonly pool: string
  readonly current: number
  readonly cap: number
}

/** The profiles of a tick. */
export interface PooledProfiles {
  /** `agent`: it has one, and is here. */
  get(name: string): { readonly agent?: boolean | undefined } | undefined
  /** Those that may be here, in the order of their names. */
  names(): readonly string[]
  /** `agent.pool` of a profile, here or on another node. */
  poolOf(name: string): string | undefined
}

/** Running tasks of each profile and pool, counted during a tick. */
export class Busy {
  readonly #profiles: PooledProfiles
  readonly #caps: Pools
  readonly #ofProfile = new Map<string, number>()
  readonly #ofPool = new Map<string, number>()
  total = 0

  constructor(profiles: PooledProfiles, caps: Pools) {
    this.#profiles = profiles
    this.#caps = caps
  }

  /** @param profile null: unassigned (set running by hand), which takes a place on the board, but none of a profile */
  add(profile: string | null): void {
    const name = profile ?? ''
    this.total += 1
    this.#ofProfile.set(name, this.of(name) + 1)
    const pool = this.#poolOf(name)
    if (pool !== undefined) this.#ofPool.set(pool, (this.#ofPool.get(pool) ?? 0) + 1)
  }

  of(profile: string): number {
    return this.#ofProfile.get(profile) ?? 0
  }

  /** The pool of a profile, if no further task may run in it. */
  fullPool(profile: string): FullPool | undefined {
    const pool = this.#poolOf(profile)
    const cap = pool === undefined ? undefined : this.#caps.get(pool)
    if (pool === undefined || cap === undefined) return undefined
    const current = this.#ofPool.get(pool) ?? 0
    return current < cap ? undefined : { pool, current, cap }
  }

  /**
   * The profile with an agent that has the fewest running tasks and room in its pool; the first by name of several.
   * @param isOut a profile that must not get any, although it has an agent
   * @returns a full pool: it alone keeps every profile with an agent from it; undefined: no profile has an agent
   */
  least(isOut: (profile: string) => boolean = () => false): string | FullPool | undefined {
    let found: string | undefined
    let full: FullPool | undefined
    let least = Number.POSITIVE_INFINITY
    for (const name of this.#profiles.names()) {
      const current = this.of(name)
      // In this order: whether there is an agent is in a file.
      if (current >= least || this.#profiles.get(name)?.agent !== true || isOut(name)) continue
      const pool = this.fullPool(name)
      if (pool !== undefined) {
        full ??= pool
        continue
      }
      found = name
      least = current
    }
    return found ?? full
  }

  /** Without pools, no profile is asked. */
  #poolOf(profile: string): string | undefined {
    if (this.#caps.size === 0) return undefined
    const pool = this.#profiles.poolOf(profile)
    return pool !== undefined && this.#caps.has(pool) ? pool : undefined
  }
}
