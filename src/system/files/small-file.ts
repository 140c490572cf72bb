/**
 * The only place that opens and reads files which others can write: everything in the volume and in the run
 * directory. Such a name may hold a FIFO, a device, a link into /proc, or a file that grows while it is read.
 */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statfsSync } from 'node:fs'
import { unlessCode } from '../error-code.ts'
import { isRecord } from '../text/record.ts'

/**
 * Result of reading an untrusted file: its text, nothing if it does not exist, or one line that describes the
 * problem.
 */
export type SmallFile =
  | { readonly text: string; readonly problem?: undefined }
  | { readonly text?: undefined; readonly problem?: undefined }
  | { readonly text?: undefined; readonly problem: string }

/** The same for bytes. */
export type SmallBytes =
  | { readonly bytes: Buffer; readonly problem?: undefined }
  | { readonly bytes?: undefined; readonly problem?: undefined }
  | { readonly bytes?: undefined; readonly problem: string }

export interface RegularFile {
  readonly fd: number
  readonly stat: Stats
}

/**
 * A file is there, but it is not one that may be read; `message` is a claim about it, such as `is not a regular file`.
 */
export class UnreadableFile extends Error {}

/**
 * Opens a regular file without waiting (a FIFO without a writer would block open(2) indefinitely). The caller closes
 * `fd`.
 * @param links `refused`: the last component must not be a link, for places where a link has no purpose
 * @throws UnreadableFile for anything else: a FIFO, a device, a file made up by the kernel (/proc, sysfs); the error
 * of open(2), including ENOENT
 */
export function openRegular(path: string | Buffer, links: 'followed' | 'refused'): RegularFile {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = constants
  const fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | (links === 'refused' ? O_NOFOLLOW : 0))
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new UnreadableFile('is not a regular file')
    // Made-up files take no blocks of a disk, so most others need no look at their file system.
    const kernels = stat.blocks > 0 ? undefined : kernelFileSystem(`/proc/self/fd/${fd}`)
    if (kernels !== undefined) throw new UnreadableFile(`is a file of the kernel (${kernels})`)
    return { fd, stat }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/**
 * Reads a small text file; a link in its place is a problem. Never waits, never reads more than `maxBytes` + 1, never
 * throws.
 */
export function readSmallFile(path: string, maxBytes: number): SmallFile {
  const { bytes, problem } = readSmallBytes(path, maxBytes)
  if (problem !== undefined) return { problem }
  return bytes === undefined ? {} : { text: bytes.toString('utf8') }
}

/** Like {@link readSmallFile}, for a file that is not text. */
export const readSmallBytes = (path: string, maxBytes: number): SmallBytes =>
  withRegular(path, (file) => readAtMost(file, maxBytes))

/**
 * Reads a small file with one object of JSON, as carefully as {@link readSmallFile}. @returns undefined: there is none,
 * or something else is there
 */
export function readSmallRecord(path: string, maxBytes: number): Record<string, unknown> | undefined {
  const { text } = readSmallFile(path, maxBytes)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined // a SyntaxError is the answer
  }
}

/** The last `maxBytes` of a file, as carefully as {@link readSmallFile}; the first line may be a torn one. */
export function readTail(path: string, maxBytes: number): SmallFile {
  const { bytes, problem } = withRegular(path, ({ fd, stat }) => {
    const buffer = Buffer.allocUnsafe(Math.min(maxBytes, stat.size))
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, Math.max(0, stat.size - maxBytes)))
  })
  if (problem !== undefined) return { problem }
  return bytes === undefined ? {} : { text: bytes.toString('utf8') }
}

/**
 * Text of a file that people may keep elsewhere and link to, such as config.yaml; undefined when there is none.
 * @throws Error with a text for people, about `it`; the error of the file system
 */
export const readRegularFile = (path: string, maxBytes: number): string | undefined =>
  unlessCode(['ENOENT'], () => readRegularBytes(path, maxBytes).toString('utf8'))

/**
 * The same for a file in a directory of another user: neither a link nor a second name of a file elsewhere.
 * @throws Error likewise
 */
