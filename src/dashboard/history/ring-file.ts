/**
 * The file of a ring. Nothing is synced: what a power cut takes is a few minutes of a plot. The directory may belong to
 * another user, so a link is not followed, and whatever is there instead of a ring is replaced or left alone.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { hasCode } from '../../system/error-code.ts'
import { emptyRing, encodePoint, HEADER_BYTES, isHeader, offsetOf, type Point, pointsOf, RING_BYTES } from './ring.ts'

const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants
/** Without O_NONBLOCK, a FIFO would stop the process. */
const CAREFULLY = O_NOFOLLOW | O_NONBLOCK
const MODE = 0o640

/**
 * Writes a point; a file that is not a ring is replaced.
 * @throws an error of the system, if the file can be neither written nor replaced
 */
export function writePoint(file: string, point: Point): void {
  const record = encodePoint(point)
  const fd = openRing(file, O_RDWR)
  if (fd !== undefined) {
    try {
      writeSync(fd, record, 0, record.length, offsetOf(point.minute))
      return
    } finally {
      closeSync(fd)
    }
  }
  const bytes = emptyRing()
  record.copy(bytes, offsetOf(point.minute))
  const next = `${file}.${process.pid}`
  try {
    writeFileSync(next, bytes, { mode: MODE, flag: 'wx' })
    renameSync(next, file)
  } catch (error) {
    rmSync(next, { force: true })
    throw error
  }
}

/** The points of the day before `nowMinute`; none of a file that is missing, unreadable or no ring. Throws nothing. */
export function readPoints(file: string, nowMinute: number): readonly Point[] {
  let fd: number | undefined
  try {
    fd = openRing(file, O_RDONLY)
    return fd === undefined ? [] : pointsOf(bytesOf(fd, RING_BYTES), nowMinute)
  } catch {
    return []
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** undefined: there is no ring in this place. */
function openRing(file: string, flags: number): number | undefined {
  let fd: number
  try {
    fd = openSync(file, flags | CAREFULLY)
  } catch (error) {
    // ENXIO: a FIFO or a socket. ELOOP: a link. EISDIR: renaming a file onto it fails, and says so.
    if (hasCode(error, 'ENOENT', 'ENXIO', 'ELOOP', 'EISDIR')) return undefined
    throw error
  }
  const stat = fstatSync(fd)
  if (stat.isFile() && stat.size === RING_BYTES && isHeader(bytesOf(fd, HEADER_BYTES))) return fd
  closeSync(fd)
  return undefined
}

function bytesOf(fd: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(fd, bytes, 0, length, 0))
}
