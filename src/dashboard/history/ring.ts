/**
 * The history of one slot as bytes: a header, then one record for each minute of a day, in a place that follows from
 * the minute. So a writer needs no state and writes 20 bytes; a reader finds out itself which records are of the last
 * day. Each record has a checksum: a torn one is a gap, and costs nothing else. Pure.
 */
import { crc32 } from 'node:zlib'

/** Minutes that are kept. */
export const RING_MINUTES = 1440
export const HEADER_BYTES = 16
const RECORD_BYTES = 20
/** 28,816 bytes, whatever is in it. */
export const RING_BYTES = HEADER_BYTES + RING_MINUTES * RECORD_BYTES

const MAGIC = Buffer.from('HSLOTRNG')
/** Another one is another layout: such a file is replaced. */
const VERSION = 1
const MAX_U32 = 0xffff_ffff
const MAX_U16 = 0xffff
const NOT_KNOWN = MAX_U16

export interface Point {
  /** Unix time, in minutes. */
  readonly minute: number
  /** In thousandths of a core, on average over the minute. */
  readonly cpuMillis: number
  readonly memoryKiB: number
  /** In this minute. */
  readonly restarts: number
  /** Tasks that waited for the profile; undefined: the board was away, or the slot belongs to no profile. */
  readonly queued: number | undefined
}

/** Where the bytes of a point go. */
export const offsetOf = (minute: number): number => HEADER_BYTES + (minute % RING_MINUTES) * RECORD_BYTES

/** A ring without a point. */
export function emptyRing(): Buffer {
  const bytes = Buffer.alloc(RING_BYTES)
  header().copy(bytes)
  return bytes
}

function header(): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt16LE(VERSION, 8)
  bytes.writeUInt16LE(RECORD_BYTES, 10)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
  return bytes
}

/** The first bytes of a ring. false: they are of another program's file, or of another version's. */
export const isHeader = (bytes: Buffer): boolean => bytes.equals(header())

/** The record of a point. Numbers that are too large for it become the largest that fits, others a whole one. */
export function encodePoint({ minute, cpuMillis, memoryKiB, restarts, queued }: Point): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES)
  bytes.writeUInt32LE(within(minute, MAX_U32), 0)
  bytes.writeUInt32LE(within(cpuMillis, MAX_U32), 4)
  bytes.writeUInt32LE(within(memoryKiB, MAX_U32), 8)
  bytes.writeUInt16LE(within(restarts, MAX_U16), 12)
  bytes.writeUInt16LE(queued === undefined ? NOT_KNOWN : within(queued, MAX_U16 - 1), 14)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 16)), 16)
  return bytes
}

/**
 * The points of the day before `nowMinute`, oldest first. Minutes without one are left out; so are those that are in
 * the future, which a clock that was set back leaves behind.
 * @param bytes of a ring
 */
export function pointsOf(bytes: Buffer, nowMinute: number): readonly Point[] {
  const points: Point[] = []
  for (let minute = Math.max(0, nowMinute - RING_MINUTES + 1); minute <= nowMinute; minute++) {
    const at = offsetOf(minute)
    if (bytes.readUInt32LE(at) !== minute) continue
    if (bytes.readUInt32LE(at + 16) !== crc32(bytes.subarray(at, at + 16))) continue
    const queued = bytes.readUInt16LE(at + 14)
    points.push({
      minute,
      cpuMillis: bytes.readUInt32LE(at + 4),
      memoryKiB: bytes.readUInt32LE(at + 8),
      restarts: bytes.readUInt16LE(at + 12),
      queued: queued === NOT_KNOWN ? undefined : queued,
    })
  }
  return points
}

const within = (value: number, max: number): number => Math.min(max, Math.max(0, Math.round(value) || 0))
