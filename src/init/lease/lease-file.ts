import {
  close,
  constants,
  fchown,
  fstat,
  link,
  linkSync,
  lstatSync,
  open,
  openSync,
  type Stats,
  unlink,
  unlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import type { Native } from '../../system/native/native.ts'
import { orAsRuntimeUserLater } from '../facts/as-runtime-user.ts'
import { lookAt, lookThrough } from './volume-look.ts'

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
const MODE = 0o644
const OPEN_FLAGS = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY

export interface LeaseFileOptions {
  /** A path that nothing in the volume can redirect. */
  readonly path: string
  readonly native: Pick<Native, 'tryLockLater'>
  /** Owner of a new file; absent: unchanged. */
  readonly owner: Pick<RuntimeIdentity, 'uid' | 'gid'> | undefined
}

export interface OpenedLease {
  readonly fd: number
  /** It was not there, and this container made it. */
  readonly made: boolean
  /** It is new, and was locked before it had its name. */
  readonly isLocked: boolean
}

/** Opens or makes the lease's file, in the thread pool. The runtime user can put anything in its place. */
export class LeaseFile {
  readonly #options: LeaseFileOptions

  constructor(options: LeaseFileOptions) {
    this.#options = options
  }

  /**
   * @param make a file that is not there is made
   * @param mustBeOurs refuses a file of another uid. Before we have held one, the volume's own may belong to another
   * runtime user: the repair corrects that.
   * @returns undefined: it is not there
   * @throws an error of the file system, or one for an object that is not a lease ({@link obstacleOf})
   */
  async open({ make, mustBeOurs }: { make: boolean; mustBeOurs: boolean }): Promise<OpenedLease | undefined> {
    const { owner, path } = this.#options
    const existing = await orAsRuntimeUserLater(owner, openLater(path, OPEN_FLAGS), () =>
      openSync(path, OPEN_FLAGS),
    ).catch(unlessGone)
    if (existing === undefined && !make) return undefined
    const opened = existing === undefined ? await this.#create() : { fd: existing, made: false, isLocked: false }
    const what = this.#whatElse(await promisify(fstat)(opened.fd), mustBeOurs)
    if (what !== undefined) {
      leave(opened.fd)
      throw new NoLease(what)
    }
    return opened
  }

  /** @throws an error if the file has a second name */
  async refuseSecondName(fd: number): Promise<void> {
    if ((await promisify(fstat)(fd)).nlink > 1) throw new NoLease('a file with several names')
  }

  /** Whether the opened file still has its name. */
  async isInPlace(fd: number): Promise<boolean> {
    const { owner, path } = this.#options
    const ours = await lookThrough(fd)
    const there = await orAsRuntimeUserLater(owner, lookAt(path), () => lstatSync(path, { bigint: true })).catch(
      unlessGone,
    )
    return there !== undefined && there.dev === ours.dev && there.ino === ours.ino
  }

  /** Reason why it is not a lease. */
  #whatElse(status: Stats, mustBeOurs: boolean): string | undefined {
    const { owner } = this.#options
    if (!status.isFile()) return 'not a regular file'
    const isForeign = owner !== undefined && mustBeOurs && status.uid !== owner.uid
    return isForeign ? `a file of uid ${status.uid}` : undefined
  }

  /**
   * Makes the file. It is locked before it has its name: a container that waits would else find it between the two, and
   * lock it first. The supervisor writes into it before the volume is repaired, so it gets its owner here. An existing
   * file keeps its own.
   */
  async #create(): Promise<OpenedLease> {
    const { owner, native, path } = this.#options
    const scratch = join(dirname(path), `.${basename(path)}.new`)
    let fd: number | undefined
    try {
      fd = await this.#make(scratch)
      const lock = await native.tryLockLater(fd)
      await orAsRuntimeUserLater(owner, promisify(link)(scratch, path), () => linkSync(scratch, path))
      return { fd, made: true, isLocked: lock === 'held' }
    } catch (error) {
      if (fd !== undefined) leave(fd)
      const { code } = error as NodeJS.ErrnoException
      // Another process has just made it, or there are no hard links here.
      if (code === 'EEXIST' || NO_HARD_LINKS.has(code ?? '')) return await this.#makeOrOpen()
      throw error
    } finally {
      if (fd !== undefined)
        await orAsRuntimeUserLater(owner, promisify(unlink)(scratch), () => unlinkSync(scratch)).catch(unlessGone)
    }
  }

  async #makeOrOpen(): Promise<OpenedLease> {
    const { path } = this.#options
    try {
      return { fd: await this.#make(path), made: true, isLocked: false }
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
      const other = isThere ? await openLater(path, OPEN_FLAGS).catch(unlessGone) : undefined
      if (other !== undefined) return { fd: other, made: false, isLocked: false }
      throw error
    }
  }

  async #make(path: string): Promise<number> {
    const { owner } = this.#options
    const flags = OPEN_FLAGS | O_CREAT | O_EXCL
    const fd = await orAsRuntimeUserLater(owner, openLater(path, flags), () => openSync(path, flags, MODE))
    if (owner !== undefined && (await promisify(fstat)(fd)).uid !== owner.uid)
      await promisify(fchown)(fd, owner.uid, owner.gid)
    return fd
  }
}

/** Closes a file. close(2) may wait for a network mount, too; its result does not matter here. */
export const leave = (fd: number): void => close(fd, () => undefined)

/** The object in the file's place, if that is why it could not be opened: "a directory", "a file of uid 0". */
export const obstacleOf = (error: unknown): string | undefined =>
  error instanceof NoLease ? error.message : NO_LEASE[(error as NodeJS.ErrnoException).code ?? '']

/** The opened file is not a lease. */
class NoLease extends Error {}

/** Reasons for which open(2) refuses a file that is not a lease. ENXIO: a socket, or a device without a driver. */
const NO_LEASE: Readonly<Record<string, string>> = {
  ELOOP: 'a symbolic link, which is not followed',
  EISDIR: 'a directory',
  ENXIO: 'not a regular file',
}

/** link(2) on file systems without hard links (FAT, some network mounts). */
const NO_HARD_LINKS = new Set(['EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

const openLater = (path: string, flags: number): Promise<number> => promisify(open)(path, flags, MODE)

function unlessGone(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