export const readOwnFile = (path: string, maxBytes: number): string | undefined =>
  unlessCode(['ENOENT'], () => {
    try {
      const file = openRegular(path, 'refused')
      try {
        if (file.stat.nlink !== 1) throw new UnreadableFile('has several names')
        return readAtMost(file, maxBytes).toString('utf8')
      } finally {
        closeSync(file.fd)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ELOOP')
        throw new Error('it is a link, which may not be followed here')
      throw error instanceof UnreadableFile ? new Error(`it ${error.message}`, { cause: error }) : error
    }
  })

/** Like {@link readSmallFile}, for a secret that is mounted, often behind a link. A missing file is a problem, too. */
export function readMountedFile(path: string, maxBytes: number): SmallFile {
  try {
    return { text: readRegularBytes(path, maxBytes).toString('utf8') }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { problem: code === 'ENOENT' ? 'is not there' : (code ?? message) }
  }
}

/** Like {@link readRegularFile}, for a file that must exist. @throws Error likewise, including ENOENT */
export function readRegularBytes(path: string, maxBytes: number): Buffer {
  try {
    const file = openRegular(path, 'followed')
    try {
      return readAtMost(file, maxBytes)
    } finally {
      closeSync(file.fd)
    }
  } catch (error) {
    throw error instanceof UnreadableFile ? new Error(`it ${error.message}`, { cause: error }) : error
  }
}

/** A piece of Node's pool, which costs next to nothing, and more than most of these files hold. */
const SMALL_BYTES = 1024

function withRegular(path: string, read: (file: RegularFile) => Buffer): SmallBytes {
  try {
    const file = openRegular(path, 'refused')
    try {
      return { bytes: read(file) }
    } finally {
      closeSync(file.fd)
    }
  } catch (error) {
    if (error instanceof UnreadableFile) return { problem: error.message }
    const { code = String(error), syscall } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return {}
    if (syscall !== 'open') return { problem: `cannot be read (${code})` }
    return { problem: openProblem(code) }
  }
}

/** A claim about a file that open(2) refuses with this code. */
export const openProblem = (code: string): string => openProblems[code] ?? `cannot be opened (${code})`

const openProblems: { readonly [code: string]: string } = {
  ELOOP: 'is a symbolic link; refusing to follow it',
  EACCES: 'may not be read (EACCES)',
  // A socket, or a device without a driver.
  ENXIO: 'is not a regular file',
}

function readAtMost({ fd, stat }: RegularFile, maxBytes: number): Buffer {
  // Reading one byte more than allowed distinguishes a file at the limit from one beyond it, whatever its size
  // claims. A boot reads several small files for each slot: a large buffer for each would leave megabytes of garbage.
  const buffer = Buffer.allocUnsafe(Math.min(maxBytes, 64 * 1024, Math.max(stat.size, SMALL_BYTES)) + 1)
  const pieces: Buffer[] = []
  let heldBytes = 0
  for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) {
    heldBytes += got
    if (heldBytes > maxBytes) throw new UnreadableFile(`is larger than ${maxBytes} bytes`)
    // The file claims to hold no more, and the read gave less than was asked for: the next one would find nothing.
    const isEnd = heldBytes === stat.size && got < buffer.length
    if (isEnd && pieces.length === 0) return buffer.subarray(0, got)
    pieces.push(Buffer.from(buffer.subarray(0, got)))
    if (isEnd) break
  }
  return Buffer.concat(pieces)
}

/**
 * Returns the name of the file system if the kernel makes up its files as they are read. Such files claim to be
 * regular and empty: some have no end (/proc/self/pagemap), some make the reader wait for another process
 * (/proc/PID/cmdline), some have side effects.
 */
const kernelFileSystem = (path: string): string | undefined =>
  // Without a mounted /proc, there is no such file to link to either.
  unlessCode(['ENOENT'], () => KERNEL_FILE_SYSTEMS.get(Number(statfsSync(path).type) >>> 0))

/** The same check by name, for files that others open by name. */
export const isKernelFile = (path: string): boolean => kernelFileSystem(path) !== undefined

// f_type of statfs(2), from linux/magic.h.
const KERNEL_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x64626720, 'debugfs'],
  [0x74726163, 'tracefs'],
  [0x73636673, 'securityfs'],
  [0x62656570, 'configfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0xcafe4a11, 'bpf'],
  [0x6165676c, 'pstore'],
  [0xde5e81e4, 'efivarfs'],
  [0xf97cff8c, 'selinuxfs'],
  [0x43415d53, 'smackfs'],
  [0x19800202, 'mqueue'],
  [0x42494e4d, 'binfmt_misc'],
  [0x1cd1, 'devpts'],
  [0x6e736673, 'nsfs'],
])
