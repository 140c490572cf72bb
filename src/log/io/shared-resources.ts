import type { Clock } from '../../system/clock.ts'
import { Stamper } from '../stamper.ts'
import { DiskQueue } from './disk-queue.ts'
import { LossReport } from './loss-report.ts'
import { ReadTurns } from './read-turns.ts'

/**
 * More than the capacity of a pipe (pipe(7)), so that one read empties it, and libuv, seeing room left, does not try a
 * second.
 */
const READ_BYTES = 65_536 + 4096
/** The beginning of a line from an earlier read is put before the rest of it if it is no longer than that. */
const BEFORE_BYTES = 4096

/** Resources that all slots' logs of one supervisor share. Made once, passed to every SlotLog. */
export interface SharedLogResources {
  /** A read is handled to its end before the next one begins, so one buffer serves every slot. */
  readonly readBuffer: Buffer
  /** The same memory with what lies before the read bytes. */
  readonly beforeAndRead: Buffer
  readonly stamper: Stamper
  readonly turns: ReadTurns
  readonly disk: DiskQueue
  readonly losses: LossReport
}

/** @param warn takes one line: what could not be written, where, what to do */
export function sharedLogResources(clock: Clock, warn: (text: string) => void): SharedLogResources {
  const beforeAndRead = Buffer.allocUnsafeSlow(BEFORE_BYTES + READ_BYTES)
  return {
    readBuffer: beforeAndRead.subarray(BEFORE_BYTES),
    beforeAndRead,
    stamper: new Stamper(READ_BYTES),
    turns: new ReadTurns(),
    disk: new DiskQueue(clock),
    losses: new LossReport(clock, warn),
  }
}
