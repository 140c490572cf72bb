import { closeSync, readSync } from 'node:fs'

const MOST_BYTES = 65_536

/** Reads the waiting data of a FIFO that is open without blocking, and closes it. */
export function readWaiting(fd: number): string {
  const buffer = Buffer.alloc(MOST_BYTES)
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
    throw error
  } finally {
    closeSync(fd)
  }
}
