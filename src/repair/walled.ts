/**
 * The directory of a walled profile: `own:hermes 2770`, everything in it is the profile's, and what only the profile
 * may read is closed to the group, too. Done by root in a tree that this user may be changing at that moment; see
 * repair.ts for how.
 */
import { chmodSync, chownSync, closeSync, constants, fstatSync, openSync, readdirSync, type Stats } from 'node:fs'
import { O_PATH } from '../system/files/mounts.ts'
import { SECRET_FILES } from '../system/paths.ts'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants

/** The runtime user's group reads config.yaml and writes the state files. */
const WALLED_MODE = 0o2770
/** Directories in it that are the profile's alone. */
const OWN_DIRECTORIES: readonly string[] = ['sessions']
/** Files in it that the supervisor replaces at each change: given away, each boot would have to give them again. */
const STATE_FILES: readonly string[] = ['desired_state', 'gateway_state.json']

export interface WalledOwner {
  readonly uid: number
  readonly runtimeUid: number
  /** The runtime user's group. */
  readonly gid: number
  /** The volume's: what is mounted in it is left alone. */
  readonly device: number
}

/** Counted by the repair; see RepairResult. */
interface Numbers {
  given: number
  closed: number
  links: number
  severalNames: number
  mounts: number
  others: number
  failed: number
  firstFailure?: string
}

/** @param parent the opened directory that holds it */
export function giveWalled(parent: number, name: Buffer, owner: WalledOwner, numbers: Numbers): void {
  const walk = new WalledWalk(owner, numbers)
  walk.attempt(() => {
    const fd = openSync(at(parent, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try {
      walk.profile(fd)
    } finally {
      closeSync(fd)
    }
  })
}

class WalledWalk {
  readonly #owner: WalledOwner
  readonly #numbers: Numbers

  constructor(owner: WalledOwner, numbers: Numbers) {
    this.#owner = owner
    this.#numbers = numbers
  }

  /** The top goes first: once it is closed, only its user can change what lies in it. */
  profile(fd: number): void {
    const status = fstatSync(fd)
    if (status.dev !== this.#owner.device) throw new Error('a walled profile cannot be a mount of its own')
    this.#give(fd, status)
    if ((status.mode & 0o7777) !== WALLED_MODE) chmodSync(self(fd), WALLED_MODE)
    for (const name of entriesOf(fd)) this.#entry(fd, name, true)
  }

  attempt(act: () => void): void {
    try {
      act()
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return // it went while we looked
      this.#numbers.failed += 1
      this.#numbers.firstFailure ??= message
    }
  }

  #entry(parent: number, name: Buffer, isTop: boolean): void {
    this.attempt(() => {
      const fd = openSync(at(parent, name), O_PATH | O_NOFOLLOW)
      try {
        const status = fstatSync(fd)
        if (status.dev !== this.#owner.device) this.#numbers.mounts += 1
        else if (status.isDirectory()) this.#directory(parent, name, isTop)
        else if (status.isFile()) this.#file(fd, status, name, isTop)
        else if (status.isSymbolicLink()) this.#numbers.links += status.uid === this.#owner.uid ? 0 : 1
        else if (status.uid !== this.#owner.uid) this.#numbers.others += 1
      } finally {
        closeSync(fd)
      }
    })
  }

  #directory(parent: number, name: Buffer, isTop: boolean): void {
    const fd = openSync(at(parent, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try {
      const status = fstatSync(fd)
      if (status.dev !== this.#owner.device) {
        this.#numbers.mounts += 1
        return
      }
      this.#give(fd, status)
      if (isTop && isOf(OWN_DIRECTORIES, name)) this.#close(fd, status, 0o700)
      for (const inside of entriesOf(fd)) this.#entry(fd, inside, false)
    } finally {
      closeSync(fd)
    }
  }

  #file(fd: number, status: Stats, name: Buffer, isTop: boolean): void {
    const isSecret = isTop && isOf(SECRET_FILES, name)
    const isForeign = status.uid !== this.#owner.uid
    if (!isForeign && !isSecret) return
    if (isTop && status.uid === this.#owner.runtimeUid && isOf(STATE_FILES, name)) return
    // The other name may be in a directory of another user.
    if (status.nlink !== 1) this.#numbers.severalNames += 1
    else {
      this.#give(fd, status)
      if (isSecret) this.#close(fd, status, 0o600)
    }
  }

  #give(fd: number, { uid, gid }: Stats): void {
    if (uid === this.#owner.uid && gid === this.#owner.gid) return
    chownSync(self(fd), this.#owner.uid, this.#owner.gid)
    this.#numbers.given += 1
  }

  #close(fd: number, { mode }: Stats, to: number): void {
    if ((mode & 0o7777) === to) return
    chmodSync(self(fd), to)
    this.#numbers.closed += 1
  }
}

const self = (fd: number): string => `/proc/self/fd/${fd}`
const at = (parent: number, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${self(parent)}/`), name])
const entriesOf = (fd: number): readonly Buffer[] => readdirSync(self(fd), { encoding: 'buffer' })
const isOf = (names: readonly string[], name: Buffer): boolean => names.includes(name.toString())
