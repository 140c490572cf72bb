import { closeSync, constants, fchownSync, fstatSync, lstatSync, openSync } from 'node:fs'
import type { LeaseState, RuntimeIdentity } from '../protocol/init.ts'
import type { Cancel, Clock } from '../system/clock.ts'
import type { Native } from '../system/native.ts'
import { orAsRuntimeUser } from './as-runtime-user.ts'

const LOOK_EVERY_MS = 1_000
/** How often a holder looks whether its file still bears its name. */
const CHECK_EVERY_MS = 5_000
const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
const OPEN_FLAGS = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY

export interface LeaseOptions {
  /** `$HERMES_HOME/run.lease` */
  readonly file: string
  readonly native: Pick<Native, 'tryLock'>
  readonly clock: Clock
  /** Who a new file is given to; absent: nobody. */
  readonly owner: Pick<RuntimeIdentity, 'uid' | 'gid'> | undefined
  /** Any change of state after the first. */
  readonly changed: (state: LeaseState) => void
  readonly warn: (text: string) => void
}

/**
 * The lock on the volume: held by init, so that it outlives the supervisor, and free at once after a kill -9. It is an OFD lock:
 * it belongs to the open file description, which no child inherits. The file lies in a directory the runtime user can write, so
 * it is opened without following links and only locked, never read or written here.
 */
export class Lease {
  readonly #o: LeaseOptions
  #fd: number | undefined
  #state: LeaseState = 'busy'
  #look: Cancel | undefined
  #warned = false
  #opened = false
  #obstacle: string | undefined

  constructor(options: LeaseOptions) {
    this.#o = options
  }

  get state(): LeaseState {
    return this.#state
  }

  /** False: the file cannot even be opened or made, so perhaps nothing can be written in the volume. */
  get opened(): boolean {
    return this.#opened
  }

  /** What lies in the file's place and is no lease, so that nobody can tell whose the volume is; the state is then `busy`. */
  get obstacle(): string | undefined {
    return this.#obstacle
  }

  /** Tries once; while the volume is somebody else's, it looks again every second. @returns the state now */
  take(): LeaseState {
    this.#state = this.#try()
    if (this.#state === 'busy') this.#lookLater()
    if (this.#state === 'held') this.#checkLater()
    return this.#state
  }

  close(): void {
    this.#look?.()
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #lookLater(): void {
    const { clock, changed } = this.#o
    this.#look = clock.at(clock.nowMs() + LOOK_EVERY_MS, () => {
      this.#state = this.#try()
      if (this.#state === 'busy') {
        this.#lookLater()
        return
      }
      if (this.#state === 'held') this.#checkLater()
      changed(this.#state)
    })
  }

  /**
   * Somebody may delete or replace the file (`rm run.lease`, a restored backup): our lock is then on a file that nobody else finds,
   * and the next container would take the volume. So a new one is made and locked before that happens.
   */
  #checkLater(): void {
    const { clock, file, changed, warn } = this.#o
    this.#look = clock.at(clock.nowMs() + CHECK_EVERY_MS, () => {
      const held = this.#fd
      if (held === undefined) return
      if (this.#isStillOurs(held)) {
        this.#checkLater()
        return
      }
      this.#fd = undefined
      this.#state = this.#try()
      closeSync(held)
      if (this.#state === 'held') {
        warn(`${file} was removed or replaced while we held it; a new one is locked`)
        this.#checkLater()
        return
      }
      warn(`${file} was replaced while we held it, and the new one is not ours`)
      if (this.#state === 'busy') this.#lookLater()
      changed(this.#state)
    })
  }

  #try(): LeaseState {
    const { file, native } = this.#o
    let fd: number | undefined
    this.#obstacle = undefined
    try {
      fd = this.#open()
      this.#opened = true
      const lock = native.tryLock(fd)
      if (lock === 'unsupported') this.#warn(`${file}: no file locks here; a counter in it takes their place`)
      // Whoever held it may have deleted it: a lock on a file that nobody else can find would be worth nothing.
      if (lock === 'held' && !this.#isStillThere(fd)) return 'busy'
      if (lock === 'held') {
        this.#fd = fd
        fd = undefined
      }
      return lock
    } catch (error) {
      const what = error instanceof NoLease ? error.message : NO_LEASE[(error as NodeJS.ErrnoException).code ?? '']
      if (what !== undefined) {
        this.#obstacle = `${file} is ${what}`
        return 'busy'
      }
      this.#warn(`${file} cannot be locked: ${(error as Error).message}; a counter in it takes the lock's place`)
      return 'unsupported'
    } finally {
      if (fd !== undefined) closeSync(fd)
    }
  }

  #open(): number {
    const fd = orAsRuntimeUser(this.#o.owner, () => openExisting(this.#o.file) ?? this.#create())
    const status = fstatSync(fd)
    const what = status.isFile() ? (status.nlink > 1 ? 'a file with several names' : undefined) : 'not a regular file'
    if (what !== undefined) {
      closeSync(fd)
      throw new NoLease(what)
    }
    // The supervisor writes into it before the volume is repaired.
    const { owner } = this.#o
    if (owner !== undefined && status.uid !== owner.uid) fchownSync(fd, owner.uid, owner.gid)
    return fd
  }

  #create(): number {
    const { file } = this.#o
    try {
      return openSync(file, OPEN_FLAGS | O_CREAT | O_EXCL, 0o644)
    } catch (error) {
      // Somebody else has just made it.
      const other = (error as NodeJS.ErrnoException).code === 'EEXIST' ? openExisting(file) : undefined
      if (other !== undefined) return other
      throw error
    }
  }

  #isStillThere(fd: number): boolean {
    const { file, owner } = this.#o
    const ours = fstatSync(fd, { bigint: true })
    const there = orAsRuntimeUser(owner, () => lstatSync(file, { bigint: true, throwIfNoEntry: false }))
    return there !== undefined && there.dev === ours.dev && there.ino === ours.ino
  }

  #isStillOurs(fd: number): boolean {
    try {
      return this.#isStillThere(fd)
    } catch {
      return true // EIO, ESTALE: the volume does not answer, which says nothing about the file
    }
  }

  #warn(text: string): void {
    if (!this.#warned) this.#o.warn(text)
    this.#warned = true
  }
}

/** What was opened is none. */
class NoLease extends Error {}

/** Why open(2) refuses what is none. ENXIO: a socket, or a device without a driver. */
const NO_LEASE: Readonly<Record<string, string>> = {
  ELOOP: 'a symbolic link, which is not followed',
  EISDIR: 'a directory',
  ENXIO: 'not a regular file',
}

function openExisting(file: string): number | undefined {
  try {
    return openSync(file, OPEN_FLAGS)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
