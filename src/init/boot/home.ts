/**
 * Opens the volume's directory once. If HERMES_HOME is below a directory that others than root can write, another
 * user may put a link or another directory in its place before any boot; that must not decide what root opens and
 * gives away.
 */

import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  type Stats,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { isKnownName } from '../../repair/known.ts'
import { HermesError } from '../../system/errors.ts'
import { mountOf, O_PATH } from '../../system/files/mounts.ts'
import { GROUP_OR_OTHERS_WRITE, MAX_LINKS, partsOf } from '../../system/files/trust.ts'
import { orAsRuntimeUser } from '../facts/as-runtime-user.ts'
import type { InitFacts } from '../facts/facts.ts'

const { O_DIRECTORY, O_NOFOLLOW } = constants

/** Directories of programs that root runs, and of their configuration; nothing below them can be a volume. */
const ROOTS_OWN = [
  '/bin',
  '/boot',
  '/command',
  '/dev',
  '/etc',
  '/lib',
  '/opt/hermes',
  '/proc',
  '/root',
  '/run/hermes',
  '/sbin',
  '/sys',
  '/usr',
]
/** Directories with files of other users: a directory in them may be a volume, but not they themselves. */
const HOLDING_OTHERS = ['/home', '/media', '/mnt', '/opt', '/run', '/srv', '/tmp', '/var', '/var/lib']

/**
 * The opened directory: while it is open, `/proc/self/fd/N/name` leads to its content, whatever happens to its path.
 */
export interface Home {
  readonly fd: number
  /** Device and inode: a program that opens the path itself can verify that it is still this directory. */
  readonly id: { readonly dev: bigint; readonly ino: bigint }
  /** Its owner when the boot began. */
  readonly owner: Pick<Stats, 'uid' | 'gid'>
}

interface Place {
  readonly fd: number
  /** Without links. */
  readonly path: string
  /** It and everything above it can be changed by root only. */
  readonly isRoots: boolean
}

/**
 * Opens the volume's directory, and makes it where there is none (`npm start`, an image without VOLUME); as root's:
 * the repair gives it away.
 * @throws HermesError when it cannot be the volume
 */
export function openHome({ home, identity, dropped }: Pick<InitFacts, 'home' | 'identity' | 'dropped'>): Home {
  const cannot = (why: string, cause?: unknown): HermesError =>
    new HermesError('FAILED', `${home} cannot be the volume: ${why}`, {
      next: `mount a volume there, or set HERMES_HOME to a directory that uid ${identity.uid} can write`,
      cause,
    })
  const opened: number[] = []
  try {
    const { fd, path, parent } = walk(home, dropped, opened)
    const status = fstatSync(fd)
    if (!status.isDirectory()) throw new Refusal('it is not a directory')
    if (dropped) {
      refuseSystem(path)
      if (HOLDING_OTHERS.includes(path)) throw new Refusal(`${path} holds what is not the runtime user's`)
      if (status.uid !== identity.uid && mountOf(fd) === mountOf(parent.fd) && (status.uid === 0 || !parent.isRoots))
        refuseForeignFiles(fd, path, status.uid)
    }
    opened.splice(opened.indexOf(fd), 1)
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return { fd, id: { dev, ino }, owner: status }
  } catch (error) {
    if (error instanceof Refusal) throw cannot(error.message)
    const { code } = error as NodeJS.ErrnoException
    // Not a fault of the volume.
    if (code === 'EMFILE' || code === 'ENFILE') throw error
    throw cannot(code === 'ENOTDIR' ? 'it is not a directory' : (code ?? String(error)), error)
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

/**
 * Sets the mode of the opened directory.
 * @param user the runtime user, who owns the directory after the first boot; absent: root is not dropped
 * @returns one line with the reason of a failure; undefined: the mode is set
 */
export function setHomeMode(
  { fd }: Pick<Home, 'fd'>,
  mode: number,
  user: Pick<RuntimeIdentity, 'uid' | 'gid'> | undefined,
): string | undefined {
  try {
    // fchmod(2) refuses an O_PATH descriptor, /proc does not.
    orAsRuntimeUser(user, () => chmodSync(`/proc/self/fd/${fd}`, mode))
    return undefined
  } catch (error) {
    return `the volume cannot be given the mode of HERMES_HOME_MODE: ${(error as NodeJS.ErrnoException).code}; set it on the host by chmod`
  }
}

class Refusal extends Error {}

/**
 * One component after the other, each opened in its opened parent. @param opened every descriptor that is opened on
 * the way
 */
function walk(path: string, dropped: boolean, opened: number[]): Place & { readonly parent: Place } {
  const open = (file: string): number => {
    const fd = openSync(file, O_PATH | O_DIRECTORY | O_NOFOLLOW)
    opened.push(fd)
    return fd
  }
  const root: Place = { fd: open('/'), path: '/', isRoots: true }
  const rest = partsOf(path)
  let [parent, at] = [root, root]
  let links = 0
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const inside = `/proc/self/fd/${at.fd}/${name}`
    const status = lstatSync(inside, { throwIfNoEntry: false })
    if (status === undefined) {
      if (dropped) refuseSystem(join(at.path, name))
      mkdirSync(inside, { mode: 0o755 })
    }
    if (status?.isSymbolicLink()) {
      const link = join(at.path, name)
      if (dropped && !at.isRoots)
        throw new Refusal(
          `${link} is a link, and others than root can write in ${at.path}; name the directory it leads to`,
        )
      if (++links > MAX_LINKS) throw new Refusal('too many links')
      const target = readlinkSync(inside)
      if (target.startsWith('/')) [parent, at] = [root, root]
      rest.unshift(...partsOf(target))
      continue
    }
    const fd = open(inside)
    const { uid, mode } = fstatSync(fd)
    const next = name === '..' ? dirname(at.path) : join(at.path, name)
    parent = at
    at = { fd, path: next, isRoots: at.isRoots && uid === 0 && (mode & GROUP_OR_OTHERS_WRITE) === 0 }
  }
  return { ...at, parent }
}

/** Accepts only names of a volume: otherwise it is another user's directory, moved here or named by mistake. */
function refuseForeignFiles(fd: number, path: string, uid: number): void {
  const foreign = readdirSync(`/proc/self/fd/${fd}`).find((name) => !isKnownName(name))
  if (foreign === undefined) return
  throw new Refusal(
    `it belongs to uid ${uid}, is not a mount and holds other files (${foreign}), so it is not given away; if it is to be the volume, change its owner yourself: chown ${path}`,
  )
}

/** The owner of the parent of /etc, or of a place in it, is root in all but name. */
function refuseSystem(path: string): void {
  const isSystem = (dir: string): boolean => `${path}/`.startsWith(`${dir}/`) || dir.startsWith(`${path}/`)
  if (path === '/' || ROOTS_OWN.some(isSystem)) throw new Refusal('programs that root runs lie there')
}
