/** The last output of a worker: the summary of a run that reported nothing else. */
import { readTail } from '../../system/files/small-file.ts'

const TAIL_BYTES = 64 * 1024
const MAX_CHARS = 4000

/**
 * The end of what a task's log got since `sinceMs`, without stamps.
 * @returns '' when there is nothing
 */
export function outputSince(file: string, sinceMs: number): string {
  const since = new Date(sinceMs).toISOString()
  // A worker that wrote nothing has no log; one that cannot be read costs the summary, not the result.
  const lines = (readTail(file, TAIL_BYTES).text ?? '')
    .split('\n')
    .filter((line) => line.slice(0, 24) >= since && /^\d{4}-\d\d-\d\dT/.test(line))
    .map((line) => line.slice(25))
  return lines.join('\n').trim().slice(-MAX_CHARS)
}
