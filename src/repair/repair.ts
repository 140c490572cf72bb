/**
 * Gives files of the volume back to the runtime user, as root, in a tree that this user may be changing at that moment.
 * So nothing is done by a path that could be led elsewhere: each directory is opened in its opened parent
 * (/proc/self/fd/N/name, O_NOFOLLOW), each file is pinned with O_PATH, looked at through that descriptor and changed
 * through it.
 */

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  type Stats,
} from 'node:fs'
import { mountOf, O_PATH } from '../system/files/mounts.ts'
import { SECRET_FILES } from '../system/paths.ts'
import { formerGid, isUsable, KNOWN_DIRECTORIES, KNOWN_FILES, KNOWN_PREFIXES, OWNER_ALL } from './known.ts'
import { giveWalled } from './walled.ts'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC = 0 } = constants as typeof constants & { O_CLOEXEC?: number }

export interface RepairFacts {
  readonly home: string
  readonly uid: number
  readonly gid: number
  /** Device and inode of the directory that was found to be the volume: another one in its place is left alone. */
  readonly id?: { readonly dev: bigint; readonly ino: bigint }
  /** Absent: no profile is walled. */
  readonly walls?: RepairedWalls
}

/** Profiles whose files are not the runtime user's. */
export interface RepairedWalls {
  /** Their owners. */
  readonly uids: ReadonlyMap<string, number>
  /** Profiles that nothing is given to: it is not known whose they are. */
  readonly untouched: ReadonlySet<string>
}

/** Result of a repair, in numbers. */
export interface RepairResult {
  given: number
  /** Secrets that others could read. */
  closed: number
  /** Directories that their own user could not use. */
  opened: number
  links: number
  severalNames: number
  /** Of these two, those that lie in the place of something the volume has by name. */
  refused: string[]
  mounts: number
  /** Sockets, FIFOs, devices. */
  others: number
  failed: number
  /** The former owner of the top directory, if the repair has given it away. */
  former?: { readonly uid: number; readonly gid: number }
  /** The first failure, for people. */
  firstFailure?: string
}

/** @throws Error when the volume itself cannot be opened */
export function repairVolume(facts: RepairFacts): RepairResult {
  const repaired: RepairResult = {
    given: 0,
    closed: 0,
    opened: 0,
    links: 0,
    severalNames: 0,
    refused: [],
    mounts: 0,
    others: 0,
    failed: 0,
  }
  // The path of the volume may contain a link: it was chosen by the user who started the container.
  const home = openSync(facts.home, O_RDONLY | O_DIRECTORY)
  try {
    const { dev, ino } = fstatSync(home, { bigint: true })
    const { id } = facts
    if (id !== undefined && (id.dev !== dev || id.ino !== ino))
      throw new Error('another directory has been put in its place since the boot began')
    new Walk(facts, repaired, fstatSync(home), mountIfOthersLieOn(home)).volume(home)
  } finally {
    closeSync(home)
  }
  return repaired
}

class Walk {
  readonly #facts: RepairFacts
  readonly #repaired: RepairResult
  readonly #device: number
  /** Files of this group get another one, too; undefined: groups are left as they are. */
  readonly #formerGid: number | undefined
  /** undefined: nothing is mounted on the volume's own mount, so nothing can be in the place of what lies there. */
  readonly #mount: string | undefined

  constructor(facts: RepairFacts, repaired: RepairResult, home: Stats, mount: string | undefined) {
    this.#facts = facts
    this.#repaired = repaired
    this.#device = home.dev
    this.#formerGid = formerGid(home, facts.gid)
    this.#mount = mount
  }

