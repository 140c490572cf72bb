/** Reads a file once, so that what the archive gets is what its checksum is of. */
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, fstatSync, openSync, readSync, type Stats, unlinkSync, writeSync } from 'node:fs'
import { openRegular, type RegularFile } from '../system/files/small-file.ts'
import { isDatabase, MAGIC_BYTES } from './database.ts'

export interface Snapshot {
  readonly size: number
  readonly sha256: string
  /** At the end of the reading. */
  readonly stat: Stats
  /** It changed during each attempt. */
  readonly changed: boolean
  readonly content: () => Iterable<Buffer> | AsyncIterable<Buffer>
}

/** A larger file is copied beside the archive first. */
const IN_MEMORY_BYTES = 4 * 1024 * 1024
const PIECE_BYTES = 1024 * 1024
const ATTEMPTS = 3

const GIGABYTE = 1e9
const BLOCK_BYTES = 512
/** Compression of a file system makes files smaller, too, but not so small. */
const SPARSE = 16

/** Tells whether a file claims far more than is on the disk. */
export const isSparse = ({ size, blocks }: Stats): boolean => size > GIGABYTE && blocks * BLOCK_BYTES * SPARSE < size

/** Tells whether a file is a database, by its first bytes. */
export function isDatabaseFile({ fd, stat }: RegularFile): boolean {
  if (stat.size < MAGIC_BYTES) return false
  const head = Buffer.alloc(MAGIC_BYTES)
  return readSync(fd, head, 0, MAGIC_BYTES, 0) === MAGIC_BYTES && isDatabase(head)
}

/**
 * A file as it is at one moment, if there is one at which it is not written to.
 * @param scratch a file that does not exist; it may exist until the content has been read
 * @param alive called for each piece
 * @throws what openRegular throws; the error of the file system
 */
export function snapshotFile(at: string, scratch: string, alive: () => void): Snapshot {
  for (let attempt = 1; ; attempt++) {
    const file = openRegular(at, 'refused')
    try {
      const read = file.stat.size <= IN_MEMORY_BYTES ? intoMemory(file) : intoFile(file, scratch, alive)
      const stat = fstatSync(file.fd)
      const changed = read.size !== stat.size || isOther(file.stat, stat)
      if (!changed || attempt === ATTEMPTS) return { ...read, stat, changed }
    } finally {
      closeSync(file.fd)
    }
  }
}

const isOther = (before: Stats, after: Stats): boolean =>
  before.size !== after.size || before.mtimeMs !== after.mtimeMs || before.ctimeMs !== after.ctimeMs

function intoMemory({ fd, stat }: RegularFile): Pick<Snapshot, 'size' | 'sha256' | 'content'> {
  const buffer = Buffer.allocUnsafe(stat.size)
  let size = 0
  for (let got = 1; got > 0 && size < stat.size; size += got) got = readSync(fd, buffer, size, stat.size - size, size)
  const bytes = buffer.subarray(0, size)
  return { size, sha256: createHash('sha256').update(bytes).digest('hex'), content: () => (size === 0 ? [] : [bytes]) }
}

function intoFile(
  { fd, stat }: RegularFile,
  scratch: string,
  alive: () => void,
): Pick<Snapshot, 'size' | 'sha256' | 'content'> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(PIECE_BYTES)
  let size = 0
  removeFile(scratch)
  const to = openSync(scratch, 'wx', 0o600)
  try {
    // No more than it had at the beginning: it may grow as fast as we read.
    while (size < stat.size) {
      const got = readSync(fd, buffer, 0, Math.min(PIECE_BYTES, stat.size - size), size)
      if (got === 0) break
      hash.update(buffer.subarray(0, got))
      for (let done = 0; done < got; ) done += writeSync(to, buffer, done, got - done)
      size += got
      alive()
    }
  } finally {
    closeSync(to)
  }
  return { size, sha256: hash.digest('hex'), content: () => createReadStream(scratch, { highWaterMark: PIECE_BYTES }) }
}

/** A file of this command's own, such as the copy of a database, with its checksum. */
export function ownFile(file: string, alive: () => void): Pick<Snapshot, 'size' | 'sha256' | 'content'> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(PIECE_BYTES)
  let size = 0
  const fd = openSync(file, 'r')
  try {
    for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, got))
      size += got
      alive()
    }
  } finally {
    closeSync(fd)
  }
  return { size, sha256: hash.digest('hex'), content: () => createReadStream(file, { highWaterMark: PIECE_BYTES }) }
}

export function removeFile(file: string): void {
  try {
    unlinkSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
