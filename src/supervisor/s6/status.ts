/**
 * The bytes of s6's `supervise/status` and `supervise/death_tally` (s6's src/libs6/s6_svstatus_pack.c, s6_dtally_pack.c and
 * doc/servicedir.html; checked against what s6-supervise 2.11.3.2 writes). Pure.
 */
import type { Ending } from '../../slot/ending.ts'
import { SIGNALS } from '../../system/signals.ts'

/** What `supervise/status` says. Instants are Unix ms. */
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

/** Every s6 but 2.13.0 to 2.13.2 writes and reads 35 bytes. */
export const STATUS_BYTES = 35
export const DEATH_BYTES = 14
const PAUSED = 1
const FINISHING = 2
const WANT_UP = 4
const READY = 8

export function encodeStatus(status: ServiceStatus): Buffer {
  const { pid, changedAtMs, readyAtMs, lastEnding, paused, finishing, wantedUp, ready } = status
  const bytes = Buffer.alloc(STATUS_BYTES)
  writeTain(bytes, 0, changedAtMs)
  writeTain(bytes, 12, readyAtMs)
  bytes.writeBigUInt64BE(BigInt(pid ?? 0), 24)
  bytes.writeUInt16BE(waitStatus(lastEnding), 32)
  bytes[34] = (paused ? PAUSED : 0) | (finishing ? FINISHING : 0) | (wantedUp ? WANT_UP : 0) | (ready ? READY : 0)
  return bytes
}

/**
 * @param keep how many deaths are kept
 * @returns the tally with one death more, the oldest forgotten; a tally that was cut short begins anew
 */
export function tallyDeath(tally: Buffer, ending: Ending, atMs: number, keep: number): Buffer {
  if (keep === 0) return Buffer.alloc(0)
  const record = Buffer.alloc(DEATH_BYTES)
  writeTain(record, 0, atMs)
  const signal = 'signal' in ending ? SIGNALS[ending.signal] : 0
  record[12] = 'signal' in ending ? 128 + signal : ending.exitCode
  record[13] = signal
  const whole = tally.length % DEATH_BYTES === 0 ? tally : Buffer.alloc(0)
  return Buffer.concat([whole.subarray(Math.max(0, whole.length - (keep - 1) * DEATH_BYTES)), record])
}

/** As waitpid(2) gives it; 0 before the first death. */
function waitStatus(ending: Ending | undefined): number {
  if (ending === undefined) return 0
  return 'signal' in ending ? SIGNALS[ending.signal] : (ending.exitCode & 0xff) << 8
}

/** TAI64 label of the Unix epoch: 2^62, 10 s, and the 27 leap seconds there have been since 1972; nanoseconds follow it. */
const EPOCH_LABEL = 2n ** 62n + 37n

/** @param stamp 24 hexadecimal digits of TAI64N */
export const tainToUnixMs = (stamp: string): number =>
  Number(BigInt(`0x${stamp.slice(0, 16)}`) - EPOCH_LABEL) * 1000 + Number.parseInt(stamp.slice(16), 16) / 1e6

function writeTain(bytes: Buffer, offset: number, unixMs: number): void {
  const seconds = Math.floor(unixMs / 1000)
  bytes.writeBigUInt64BE(EPOCH_LABEL + BigInt(seconds), offset)
  bytes.writeUInt32BE(Math.floor((unixMs - seconds * 1000) * 1e6), offset + 8)
}
