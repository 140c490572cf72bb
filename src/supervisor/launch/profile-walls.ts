import { statSync } from 'node:fs'
import type { GatewayConfig, ProfileConfig } from '../../profile/config/config.ts'
import { DEFAULT_PROFILE } from '../../profile/names.ts'
import { readWalls } from '../../profile/walled.ts'
import type { SupervisorStart } from '../../protocol/start-up.ts'
import { unlessCode } from '../../system/error-code.ts'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { below, profileDir } from '../../system/paths.ts'
import { isIn } from '../../walls/range.ts'
import { freeUid, recordText, WALLS_FILE, type Wall, type Walls } from '../../walls/record.ts'

/** The knowledge of the supervisor about a walled profile. */
export type WallState =
  | { readonly wall: Wall; readonly problem?: undefined }
  /** It must not run. `isNew`: it was never walled, so its directory is like any other. */
  | { readonly problem: string; readonly isNew: boolean; readonly wall?: undefined }

export type ProfileWallsOptions = Pick<SupervisorStart, 'home' | 'identity' | 'profileUids'>

const FIRST_UIDS =
  'gateway.user: own needs HERMES_PROFILE_UIDS in the environment of the container, such as 20000-29999'

/**
 * The walls between profiles, as the supervisor sees them: it records the first start of each. init looks for itself
 * before it starts anything.
 */
export class ProfileWalls {
  readonly #options: ProfileWallsOptions
  #signature = ''
  #walls: Walls | string = new Map()

  constructor(options: ProfileWallsOptions) {
    this.#options = options
  }

  /** The container has ids for walls: what runs as the runtime user keeps its new files from others. */
  get areWanted(): boolean {
    return this.#options.profileUids !== undefined
  }

  /** Whether the record has it, or its directory is no longer the runtime user's. Costs a stat. */
  isRecorded(profile: string): boolean {
    const walls = this.#read()
    return typeof walls === 'string' ? this.#isForeign(profile) : walls.has(profile)
  }

  /** A profile that asks for a wall and has none is recorded. */
  of(profile: string, { user, essential, memoryLimitBytes }: GatewayConfig): WallState | undefined {
    if (profile === DEFAULT_PROFILE)
      return user === null ? undefined : newProblem('gateway.user: own is for profiles in profiles/, not for default')
    const walls = this.#read()
    const { profileUids } = this.#options
    if (typeof walls === 'string') {
      const problem = `${WALLS_FILE} cannot be used: ${walls}`
      if (this.#isForeign(profile)) return { problem, isNew: false }
      return user === null ? undefined : newProblem(problem)
    }
    const wall = walls.get(profile)
    const why =
      profileUids === undefined
        ? FIRST_UIDS
        : profileUids.obstacle && `no profile can be walled here: ${profileUids.obstacle}`
    if (wall !== undefined) return why === undefined ? { wall } : { problem: why, isNew: false }
    if (user === null) return undefined
    if (why !== undefined || profileUids === undefined) return newProblem(why ?? FIRST_UIDS)
    const uid = freeUid(profileUids, walls)
    if (uid === undefined) return newProblem('all ids of HERMES_PROFILE_UIDS are taken')
    const made: Wall = { uid, essential, memoryLimit: memoryLimitBytes }
    try {
      this.#write(new Map([...walls, [profile, made]]))
    } catch (error) {
      return newProblem(`cannot write ${below(this.#options.home, WALLS_FILE)}: ${(error as Error).message}`)
    }
    return { wall: made }
  }

  /** Takes a profile out of the record. @returns what it had; undefined: it was not in it */
  remove(profile: string): Wall | undefined {
    const walls = this.#read()
    const wall = typeof walls === 'string' ? undefined : walls.get(profile)
    if (wall === undefined || typeof walls === 'string') return undefined
    this.#write(new Map([...walls].filter(([name]) => name !== profile)))
    return wall
  }

  /** The wall could not be taken down. */
  restore(profile: string, wall: Wall): void {
    const walls = this.#read()
    if (typeof walls !== 'string') this.#write(new Map([...walls, [profile, wall]]))
  }

  #isForeign(profile: string): boolean {
    const { home, identity, profileUids } = this.#options
    const uid = unlessCode(
      ['EACCES', 'ELOOP'],
      () => statSync(profileDir(home, profile), { throwIfNoEntry: false })?.uid,
    )
    return (
      uid !== undefined && uid !== identity.uid && uid !== 0 && (profileUids === undefined || isIn(profileUids, uid))
    )
  }

  #read(): Walls | string {
    const { home } = this.#options
    const stat = statSync(below(home, WALLS_FILE), { throwIfNoEntry: false })
    const signature = stat === undefined ? 'none' : `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`
    if (signature !== this.#signature) {
      this.#walls = stat === undefined ? new Map() : readWalls(home)
      this.#signature = signature
    }
    return this.#walls
  }

  /** Durable: a wall that was forgotten in a power cut would be an open door. */
  #write(walls: Walls): void {
    replaceFileSync(below(this.#options.home, WALLS_FILE), recordText(walls), { mode: 0o600, durable: true })
  }
}

const newProblem = (problem: string): WallState => ({ problem, isNew: true })

/**
 * The settings of a walled profile that count. Its file is the text of another user: it decides nothing about the
 * container, and names no program that the supervisor runs.
 */
export function behindWall(config: ProfileConfig, { wall }: WallState): ProfileConfig {
  const { gateway } = config
  const { liveness, ready } = gateway
  return {
    ...config,
    gateway: {
      ...gateway,
      essential: wall?.essential ?? false,
      memoryLimitBytes: wall?.memoryLimit ?? null,
      liveness: liveness?.probe?.check.by === 'command' ? null : liveness,
      ready: ready.by === 'command' ? { by: 'auto' } : ready,
      watch: null,
    },
  }
}

/** The first key that does not work behind a wall. */
export function unsupported({ gateway, secrets, agent }: ProfileConfig): string | undefined {
  if (gateway.liveness?.probe?.check.by === 'command') return 'gateway.liveness: {command: …}'
  if (gateway.ready.by === 'command') return 'gateway.ready: {command: …}'
  if (gateway.watch !== null) return 'gateway.watch'
  if (agent.metered) return 'agent.meter, or a budget,'
  const refreshed = Object.entries(secrets).find(([, { refreshMs }]) => refreshMs !== undefined)
  return refreshed && `refresh of secrets.${refreshed[0]}`
}
