import { basename, join } from 'node:path'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import type { Clock } from '../../system/clock.ts'
import type { Native } from '../../system/native/native.ts'
import { type Lock, type LockEffect, type LockEvent, newLock, stepLock, type TryResult } from '../../volume/lock.ts'
import { LeaseFile, leave, obstacleOf } from './lease-file.ts'
import { VolumeLook } from './volume-look.ts'

/** Interval at which others check whether the volume is free. */
const LOOK_EVERY_MS = 1_000
/**
 * Interval at which a holder checks that its file still has its name. A container that has nothing to do wakes for it.
 * Others miss the file for longer before they make one (`MISSED_LOOKS`).
 */
const HOLDER_LOOKS_EVERY_MS = 2_000
/** Time after which the first look reports that it waits. */
const SILENT_AFTER_MS = 5_000

export interface VolumeLockOptions {
  /** `$HERMES_HOME/run.lease` */
  readonly file: string
  /** Its place, as a path that nothing in the volume can redirect: `/proc/self/fd/N`, the opened home. */
  readonly dir: string
  readonly native: Pick<Native, 'tryLockLater'>
  readonly clock: Clock
  /** Owner of a new file; absent: unchanged. */
  readonly owner: Pick<RuntimeIdentity, 'uid' | 'gid'> | undefined
  readonly warn: (text: string) => void
}

export interface LockListener {
  /** Any change of state after the first. */
  readonly changed: (state: TryResult) => void
  /** The file was deleted or replaced, and we hold a new one, which names no container yet. */
  readonly renewed: () => void
}

type Perform = { readonly [K in LockEffect['type']]: (effect: Extract<LockEffect, { readonly type: K }>) => void }

/**
 * The lock on the volume: held by init, so that it outlives the supervisor, and free at once after a kill -9. It is
 * an OFD lock: it belongs to the open file description, which no child inherits. The runtime user can write the
 * file's directory, so the file is opened without following links and only locked, never read or written here.
 *
 * All of this uses the thread pool, one look at a time: a network mount that hangs delays neither signals nor reaping
 * nor the stop.
 */
export class VolumeLock {
  readonly #options: VolumeLockOptions
  readonly #file: LeaseFile
  readonly #look: VolumeLook
  #lock: Lock = newLock
  #listener: LockListener | undefined
  /** The locked file. */
  #fd: number | undefined
  /** The file before it was replaced: closed once a new one was tried, so that the volume is never without a lock. */
  #former: number | undefined
  #warned = false
  #opened = false
  #made = false
  #obstacle: string | undefined
  /** Afterwards, a foreign file in its place was put there while we ran. */
  #everHeld = false

  constructor(options: VolumeLockOptions) {
    this.#options = options
    const path = join(options.dir, basename(options.file))
    this.#file = new LeaseFile({ ...options, path })
    this.#look = new VolumeLook(options.dir, path)
  }

  /** False: the file cannot even be opened or made, so perhaps nothing can be written in the volume. */
  get opened(): boolean {
    return this.#opened
  }

  /** The file was not there at the last try, and this container made it: no other one uses the volume. */
  get made(): boolean {
    return this.#made
  }

  /**
   * The object in the file's place if it is not a lease, so that the volume's owner is unknown; the state is then
   * `busy`.
   */
  get obstacle(): string | undefined {
    return this.#obstacle
  }

  /**
   * Tries once, and looks again at intervals from then on, whether or not we hold the volume.
   * @returns the state then
   */
  async take(listener: LockListener): Promise<TryResult> {
    this.#listener = listener
    const { file, clock, warn } = this.#options
    const answered = clock.at(clock.nowMs() + SILENT_AFTER_MS, () =>
      warn(`${file}: the volume does not answer; the boot waits for it`),
    )
    const result = await this.#try(true)
    answered()
    this.#take({ type: 'tried', result })
    return result === 'vanished' ? 'busy' : result
  }

  #take(event: LockEvent): void {
    const [next, ...effects] = stepLock(this.#lock, event)
    this.#lock = next
    for (const effect of effects) this.#perform[effect.type](effect as never)
  }

  readonly #perform: Perform = {
    try: ({ make }) => {
      this.#former ??= this.#fd
      this.#fd = undefined
      void this.#try(make).then((result) => this.#take({ type: 'tried', result }))
    },
    'look-later': () => {
      const { clock } = this.#options
      const look = (): void => void this.#look.look(this.#fd).then((result) => this.#take({ type: 'seen', result }))
      const everyMs = this.#lock.at === 'held' ? HOLDER_LOOKS_EVERY_MS : LOOK_EVERY_MS
      clock.at(clock.nowMs() + everyMs, look, { coarse: true })
    },
    report: ({ state }) => this.#listener?.changed(state),
    replaced: ({ again }) => {
      const { file, warn } = this.#options
      if (this.#former !== undefined) leave(this.#former)
      this.#former = undefined
      if (!again) return warn(`${file} was replaced while we held it, and the new one is not ours`)
      warn(`${file} was removed or replaced while we held it; a new one is locked`)
      this.#listener?.renewed()
    },
  }

  /** @param make a file that is not there is made */
  async #try(make: boolean): Promise<TryResult | 'vanished'> {
    const { file, native } = this.#options
    let fd: number | undefined
    this.#obstacle = undefined
    this.#made = false
    try {
      const opened = await this.#file.open({ make, mustBeOurs: this.#everHeld })
      if (opened === undefined) return 'busy'
      fd = opened.fd
      this.#made = opened.made
      this.#opened = true
      const lock = opened.isLocked ? 'held' : await native.tryLockLater(fd)
      if (lock === 'unsupported') this.#warn(`${file}: no file locks here; a counter in it takes their place`)
      // The former holder may have deleted it. A lock on a file that no other container can find is worthless.
      if (lock === 'held' && !(await this.#file.isInPlace(fd))) return 'vanished'
      // A file that another container has just made has a second name for a moment, and is locked then.
      if (lock !== 'busy') await this.#file.refuseSecondName(fd)
      if (lock === 'held') {
        this.#fd = fd
        this.#look.forget()
        this.#everHeld = true
        fd = undefined
      }
      return lock
    } catch (error) {
      const what = obstacleOf(error)
      if (what !== undefined) {
        this.#obstacle = `${file} is ${what}`
        return 'busy'
      }
      this.#warn(`${file} cannot be locked: ${(error as Error).message}; a counter in it takes the lock's place`)
      return 'unsupported'
    } finally {
      if (fd !== undefined) leave(fd)
    }
  }

  #warn(text: string): void {
    if (!this.#warned) this.#options.warn(text)
    this.#warned = true
  }
}
