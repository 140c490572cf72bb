import { accessSync, constants, lstatSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { isReadOnlyHere } from './mounts.ts'

/** As many links as the kernel follows (path_resolution(7)). */
export const MAX_LINKS = 40
export const GROUP_OR_OTHERS_WRITE = 0o022

/** A problem with a file, for the person who can correct it. */
export interface Fault {
  readonly file: string
  readonly message: string
  readonly repair: string
  /** An untrusted user can change it. */
  readonly untrusted?: true
}

export type Trusted = { readonly real: string; readonly status: Stats } | { readonly fault: Fault }

/** The names on a path; `..` is one of them. */
export const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.')

/** Checks a file or directory, by itself, for changes by untrusted users. */
type Rule = (path: string, status: Stats) => Fault | undefined

/**
 * Checks that only root can change what is at a path: the file, every directory on its way, and every link followed.
 * Then it cannot be changed by others, now or later. On a read-only mount (a ConfigMap) no one can change it,
 * whatever owner and mode say.
 * @param rule another definition of untrusted users
 * @returns its real path, or the problem; undefined: nothing is there
 */
export function trusted(path: string, rule: Rule = rootsAlone): Trusted | undefined {
  const rest = partsOf(path)
  let links = 0
  for (let at = '/'; ; ) {
    const status = statusOf(at)
    if (status === undefined) return undefined
    if ('message' in status) return { fault: status }
    if (status.isSymbolicLink()) {
      if (++links > MAX_LINKS) return { fault: { file: path, message: 'too many links', repair: 'take some away' } }
      const target = readlinkSync(at)
      rest.unshift(...partsOf(target))
      at = target.startsWith('/') ? '/' : dirname(at)
      continue
    }
    const fault = rule(at, status)
    // Checked only now, because it reads the list of all mounts.
    if (fault !== undefined && !isReadOnlyHere(at)) return { fault }
    const next = rest.shift()
    if (next === undefined) return readable(at, status)
    if (!status.isDirectory()) return undefined
    at = next === '..' ? dirname(at) : join(at, next)
  }
}

/**
 * Looks at the path itself, not at a link's target. @returns a fault if it cannot be examined: name too long, no
 * access to its directory
 */
function statusOf(file: string): Stats | Fault | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    return { file, message: `it cannot be examined (${code})`, repair: 'name another path' }
  }
}

function readable(real: string, status: Stats): Trusted {
  try {
    accessSync(real, status.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK)
    return { real, status }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    return { fault: { file: real, message: `it cannot be read (${code})`, repair: `chmod a+r ${real}` } }
  }
}

const untrusted = (file: string, message: string, repair: string): Fault => ({ file, message, repair, untrusted: true })
const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0')

const rootsAlone: Rule = (path, { uid, mode }) => {
  if (uid !== 0)
    return untrusted(path, `it belongs to uid ${uid}, who could change what root runs`, `chown root:root ${path}`)
  return (mode & GROUP_OR_OTHERS_WRITE) === 0
    ? undefined
    : untrusted(path, `others than root can write it (mode ${octal(mode)})`, `chmod go-w ${path}`)
}

/** Trusts everybody but one user. @param groups all of the user's */
export const notOf =
  ({ uid, groups }: { readonly uid: number; readonly groups: readonly number[] }): Rule =>
  (path, status) => {
    const { mode } = status
    if (status.uid === uid)
      return untrusted(path, `it belongs to the runtime user (uid ${uid})`, `chown root:root ${path}`)
    const bits = (groups.includes(status.gid) ? 0o020 : 0) | 0o002
    return (mode & bits) === 0
      ? undefined
      : untrusted(path, `the runtime user can write it (mode ${octal(mode)})`, `chmod go-w ${path}`)
  }

/** The directories of a PATH that only root can change: what runs as root looks nowhere else. */
export const rootPathOf = (path: string): string =>
  path
    .split(':')
    .filter((dir) => {
      // A line feed: with-contenv reads a line.
      const found = dir.startsWith('/') && !dir.includes('\n') ? trusted(dir) : undefined
      return found !== undefined && 'real' in found
    })
    .join(':')
