/**
 * Walks through a home in which agents write. Each directory is opened without following a link, and what is in it is
 * reached through its descriptor: a directory that becomes a link at the wrong moment leads nowhere else.
 */
import { isUtf8 } from 'node:buffer'
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, type Stats } from 'node:fs'
import { hasCode } from '../system/error-code.ts'
import { isKernelFile } from '../system/files/small-file.ts'

export type Found =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'link'; readonly path: string; readonly to: string }
  /** `at`: where it can be opened until the next one is asked for. */
  | { readonly type: 'file'; readonly path: string; readonly at: string; readonly stat: Stats }

export interface Walk {
  /** Tells whether a path is passed over, with everything below it. */
  readonly passes: (path: string) => boolean
  /** Called for what is neither a file nor a directory nor a link, or cannot be read. */
  readonly leave: (path: string, why: string, problem?: 'unreadable') => void
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants
/** A descriptor is held for each directory on the way. */
const MAX_DEPTH = 200

/** Directories come before what is in them; the order is that of the names. @throws the error of the file system */
export function* walk(home: string, facts: Walk): Generator<Found> {
  const fd = openSync(home, O_RDONLY | O_DIRECTORY | O_NONBLOCK)
  yield* inside(fd, '', 0, fstatSync(fd).dev, facts)
}

function* inside(fd: number, prefix: string, depth: number, device: number, facts: Walk): Generator<Found> {
  try {
    const here = `/proc/self/fd/${fd}`
    for (const bytes of readdirSync(here, 'buffer').sort(Buffer.compare)) {
      const name = bytes.toString()
      const path = prefix + name
      if (!isUtf8(bytes)) facts.leave(path, 'has a name that is not UTF-8')
      else if (!facts.passes(path)) yield* one(`${here}/${name}`, path, depth, device, facts)
    }
  } finally {
    closeSync(fd)
  }
}

function* one(at: string, path: string, depth: number, device: number, facts: Walk): Generator<Found> {
  const stat = lstatSync(at, { throwIfNoEntry: false })
  if (stat === undefined) return // removed since the directory was read
  if (stat.isSymbolicLink()) {
    const to = linkTarget(at)
    if (to !== undefined) yield { type: 'link', path, to }
  } else if (stat.isFile()) yield { type: 'file', path, at, stat }
  else if (!stat.isDirectory()) facts.leave(path, `is ${kindOf(stat)}`)
  else if (depth >= MAX_DEPTH) facts.leave(path, `is deeper than ${MAX_DEPTH} directories`)
  else if (stat.dev !== device && isKernelFile(at)) facts.leave(path, 'is a file system of the kernel')
  else {
    const fd = directory(at, path, facts)
    if (fd === undefined) return
    yield { type: 'directory', path, mode: stat.mode & 0o777 }
    yield* inside(fd, `${path}/`, depth + 1, stat.dev, facts)
  }
}

function linkTarget(at: string): string | undefined {
  try {
    return readlinkSync(at)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EINVAL')) return undefined // it has just been removed or replaced
    throw error
  }
}

function directory(at: string, path: string, facts: Walk): number | undefined {
  let fd: number
  try {
    fd = openSync(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK)
    // Without the right to enter it, its names can be read and nothing else.
    lstatSync(`/proc/self/fd/${fd}/.`)
    return fd
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined // likewise
    if (!hasCode(error, 'EACCES', 'EPERM')) throw error
    facts.leave(path, `may not be read (${(error as NodeJS.ErrnoException).code})`, 'unreadable')
    return undefined
  }
}

function kindOf(stat: Stats): string {
  if (stat.isFIFO()) return 'a FIFO'
  if (stat.isSocket()) return 'a socket'
  return 'a device'
}
