import { SIGNALS, signalName } from '../system/signals.ts'

/** `supervise/status` of a slot directory, as s6 writes it. @see s6's src/libs6/s6_svstatus_unpack.c */
export interface ServiceState {
  readonly pid: number | undefined
  readonly changedAt: Stamp
  readonly readyChangedAt: Stamp
  /** How the last process ended, as waitpid(2) says it; 0 before the first death. */
  readonly waitStatus: number
  readonly paused: boolean
  /** `pid` is that of the finish script. */
  readonly finishing: boolean
  readonly wantedUp: boolean
  readonly ready: boolean
}

/** TAI64N, as 12 bytes in hexadecimal and as Unix milliseconds. */
export interface Stamp {
  readonly hex: string
  readonly unixMs: number
}

/** Every s6 but 2.13 writes 35 bytes; 2.13 has the process group in between. */
const SIZE = 35
const SIZE_WITH_PGID = 43
const STAMP_BYTES = 12
/** TAI64 label of the Unix epoch: 2^62, 10 s, and the 27 leap seconds since (the last one was in 2016). */
const EPOCH_LABEL = 2n ** 62n + 37n

/** @returns undefined when the bytes are no status */
export function decodeStatus(bytes: Buffer): ServiceState | undefined {
  if (bytes.length !== SIZE && bytes.length !== SIZE_WITH_PGID) return undefined
  const tail = bytes.subarray(bytes.length - 3)
  const pid = Number(bytes.readBigUInt64BE(24))
  const flags = tail.readUInt8(2)
  return {
    pid: pid === 0 ? undefined : pid,
    changedAt: stampAt(bytes, 0),
    readyChangedAt: stampAt(bytes, 12),
    waitStatus: tail.readUInt16BE(0),
    paused: (flags & 1) !== 0,
    finishing: (flags & 2) !== 0,
    wantedUp: (flags & 4) !== 0,
    ready: (flags & 8) !== 0,
  }
}

/** The stamp at that place, as 24 hexadecimal digits. */
export const stampHex = (bytes: Buffer, from: number): string => bytes.toString('hex', from, from + STAMP_BYTES)

/** `@` and 24 hexadecimal digits. @param unixMs whole ms */
export const stampText = (unixMs: number): string => {
  const seconds = Math.floor(unixMs / 1000)
  const nanoseconds = (unixMs - seconds * 1000) * 1e6
  return `@${(EPOCH_LABEL + BigInt(seconds)).toString(16)}${nanoseconds.toString(16).padStart(8, '0')}`
}

/** `SIGTERM`; to s6 a real-time signal has no name, and is `SIG???`. */
export const signalText = (number: number): string =>
  `SIG${(number <= SIGNALS.SYS ? signalName(number) : undefined) ?? '???'}`

const stampAt = (bytes: Buffer, from: number): Stamp => ({
  hex: stampHex(bytes, from),
  unixMs: Number(bytes.readBigUInt64BE(from) - EPOCH_LABEL) * 1000 + Math.floor(bytes.readUInt32BE(from + 8) / 1e6),
})

/** The service's own process is there (not its finish script's). */
export const isUp = (state: ServiceState): boolean => state.pid !== undefined && !state.finishing