  /**
   * What is inside goes first, here and below: root without CAP_DAC_OVERRIDE may not look into what it has given away.
   */
  volume(home: number): void {
    for (const entry of entriesOf(home)) {
      const name = entry.toString()
      if (isIn(KNOWN_DIRECTORIES, name)) this.#entry(home, entry, 'tree')
      else if (isIn(KNOWN_FILES, name) || KNOWN_PREFIXES.some((prefix) => name.startsWith(prefix))) {
        this.#entry(home, entry, 'file')
      }
    }
    const { uid, gid } = fstatSync(home)
    const before = this.#repaired.given
    this.#give(home, fstatSync(home))
    this.#openUp(home)
    if (this.#repaired.given > before) this.#repaired.former = { uid, gid }
  }

  #entry(parent: number, name: Buffer, kind: 'tree' | 'file' | 'any'): void {
    let fd: number | undefined
    try {
      fd = openSync(at(parent, name), O_PATH | O_NOFOLLOW | O_CLOEXEC)
      const status = fstatSync(fd)
      if (status.dev !== this.#device) this.#repaired.mounts += 1
      else if (status.isDirectory() && kind !== 'file') this.#directory(parent, name, kind === 'tree')
      else if (status.isFile() && kind !== 'tree') this.#file(fd, status, kind === 'file' ? name.toString() : undefined)
      else if (this.#isForeign(status)) this.#leave(status, kind === 'any' ? undefined : name.toString())
    } catch (error) {
      // ENOENT: it went while we looked.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#failed(error)
    } finally {
      if (fd !== undefined) closeSync(fd)
    }
  }

  #directory(parent: number, name: Buffer, isKnown: boolean): void {
    const fd = openSync(at(parent, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    try {
      const status = fstatSync(fd)
      // A folder of the host that is mounted here can be on the same device.
      if (status.dev !== this.#device || this.#isElsewhere(fd)) {
        this.#repaired.mounts += 1
        return
      }
      const isProfiles = isKnown && name.toString() === 'profiles'
      for (const inside of entriesOf(fd)) if (!isProfiles || !this.#isWalled(fd, inside)) this.#entry(fd, inside, 'any')
      this.#give(fd, status)
      if (isKnown) this.#openUp(fd)
    } finally {
      closeSync(fd)
    }
  }

  /** Gives what is in the directory of a walled profile to its own user. @returns false: it is not one */
  #isWalled(profiles: number, entry: Buffer): boolean {
    const { walls } = this.#facts
    const name = entry.toString()
    const uid = walls?.uids.get(name)
    if (uid !== undefined)
      giveWalled(
        profiles,
        entry,
        { uid, runtimeUid: this.#facts.uid, gid: this.#facts.gid, device: this.#device },
        this.#repaired,
      )
    return uid !== undefined || walls?.untouched.has(name) === true
  }

  /**
   * A mode that keeps the runtime user from its own volume (`chmod 0`) would end every boot. Other directories may be
   * meant so.
   */
  #openUp(fd: number): void {
    const { mode, uid } = fstatSync(fd)
    if (uid !== this.#facts.uid || isUsable(mode)) return
    try {
      chmodSync(self(fd), (mode & 0o7777) | OWNER_ALL)
      this.#repaired.opened += 1
    } catch (error) {
      this.#failed(error)
    }
  }

  /** @param known its name, at the top of the volume */
  #file(fd: number, status: Stats, known: string | undefined): void {
    const isForeign = this.#isForeign(status)
    const isOpen = known !== undefined && isIn(SECRET_FILES, known) && (status.mode & 0o077) !== 0
    if (!isForeign && !isOpen) return
    if (status.nlink !== 1) {
      if (isNamed(known)) this.#repaired.refused.push(`${known} (a file with several names)`)
      else this.#repaired.severalNames += 1
    } else if (this.#isElsewhere(fd)) this.#repaired.mounts += 1
    else {
      if (isForeign) this.#give(fd, status)
      if (isOpen) {
        chmodSync(self(fd), 0o600)
        this.#repaired.closed += 1
      }
    }
  }

  /** Through the descriptor, which may be an O_PATH one: fchown(2) does not take those, /proc/self/fd does. */
  #give(fd: number, status: Stats): void {
    if (!this.#isForeign(status)) return
    const { uid, gid } = this.#facts
    try {
      chownSync(self(fd), uid, gid)
      this.#repaired.given += 1
    } catch (error) {
      // With the right owner everything works: some mounts force their group on every file (CIFS).
      if (status.uid !== uid) this.#failed(error)
    }
  }

  #isForeign({ uid, gid }: Stats): boolean {
    return uid !== this.#facts.uid || gid === this.#formerGid
  }

  #isElsewhere(fd: number): boolean {
    return this.#mount !== undefined && mountOf(fd) !== this.#mount
  }

  #leave(status: Stats, known: string | undefined): void {
    if (isNamed(known) && status.isSymbolicLink()) this.#repaired.refused.push(`${known} (a symbolic link)`)
    else if (status.isSymbolicLink()) this.#repaired.links += 1
    else this.#repaired.others += 1
  }

  #failed(error: unknown): void {
    this.#repaired.failed += 1
    this.#repaired.firstFailure ??= (error as Error).message
  }
}

