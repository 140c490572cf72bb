import { closeSync, fstatSync, writeSync } from 'node:fs'
import { hasCode } from './error-code.ts'

/**
 * Reports readiness (s6's notification: a newline) and closes the descriptor. Writes only to a FIFO or a socket: if
 * no notification is expected, that number may be a file of Node's own.
 */
export function announceReady(fd: number): void {
  try {
    const stat = fstatSync(fd)
    if (!stat.isFIFO() && !stat.isSocket()) return
    writeSync(fd, '\n')
    closeSync(fd)
  } catch (error) {
    // The reader has gone, or there never was such a descriptor: the program is ready all the same.
    if (!hasCode(error, 'EBADF', 'EPIPE')) throw error
  }
}
