import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { stampText } from '../../src/s6/status.ts'

let count = 0

/**
 * Listens to a slot's events as s6's tools do, by a FIFO whose name says since when.
 * @param sinceMs Unix ms
 * @returns what was heard, once: it listens no longer
 */
export function listen(slotDir: string, sinceMs: number): () => string {
  const fifo = join(slotDir, 'event', `ftrig1:${stampText(sinceMs)}:${String(count++).padStart(6, '0')}`)
  execFileSync('mkfifo', [fifo])
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  return () => {
    const buffer = Buffer.alloc(64)
    try {
      return buffer.toString('latin1', 0, readSync(fd, buffer))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
      throw error
    } finally {
      closeSync(fd)
    }
  }
}
