import { renameSync, writeFileSync } from 'node:fs'
import type { Level } from '../../system/level.ts'
import { profileOfSlot } from '../../system/paths.ts'
import type { UidRange } from '../../walls/range.ts'
import { WALLS_FILE } from '../../walls/record.ts'
import type { Home } from '../boot/home.ts'
import { setprivPrefix } from '../facts/identity.ts'
import { ROOT_ENV } from '../facts/root-environment.ts'
import type { Processes } from '../processes/processes.ts'

/** The longest answer: what names 4,096 profiles stays below. */
const MAX_CHARS = 1_000_000

export interface ProfileWallsOptions {
  readonly home: string
  readonly homeId: Home['id']
  /** The runtime user. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Absent: HERMES_PROFILE_UIDS is not set, or walls cannot be had here. */
  readonly range: UidRange | undefined
  readonly processes: Pick<Processes, 'output'>
  /** The program that looks: Node and walls.cjs. */
  readonly program: readonly string[]
  /** Where root's commands find who runs as whom. */
  readonly file: string
  readonly log: (level: Level, text: string) => void
}

/** Result of bin/walls.ts. Of our own program: its shape is not checked. */
interface Look {
  readonly uids: Readonly<Record<string, number>>
  readonly refused: Readonly<Record<string, string>>
  readonly problem?: string
  readonly line?: string
  readonly isClean: boolean
}

/**
 * Who runs as whom: init's own answer, from its own look at the record. The supervisor can ask for a look, and for
 * nothing else.
 */
export class ProfileWalls {
  readonly #options: ProfileWallsOptions
  #known: Readonly<Record<string, number>> = {}
  #refused: Readonly<Record<string, string>> = {}
  /** Why it is not known who is walled. */
  #blind: string | undefined = 'the walls have not been looked at yet'
  #looking: Promise<unknown> = Promise.resolve()

  constructor(options: ProfileWallsOptions) {
    this.#options = options
  }

  /**
   * Looks again: gives the profiles of the record their files, and everything else to the runtime user.
   * @param takeDown a profile whose wall goes
   */
  look(takeDown?: string): Promise<void> {
    // One after the other: two of them would give the same files at the same time.
    const look = this.#looking.then(() => this.#look(takeDown))
    this.#looking = look
    return look
  }

  /**
   * How the program of this slot is dropped; undefined: like all others, to the runtime user.
   * @param isAsked the supervisor says that its profile is walled
   * @throws Error saying why it must not be started
   */
  async userOf(slot: string, isAsked: boolean): Promise<WalledUser | undefined> {
    const profile = profileOfSlot(slot)
    if (profile === undefined || profile === 'default') {
      if (isAsked) throw new Error('no process of a walled profile runs in this slot')
      return undefined
    }
    if (isAsked && this.#problem(profile) === undefined && this.#uidOf(profile) === undefined) await this.look()
    const problem = this.#problem(profile)
    if (problem !== undefined) throw new Error(`${profile} is walled: ${problem}`)
    const uid = this.#uidOf(profile)
    if (uid !== undefined) return walledUser(uid)
    if (isAsked) throw new Error(`${profile} is to be walled, and ${WALLS_FILE} does not have it`)
    return undefined
  }

  /** @returns why the wall is still there */
  async takeDown(profile: string): Promise<string | undefined> {
    await this.look(profile)
    if (this.#blind !== undefined) return this.#blind
    return this.#uidOf(profile) === undefined ? this.#problem(profile) : `${WALLS_FILE} still has it`
  }

  #uidOf(profile: string): number | undefined {
    return Object.hasOwn(this.#known, profile) ? this.#known[profile] : undefined
  }

  #problem(profile: string): string | undefined {
    return this.#blind ?? (Object.hasOwn(this.#refused, profile) ? this.#refused[profile] : undefined)
  }

  async #look(takeDown: string | undefined): Promise<void> {
    const { home, homeId, owner, range, processes, program, log } = this.#options
    const facts = {
      home,
      ...owner,
      id: [String(homeId.dev), String(homeId.ino)],
      known: this.#known,
      ...(range && { range }),
      ...(takeDown !== undefined && { takeDown }),
    }
    try {
      const command = [...program, JSON.stringify(facts)]
      const { text, ending } = await processes.output(command, { env: ROOT_ENV, stderr: 2, maxChars: MAX_CHARS })
      if (!('exitCode' in ending) || ending.exitCode !== 0) throw new Error(JSON.stringify(ending))
      this.#take(JSON.parse(text) as Look, takeDown)
    } catch (error) {
      this.#blind = `the program that looks at ${WALLS_FILE} failed: ${(error as Error).message}`
      log('error', this.#blind)
    }
  }

  #take({ uids, refused, problem, line, isClean }: Look, takeDown: string | undefined): void {
    const { log, home } = this.#options
    const before = Object.entries(this.#known).filter(([name]) => name !== takeDown)
    // An id that was given stays given: processes of it may live.
    this.#known = { ...Object.fromEntries(before), ...uids }
    this.#refused = refused
    this.#blind = undefined
    if (line !== undefined) log(isClean ? 'info' : 'warn', line)
    if (problem !== undefined)
      log(
        'error',
        `${home}/${WALLS_FILE} cannot be used: ${problem}. No walled gateway starts; correct it, or restore it`,
      )
    this.#write()
  }

  /** Complete or not at all: a root command reads it at any time. */
  #write(): void {
    const { file, log } = this.#options
    try {
      writeFileSync(`${file}.new`, `${JSON.stringify(this.#known)}\n`, { mode: 0o644 })
      renameSync(`${file}.new`, file)
    } catch (error) {
      log('warn', `cannot write ${file}: ${(error as Error).message}; hermes -p NAME cannot become a walled profile`)
    }
  }
}

/** How a program of a walled profile is started. */
export interface WalledUser {
  readonly uid: number
  readonly prefix: readonly string[]
}

/** Never with more rights, whatever HERMES_ALLOW_NEW_PRIVS says: in no group but its own. */
const walledUser = (uid: number): WalledUser => ({
  uid,
  prefix: setprivPrefix({ uid, gid: uid, groups: [] }, ['--no-new-privs', '--bounding-set=-all']),
})
