import { closeSync, constants, fstatSync, openSync, readdirSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { SUBSCRIBER } from '../../protocol/s6.ts'
import { unlessCode } from '../../system/error-code.ts'

const { O_RDONLY, O_WRONLY, O_DIRECTORY, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants
const OTHERS_WRITE = 0o022

/**
 * Notifies listeners of a slot that the supervisor may not notify: s6's tools of other users, mainly root, whose FIFO
 * only init may write. The directory belongs to the runtime user, so links in it are not followed, and only FIFOs are
 * opened.
 * @param slotDir directory of a slot key in the scan directory
 * @param runtimeUid owner of the FIFOs that the supervisor has written itself
 */
export function notifyListeners(slotDir: string, events: string, runtimeUid: number): void {
  inDirectory(slotDir, (slot) =>
    inDirectory(join(slot, 'event'), (event) => {
      for (const name of readdirSync(event))
        if (SUBSCRIBER.test(name)) notifyListener(join(event, name), events, runtimeUid)
    }),
  )
}

/**
 * Works in the directory itself, even if its name is replaced in the meantime. A missing directory has no listeners.
 */
function inDirectory(path: string, work: (held: string) => void): void {
  attempt(path, O_RDONLY | O_DIRECTORY, (fd) => work(`/proc/self/fd/${fd}`))
}

function notifyListener(path: string, events: string, runtimeUid: number): void {
  const isOpen = attempt(path, O_WRONLY, (fd) => {
    const status = fstatSync(fd)
    if (!status.isFIFO() || status.uid === runtimeUid || (status.mode & OTHERS_WRITE) !== 0) return
    writeSync(fd, events)
  })
  if (isOpen === 'ENXIO' || isOpen === 'EPIPE') attemptUnlink(path)
}

/** A listener that has gone (ENXIO), does not read (EAGAIN), or was replaced a moment ago is not an error. */
function attempt(path: string, flags: number, use: (fd: number) => void): string | undefined {
  let fd: number | undefined
  try {
    fd = openSync(path, flags | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY)
    use(fd)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown'
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

const attemptUnlink = (path: string): void => unlessCode(['ENOENT'], () => unlinkSync(path))