const self = (fd: number): string => `/proc/self/fd/${fd}`
/** Bytes: a name need not be UTF-8 (an old Samba share), and decoded it would name nothing. */
const at = (parent: number, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${self(parent)}/`), name])
const entriesOf = (fd: number): readonly Buffer[] => readdirSync(self(fd), { encoding: 'buffer' })
/** One of a few names that are ours, and so can be shown as it is. */
const isNamed = (name: string | undefined): name is string =>
  name !== undefined && (isIn(KNOWN_FILES, name) || isIn(KNOWN_DIRECTORIES, name))
const isIn = (names: readonly string[], name: string): boolean => names.includes(name)

/**
 * Asking for each file where it is mounted takes as long as everything else together. Only root mounts, and boot is not
 * over.
 * @returns the mount, if another one lies on it (proc_pid_mountinfo(5): the second field names the mount below)
 */
function mountIfOthersLieOn(fd: number): string | undefined {
  const mount = mountOf(fd)
  const lines = readFileSync('/proc/self/mountinfo', 'latin1').split('\n')
  return lines.some((line) => line.split(' ')[1] === mount) ? mount : undefined
}

/** One line for people; undefined: there was nothing to do. */
export function describeRepair({ home, uid, gid, walls }: RepairFacts, repaired: RepairResult): string | undefined {
  const { given, closed, opened, links, severalNames, refused, mounts, others, failed, firstFailure } = repaired
  const left = [
    counted(links, 'symbolic link', 'symbolic links'),
    counted(severalNames, 'file with several names', 'files with several names'),
    counted(mounts, 'mount', 'mounts'),
    counted(others, 'special file', 'special files'),
  ].filter((text) => text !== undefined)
  if (given + closed + opened + failed + left.length + refused.length === 0) return undefined
  const parts = [
    changedOwner(home, repaired, `${uid}:${gid}${walls?.uids.size ? ' or the user of their walled profile' : ''}`),
    closed > 0 ? `${closed} made private` : undefined,
    opened > 0
      ? `opened ${counted(opened, 'directory', 'directories')} to uid ${uid}, which owns what it could not use`
      : undefined,
    refused.length > 0 ? `refusing to follow ${refused.join(', ')}` : undefined,
    left.length > 0 ? `left alone: ${left.join(', ')}` : undefined,
    failed > 0 ? `${failed} failed (the first: ${firstFailure})` : undefined,
  ]
  const { former } = repaired
  // The user hermes never has root's id.
  const keep =
    former === undefined || former.uid === 0 || former.uid === uid
      ? ''
      : `. To keep yours, set HERMES_UID=${former.uid}${former.gid === gid || former.gid === 0 ? '' : ` and HERMES_GID=${former.gid}`}`
  return parts.filter((text) => text !== undefined).join('; ') + keep
}

function changedOwner(home: string, { given, former }: RepairResult, to: string): string | undefined {
  const files = (count: number): string => `${count} ${count === 1 ? 'file' : 'files'}`
  if (former === undefined) return given === 0 ? undefined : `changed the owner of ${files(given)} in ${home} to ${to}`
  const inside = given > 1 ? ` and of ${files(given - 1)} in it` : ''
  return `changed the owner of ${home}${inside} from ${former.uid}:${former.gid} to ${to}`
}

const counted = (count: number, one: string, many: string): string | undefined =>
  count === 0 ? undefined : `${count} ${count === 1 ? one : many}`
