import { accessSync, constants } from 'node:fs'
import type { ToInit } from '../../protocol/init.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { below, profileDir } from '../../system/paths.ts'

/** Time limit of a repair, after which a start proceeds without it. */
const REPAIR_TIMEOUT_MS = 10_000
const { R_OK, W_OK, X_OK } = constants

export interface OwnershipOptions {
  readonly home: string
  /** init is root and can give files back. */
  readonly dropped: boolean
  readonly clock: Clock
  /** Its files are to be another user's. */
  readonly isWalled: (profile: string) => boolean
  readonly send: (message: ToInit) => void
}

/**
 * Profiles that root has made or touched while the container ran (`sudo mkdir`, `docker cp`): init gives them back
 * before a start.
 */
export class Ownership {
  readonly #options: OwnershipOptions
  #waiting: PromiseWithResolvers<void> | undefined

  constructor(options: OwnershipOptions) {
    this.#options = options
  }

  /** Resolves when the profile's files are the runtime user's, or that was tried. */
  async ensure(profile: string): Promise<void> {
    const { home, dropped, clock, isWalled, send } = this.#options
    if (!dropped || isWalled(profile) || !isOutOfReach(profileDir(home, profile))) return
    this.#waiting ??= Promise.withResolvers<void>()
    send({ type: 'repair' })
    await inTime(clock, REPAIR_TIMEOUT_MS, this.#waiting.promise)
  }

  /** init has done what it can. */
  repaired(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

const DIRECTORIES = ['memories', 'sessions', 'skills', 'workspace', 'cron', 'home', 'logs'] as const
const FILES = [
  'config.yaml',
  '.env',
  'auth.json',
  'SOUL.md',
  'desired_state',
  'gateway_state.json',
  'gateway.pid',
] as const

/**
 * Tells whether a gateway could not work there. Asks the kernel, as the runtime user: a mounted file of the host may
 * belong to another user and still be readable.
 */
const isOutOfReach = (dir: string): boolean =>
  isRefused(dir, W_OK | X_OK) ||
  DIRECTORIES.some((name) => isRefused(below(dir, name), W_OK | X_OK)) ||
  FILES.some((name) => isRefused(below(dir, name), R_OK))

function isRefused(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return false
  } catch (error) {
    // A missing file is not a refusal, and on a read-only mount nothing can be given back.
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}
