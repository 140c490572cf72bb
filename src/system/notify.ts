import { closeSync, fstatSync, writeSync } from 'node:fs'

/**
 * Says that this program is ready (s6's notification: a newline) and closes the descriptor. Only a FIFO or a socket is one to say it
 * on: where nobody waits for it, that number may be a file of Node's own.
 */
export function announceReady(fd: number): void {
  try {
    const stat = fstatSync(fd)
    if (!stat.isFIFO() && !stat.isSocket()) return
    writeSync(fd, '\n')
    closeSync(fd)
  } catch (error) {
    // The reader has gone, or there never was such a descriptor: the program is ready all the same.
    if (!['EBADF', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
