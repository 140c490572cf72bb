/**
 * What s6's tools and we read and write alike: TAI64N stamps, the bytes of `supervise/status` and
 * `supervise/death_tally`, the names of subscribers' FIFOs. (s6's src/libs6: s6_svstatus_pack.c, s6_svstatus_unpack.c,
 * s6_dtally_pack.c; doc/servicedir.html; checked against what s6-supervise 2.11.3.2 writes.) Pure.
 */
import type { Ending } from '../slot/ending.ts'
import { SIGNALS } from '../system/signals.ts'

// ---- stamps ----

/**
 * TAI64 label of the Unix epoch: 2^62, 10 s, and the 27 leap seconds since (the last one was in 2016); nanoseconds
 * follow it.
 */
const EPOCH_LABEL = 2n ** 62n + 37n
const STAMP_BYTES = 12

/** @returns 24 hexadecimal digits */
export function stampOf(unixMs: number): string {
  const bytes = Buffer.alloc(STAMP_BYTES)
  writeStamp(bytes, 0, unixMs)
  return readStamp(bytes, 0)
}

/** @param stamp 24 hexadecimal digits */
export const unixMsOf = (stamp: string): number =>
  Number(BigInt(`0x${stamp.slice(0, 16)}`) - EPOCH_LABEL) * 1000 + Number.parseInt(stamp.slice(16), 16) / 1e6

function writeStamp(bytes: Buffer, at: number, unixMs: number): void {
  const seconds = Math.floor(unixMs / 1000)
  bytes.writeBigUInt64BE(EPOCH_LABEL + BigInt(seconds), at)
  bytes.writeUInt32BE(Math.floor((unixMs - seconds * 1000) * 1e6), at + 8)
}

const readStamp = (bytes: Buffer, at: number): string => bytes.toString('hex', at, at + STAMP_BYTES)

// ---- supervise/status ----

/** Content of `supervise/status`. Instants are Unix ms. */
export interface ServiceStatus {
  /** Of the service or its finish script; null: no process. */
  readonly pid: number | null
  /** The finish script runs. */
  readonly finishing: boolean
  /** The service is ready; or it is down, and its finish script is done. */
  readonly ready: boolean
  readonly wantedUp: boolean
  /** Stopped by SIGSTOP through us. */
  readonly paused: boolean
  /** When the service started or died last. */
  readonly changedAtMs: number
  /** When `ready` became so last. */
  readonly readyAtMs: number
  /** How the service ended last, also while it runs again; absent: it never did. */
  readonly lastEnding?: Ending
}

/** The same as it is read: stamps to the nanosecond, and the ending as waitpid(2) says it; 0 before the first one. */
export interface ReadStatus extends Omit<ServiceStatus, 'lastEnding'> {
  readonly changed: string
  readonly readyChanged: string
  readonly waitStatus: number
}

/** Every s6 but 2.13.0 to 2.13.2 writes and reads 35 bytes; those have the process group in between. */
const SIZE = 35
const SIZE_WITH_PGID = 43
const PAUSED = 1
const FINISHING = 2
const WANT_UP = 4
const READY = 8

export function encodeStatus(status: ServiceStatus): Buffer {
  const { pid, changedAtMs, readyAtMs, lastEnding, paused, finishing, wantedUp, ready } = status
  const bytes = Buffer.alloc(SIZE)
  writeStamp(bytes, 0, changedAtMs)
  writeStamp(bytes, 12, readyAtMs)
  bytes.writeBigUInt64BE(BigInt(pid ?? 0), 24)
  bytes.writeUInt16BE(waitStatus(lastEnding), 32)
  bytes[34] = (paused ? PAUSED : 0) | (finishing ? FINISHING : 0) | (wantedUp ? WANT_UP : 0) | (ready ? READY : 0)
  return bytes
}

/** @returns undefined when the bytes are not a status */
export function decodeStatus(bytes: Buffer): ReadStatus | undefined {
  if (bytes.length !== SIZE && bytes.length !== SIZE_WITH_PGID) return undefined
  const flags = bytes.readUInt8(bytes.length - 1)
  const [changed, readyChanged] = [readStamp(bytes, 0), readStamp(bytes, 12)]
  return {
    pid: Number(bytes.readBigUInt64BE(24)) || null,
    changed,
    changedAtMs: Math.floor(unixMsOf(changed)),
    readyChanged,
    readyAtMs: Math.floor(unixMsOf(readyChanged)),
    waitStatus: bytes.readUInt16BE(bytes.length - 3),
    paused: (flags & PAUSED) !== 0,
    finishing: (flags & FINISHING) !== 0,
    wantedUp: (flags & WANT_UP) !== 0,
    ready: (flags & READY) !== 0,
  }
}

/** As waitpid(2) gives it; 0 before the first death. */
function waitStatus(ending: Ending | undefined): number {
  if (ending === undefined) return 0
  return 'signal' in ending ? SIGNALS[ending.signal] : (ending.exitCode & 0xff) << 8
}

// ---- supervise/death_tally ----

/** Stamp, exit code, signal (0: none). */
export const DEATH_BYTES = 14

/**
 * @param keep how many deaths are kept
 * @returns the tally with one death more, the oldest forgotten; a tally that was cut short begins anew
 */
export function tallyDeath(tally: Buffer, ending: Ending, atMs: number, keep: number): Buffer {
  if (keep === 0) return Buffer.alloc(0)
  const record = Buffer.alloc(DEATH_BYTES)
  writeStamp(record, 0, atMs)
  const signal = 'signal' in ending ? SIGNALS[ending.signal] : 0
  record[12] = 'signal' in ending ? 128 + signal : ending.exitCode
  record[13] = signal
  const whole = tally.length % DEATH_BYTES === 0 ? tally : Buffer.alloc(0)
  return Buffer.concat([whole.subarray(Math.max(0, whole.length - (keep - 1) * DEATH_BYTES)), record])
}

export interface TalliedDeath {
  readonly stamp: string
  readonly exitCode: number
  /** 0: none. */
  readonly signal: number
}

/** Oldest first; a record that was cut short is left out. */
export const deathsIn = (tally: Buffer): readonly TalliedDeath[] =>
  Array.from({ length: Math.floor(tally.length / DEATH_BYTES) }, (_, i) => ({
    stamp: readStamp(tally, i * DEATH_BYTES),
    exitCode: tally.readUInt8(i * DEATH_BYTES + 12),
    signal: tally.readUInt8(i * DEATH_BYTES + 13),
  }))

// ---- event/ ----

/** The FIFO of a subscriber: its name says since when it listens. */
export const SUBSCRIBER = /^ftrig1:@([0-9a-f]{24}):.{6}$/
/** @param tag six characters that no other subscriber has */
export const subscriberName = (sinceMs: number, tag: string): string => `ftrig1:@${stampOf(sinceMs)}:${tag}`
