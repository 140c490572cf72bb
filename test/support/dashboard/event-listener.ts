import { randomBytes } from 'node:crypto'
import { constants, openSync } from 'node:fs'
import { join } from 'node:path'
import { runSync } from '../../../scripts/run.ts'
import { subscriberName } from '../../../src/protocol/s6.ts'
import { readWaiting } from '../supervisor/read-waiting.ts'

/**
 * Listens to a slot's events as s6's tools do, by a FIFO whose name says since when.
 * @param sinceMs Unix ms
 * @returns what was heard, once: it listens no longer
 */
export function listen(slotDir: string, sinceMs: number): () => string {
  const fifo = join(slotDir, 'event', subscriberName(sinceMs, randomBytes(3).toString('hex')))
  runSync('mkfifo', [fifo])
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  return () => readWaiting(fd)
}
