import { lstatSync, opendirSync } from 'node:fs'
import type { RuntimeIdentity, ToInit } from '../protocol/init.ts'
import type { Clock } from '../system/clock.ts'
import { below, profileDir } from '../system/paths.ts'

/** What a repair may take before a start goes on without it. */
const PATIENCE_MS = 10_000
/** Entries of a profile's directory that are looked at: its settings and state are among the first. */
const LOOKED_AT = 200

export interface OwnershipOptions {
  readonly home: string
  readonly identity: Pick<RuntimeIdentity, 'uid'>
  /** init is root and can give files back. */
  readonly dropped: boolean
  readonly clock: Clock
  readonly send: (message: ToInit) => void
}

/** Profiles that root has made or touched while the container ran (`sudo mkdir`, `docker cp`): init gives them back before a start. */
export class Ownership {
  readonly #o: OwnershipOptions
  #waiting: PromiseWithResolvers<void> | undefined

  constructor(options: OwnershipOptions) {
    this.#o = options
  }

  /** Resolves when the profile's files are the runtime user's, or that was tried. */
  async ensure(profile: string): Promise<void> {
    const { home, identity, dropped, clock, send } = this.#o
    if (!dropped || !isForeign(profileDir(home, profile), identity.uid)) return
    this.#waiting ??= Promise.withResolvers<void>()
    const late = Promise.withResolvers<void>()
    const cancel = clock.at(clock.nowMs() + PATIENCE_MS, late.resolve)
    send({ type: 'repair' })
    await Promise.race([this.#waiting.promise, late.promise])
    cancel()
  }

  /** init has done what it can. */
  repaired(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

/** Something in the directory, or itself, belongs to another user. */
function isForeign(dir: string, uid: number): boolean {
  const isOthers = (path: string): boolean => {
    const status = lstatSync(path, { throwIfNoEntry: false })
    return status !== undefined && !status.isSymbolicLink() && status.uid !== uid
  }
  try {
    if (isOthers(dir)) return true
    const entries = opendirSync(dir)
    try {
      for (let i = 0; i < LOOKED_AT; i++) {
        const entry = entries.readSync()
        if (entry === null) return false
        if (isOthers(below(dir, entry.name))) return true
      }
      return false
    } finally {
      entries.closeSync()
    }
  } catch {
    // EACCES: not ours to look into. Anything else the start itself meets, and names.
    return true
  }
}
