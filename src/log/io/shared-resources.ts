import type { Clock } from '../../system/clock.ts'
import { stampedBytes } from '../lines.ts'
import { DiskQueue } from './disk-queue.ts'
import { LossReport } from './loss-report.ts'
import { ReadTurns } from './read-turns.ts'

/**
 * More than the capacity of a pipe (pipe(7)), so that one read empties it, and libuv, seeing room left, does not try a
 * second.
 */
const READ_BYTES = 65_536 + 4096

/** Resources that all slots' logs of one supervisor share. Made once, passed to every SlotLog. */
export interface SharedLogResources {
  /** A read is handled to its end before the next one begins, so one buffer serves every slot. */
  readonly readBuffer: Buffer
  /** Where a chunk is stamped. Big for the worst case; the kernel gives pages only to what is used. */
  readonly stampBuffer: Buffer
  readonly turns: ReadTurns
  readonly disk: DiskQueue
  readonly losses: LossReport
}

/** @param warn takes one line: what could not be written, where, what to do */
export const sharedLogResources = (clock: Clock, warn: (text: string) => void): SharedLogResources => ({
  readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
  stampBuffer: Buffer.allocUnsafeSlow(stampedBytes(READ_BYTES)),
  turns: new ReadTurns(),
  disk: new DiskQueue(clock),
  losses: new LossReport(clock, warn),
})
