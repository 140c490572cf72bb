import { writeSync } from 'node:fs'
import type { Native } from './native.ts'

/** A stream of the container, and how to write to it without blocking (docs/ARCHITECTURE.md, "Logs"). */
export interface ConsoleSink {
  readonly fd: number
  /**
   * `stream`: a private O_NONBLOCK description. `shared`: the inherited one; poll for room before each write of at
   * most 4096 bytes. `file`: never blocks. `socket`: send(MSG_DONTWAIT). `none`: closed, write nothing.
   */
  readonly kind: 'stream' | 'shared' | 'file' | 'socket' | 'none'
}

/** Amount that a FIFO with room takes without blocking (PIPE_BUF, pipe(7)). */
const ATOMIC_BYTES = 4096

/**
 * Writes what there is room for, and never waits. Not for `none`.
 * @returns number of bytes written; 0: no room
 * @throws the error of write(2): EAGAIN for a full stream, EPIPE without a reader
 */
export function writeToSink(
  { fd, kind }: ConsoleSink,
  native: Pick<Native, 'sendNonblocking' | 'hasRoom'>,
  bytes: Uint8Array,
): number {
  if (kind === 'socket') return native.sendNonblocking(fd, bytes)
  if (kind !== 'shared') return writeSync(fd, bytes)
  return native.hasRoom(fd) ? writeSync(fd, bytes.subarray(0, ATOMIC_BYTES)) : 0
}
