/**
 * The bytes of s6's `supervise/status` and `supervise/death_tally`, and the letters of its events (s6's
 * src/libs6/s6_svstatus_pack.c, s6_dtally_pack.c and doc/servicedir.html; checked against what s6-supervise 2.11.3.2 writes). Pure.
 */
import { type Ending, SIGNALS } from '../protocol/init.ts'

/** What `supervise/status` says. Instants are Unix ms. */
export interface ServiceStatus {
  /** null: no process. */
  readonly pid: number | null
  readonly ready: boolean
  readonly wantedUp: boolean
  /** Stopped by SIGSTOP through us. */
  readonly paused?: boolean
  /** When the process started or died last. */
  readonly changedAtMs: number
  /** When readiness last changed; absent: at `changedAtMs`. */
  readonly readyAtMs?: number
  /** How the last process ended, also while the next one runs; absent: none did. */
  readonly lastEnding?: Ending
  /** It will not start again by itself. */
  readonly parked?: boolean
}

/** Every s6 but 2.13.0 to 2.13.2 writes and reads 35 bytes. */
export const STATUS_BYTES = 35
const DEATH_BYTES = 14
/** s6's default `max-death-tally`. */
const MAX_DEATHS = 100
const PAUSED = 1
const WANT_UP = 4
const READY = 8

export function encodeStatus(status: ServiceStatus): Buffer {
  const bytes = Buffer.alloc(STATUS_BYTES)
  writeTain(bytes, 0, status.changedAtMs)
  writeTain(bytes, 12, status.readyAtMs ?? status.changedAtMs)
  bytes.writeBigUInt64BE(BigInt(status.pid ?? 0), 24)
  bytes.writeUInt16BE(waitStatus(status.lastEnding), 32)
  // A slot that is down has no finish script to wait for: s6 calls that "ready" (to be brought up) too.
  const ready = status.ready || status.pid === null
  bytes[34] = (status.paused ? PAUSED : 0) | (status.wantedUp ? WANT_UP : 0) | (ready ? READY : 0)
  return bytes
}

/**
 * What subscribers are told after a status has been written.
 * @param before the status before; undefined: none of this supervisor, so nothing has happened
 */
export function eventsBetween(before: ServiceStatus | undefined, after: ServiceStatus): string {
  if (before === undefined) return ''
  if (before.pid === after.pid) return after.pid !== null && after.ready && !before.ready ? 'U' : ''
  const death = before.pid === null ? '' : after.parked ? 'dOD' : 'dD'
  const start = after.pid === null ? '' : after.ready ? 'uU' : 'u'
  return death + start
}

/** @returns the tally with one death more, the oldest beyond 100 forgotten; a tally that was cut short begins anew */
export function tallyDeath(tally: Buffer, ending: Ending, atMs: number): Buffer {
  const record = Buffer.alloc(DEATH_BYTES)
  writeTain(record, 0, atMs)
  const signal = 'signal' in ending ? SIGNALS[ending.signal] : 0
  record[12] = 'signal' in ending ? 128 + signal : ending.exitCode
  record[13] = signal
  const whole = tally.length % DEATH_BYTES === 0 ? tally : Buffer.alloc(0)
  return Buffer.concat([whole.subarray(Math.max(0, whole.length - (MAX_DEATHS - 1) * DEATH_BYTES)), record])
}

/** As waitpid(2) gives it; 0 before the first death. */
function waitStatus(ending: Ending | undefined): number {
  if (ending === undefined) return 0
  return 'signal' in ending ? SIGNALS[ending.signal] : (ending.exitCode & 0xff) << 8
}

/** TAI64N: 2^62 + seconds + 10 + the 27 leap seconds there have been since 1972, then nanoseconds. */
function writeTain(bytes: Buffer, offset: number, unixMs: number): void {
  const seconds = Math.floor(unixMs / 1000)
  bytes.writeBigUInt64BE(0x4000000000000000n + BigInt(seconds + 37), offset)
  bytes.writeUInt32BE(Math.floor((unixMs - seconds * 1000) * 1e6), offset + 8)
}
