import { readSync } from 'node:fs'
import { Socket } from 'node:net'
import { unlessCode } from '../../system/error-code.ts'

const CHUNK_BYTES = 65_536
/** More than the kernel keeps for a socket (net.core.wmem_default is 208 KiB); a hostile sender could go on. */
const MOST_CHUNKS = 64

/**
 * Our end of a socket pair. The first write after the other end has died fails, and Node's socket then closes without
 * reading what lies in it: the last words of that program. This one reads them first.
 */
export class LinkedSocket extends Socket {
  readonly #fd: number

  constructor(fd: number) {
    super({ fd, readable: true, writable: true })
    this.#fd = fd
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (error !== null) this.#readRest()
    super._destroy(error, callback)
  }

  #readRest(): void {
    for (let chunks = 0; chunks < MOST_CHUNKS; chunks++) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
      // EAGAIN: it is empty, and the other end lives; ECONNRESET: it died without reading everything.
      const bytes = unlessCode(['EAGAIN', 'ECONNRESET'], () => readSync(this.#fd, chunk), 0)
      if (bytes === 0) return
      this.emit('data', chunk.subarray(0, bytes))
    }
  }
}
