import { type BigIntStats, chmodSync, closeSync, constants, fstatSync, lchownSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { MAX_CHILDREN } from '../../protocol/init.ts'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import type { Native } from '../../system/native/native.ts'
import { orAsRuntimeUser } from '../facts/as-runtime-user.ts'

const { O_RDWR, O_WRONLY, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants

interface Held {
  readonly fd: number
  /** Its user; undefined: the runtime user. */
  user: { readonly uid: number } | undefined
  readonly dev: bigint
  readonly ino: bigint
}

export interface LogFifosOptions {
  /** A directory that only we can write, so that a FIFO cannot be replaced. */
  readonly dir: string
  readonly native: Pick<Native, 'mkfifo'>
  /** New owner of the FIFOs; absent: they stay ours. */
  readonly owner: Pick<RuntimeIdentity, 'uid' | 'gid'> | undefined
}

/**
 * One FIFO per slot, its only way out for stdout and stderr. init keeps each open for reading and writing, so what a
 * service has written waits there while services and supervisors come and go.
 */
export class LogFifos {
  readonly #options: LogFifosOptions
  readonly #held = new Map<string, Held>()

  constructor(options: LogFifosOptions) {
    this.#options = options
  }

  /**
   * @param user the child's user, if it is not ours: `> /dev/stdout` opens the FIFO again
   * @returns a write end for one child, with a separate open file description: O_NONBLOCK, which libuv clears for fds
   * 0 to 2 of the child, is a flag of the description
   * @throws Error if the path is not the FIFO that we made
   */
  openWriter(slot: string, user?: { readonly uid: number }): number {
    const held = this.#held.get(slot) ?? this.#make(slot, user)
    if (held.user?.uid !== user?.uid) this.#giveTo(slot, held, user)
    const fd = orAsRuntimeUser(this.#options.owner, () =>
      openSync(this.#path(slot), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY),
    )
    const found = fstatSync(fd, { bigint: true })
    if (found.isFIFO() && found.dev === held.dev && found.ino === held.ino) return fd
    closeSync(fd)
    throw new Error(`${this.#path(slot)} is not the FIFO that was made for it`)
  }

  remove(slot: string): void {
    const held = this.#held.get(slot)
    if (held === undefined) return
    this.#held.delete(slot)
    closeSync(held.fd)
    rmSync(this.#path(slot), { force: true })
  }

  #make(slot: string, user: { readonly uid: number } | undefined): Held {
    if (this.#held.size >= MAX_CHILDREN) throw new Error(`there are ${MAX_CHILDREN} log FIFOs already`)
    const path = this.#path(slot)
    const { native, owner } = this.#options
    rmSync(path, { force: true })
    native.mkfifo(path, 0o600)
    // O_RDWR never blocks on a FIFO (fifo(7)) and is reader and writer at once. Opened before it is given away:
    // afterwards that would need CAP_DAC_OVERRIDE.
    const fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY)
    let status: BigIntStats
    try {
      status = fstatSync(fd, { bigint: true })
      if (!status.isFIFO()) throw new Error(`${path} is not a FIFO`)
      // Its reader, the supervisor, is then in its group. Before it is given away: afterwards that would need
      // CAP_FOWNER.
      if (owner !== undefined && user !== undefined) chmodSync(path, 0o660)
      if (owner !== undefined) lchownSync(path, user?.uid ?? owner.uid, owner.gid)
    } catch (error) {
      closeSync(fd)
      throw error
    }
    const held = { fd, user, dev: status.dev, ino: status.ino }
    this.#held.set(slot, held)
    return held
  }

  /** The profile of the slot was walled, or is no longer. */
  #giveTo(slot: string, held: Held, user: { readonly uid: number } | undefined): void {
    const { owner } = this.#options
    if (owner === undefined) return
    chmodSync(`/proc/self/fd/${held.fd}`, user === undefined ? 0o600 : 0o660)
    lchownSync(this.#path(slot), user?.uid ?? owner.uid, owner.gid)
    held.user = user
  }

  #path(slot: string): string {
    return join(this.#options.dir, slot)
  }
}
