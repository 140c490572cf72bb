import { mkdtempSync, readFileSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MEMORY = '/dev/shm'
/** Several test files are at work at once, and engines give a container 64 MB. */
const ENOUGH_BYTES = 1_000_000_000

/**
 * A new directory for files that are synced again and again, as a board's are at each commit: in memory where there is
 * room, so that no test waits for the disk. It is the caller's to remove.
 * @param prefix of its name
 */
export const quickDir = (prefix: string): string => mkdtempSync(join(hasRoom() ? MEMORY : tmpdir(), prefix))

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY)
    // Programs of a test may lie there, too.
    return (
      bavail * bsize > ENOUGH_BYTES && !/^\S+ \/dev\/shm \S+ \S*\bnoexec\b/m.test(readFileSync('/proc/mounts', 'utf8'))
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false // no such mount here
    throw error
  }
}
