import { closeSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { unlessCode } from '../../system/error-code.ts'

const NEWLINE = 10
/** A service that writes this much without a newline has not understood what the descriptor is for. */
const MAX_BYTES = 65_536

/**
 * The reading end of a notification fd: readiness is the first newline (s6's notification-fd); an end without one
 * means nothing. init reads it, not the supervisor, whose death would send a starting service SIGPIPE.
 */
export class ReadinessPipe {
  readonly #fd: number
  readonly #socket: Socket
  readonly #ready: () => void
  #bytes = 0
  #done = false

  /** @param fd a non-blocking read end, owned by this object from now on */
  constructor(fd: number, ready: () => void) {
    this.#fd = fd
    this.#ready = ready
    this.#socket = new Socket({ fd, readable: true, writable: false })
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk))
    // Everything was read. The socket closes its fd now; the number may belong to another file when the service's end
    // is noticed.
    this.#socket.on('end', () => this.close())
    this.#socket.on('error', () => this.close())
  }

  /** The service has ended: takes what it may have written just before, then closes. */
  finish(): void {
    // A socket that has seen the end of its pipe is destroyed, and its number may belong to another file by now.
    if (!this.#done && !this.#socket.destroyed) this.#take(readWhatIsThere(this.#fd))
    this.close()
  }

  close(): void {
    this.#done = true
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    if (this.#done) return
    this.#bytes += chunk.length
    if (chunk.includes(NEWLINE)) {
      this.close()
      this.#ready()
    } else if (this.#bytes > MAX_BYTES) this.close()
  }
}

function readWhatIsThere(fd: number): Buffer {
  const buffer = Buffer.alloc(MAX_BYTES)
  // EAGAIN: nothing was written, and another process holds the other end.
  return buffer.subarray(
    0,
    unlessCode(['EAGAIN'], () => readSync(fd, buffer), 0),
  )
}

/** Closes descriptors we made for a child that has its own copies now. */
export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd)
}
