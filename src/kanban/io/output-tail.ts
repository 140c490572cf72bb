/** The last a worker has written: the summary of a run whose worker said nothing else. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

const TAIL_BYTES = 64 * 1024
const MAX_CHARS = 4000

/**
 * The end of what a task's log got since `sinceMs`, without stamps.
 * @returns '' when there is nothing
 */
export function outputSince(file: string, sinceMs: number): string {
  const since = new Date(sinceMs).toISOString()
  const lines = readTail(file)
    .split('\n')
    .filter((line) => line.slice(0, 24) >= since && /^\d{4}-\d\d-\d\dT/.test(line))
    .map((line) => line.slice(25))
  return lines.join('\n').trim().slice(-MAX_CHARS)
}

function readTail(file: string): string {
  let fd: number
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  } catch (error) {
    // A worker that wrote nothing has no log; one that cannot be read costs the summary, not the result.
    if ((error as NodeJS.ErrnoException).code !== undefined) return ''
    throw error
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) return ''
    const from = Math.max(0, stat.size - TAIL_BYTES)
    const bytes = Buffer.alloc(stat.size - from)
    const read = readSync(fd, bytes, 0, bytes.length, from)
    return bytes.toString('utf8', 0, read)
  } finally {
    closeSync(fd)
  }
}
