import { readSync } from 'node:fs'
import { PROTOCOL_FD, type SupervisorStart } from '../protocol/start-up.ts'

const NEWLINE = 10

/**
 * Waits for init's orders. init sends nothing else before our `hello`, so nothing after that line is read.
 * @returns undefined when init has ended instead
 */
export function readStart(): SupervisorStart | undefined {
  const buffer = Buffer.alloc(65_536)
  const chunks: Buffer[] = []
  for (;;) {
    const bytes = readSync(PROTOCOL_FD, buffer)
    if (bytes === 0) return undefined
    chunks.push(Buffer.from(buffer.subarray(0, bytes)))
    if (buffer[bytes - 1] === NEWLINE) return JSON.parse(Buffer.concat(chunks).toString('utf8')) as SupervisorStart
  }
}
