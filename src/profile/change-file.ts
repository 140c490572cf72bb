/** Commands that change one file at the same time: each begins with what the one before has written. */
import { closeSync, constants, fstatSync, openSync, rmSync, statSync } from 'node:fs'
import { type Clock, pause } from '../system/clock.ts'
import { hasCode } from '../system/error-code.ts'
import { HermesError } from '../system/errors.ts'

const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants

const LOOK_MS = 10
/** Reading, editing and writing a file takes some ms; a disk that is slow takes longer. */
const GIVE_UP_MS = 10_000

/**
 * Runs `change`, which reads a file and replaces it, while no other command does so. The lock is one of the file that
 * is replaced, so that nothing lies beside it; a file that was replaced before the lock was held is left for the new
 * one. A file that cannot be locked, because of its owner or its file system, is changed all the same.
 * A missing file is made, empty, so that it can be locked; it goes again if `change` leaves it so.
 * @param mode mode of a file that is made
 * @throws HermesError TIMED_OUT when another command does not end; what `change` throws
 */
export async function changeAlone<T>(
  file: string,
  { clock, mode }: { readonly clock: Clock; readonly mode: number },
  change: () => Promise<T>,
): Promise<T> {
  const { loadNative } = await import('../system/native/native-libc.ts')
  const { native } = await loadNative()
  const untilMs = clock.nowMs() + GIVE_UP_MS
  for (;;) {
    const opened = openToLock(file, mode)
    if (opened === undefined) return change()
    const { fd, isNew } = opened
    try {
      const lock = native.tryLock(fd)
      if (lock === 'unsupported' || (lock === 'held' && isStill(file, fd)))
        return await (isNew ? removingEmpty(file, fd, change) : change())
    } finally {
      closeSync(fd)
    }
    if (clock.nowMs() >= untilMs)
      throw new HermesError('TIMED_OUT', `another command has been changing ${file} for ${GIVE_UP_MS / 1000} s`, {
        next: `"fuser -v ${file}" shows which one; nothing was changed`,
      })
    await pause(clock, LOOK_MS)
  }
}

/** undefined: it cannot be opened or made. The change itself reports what is wrong with it. */
function openToLock(file: string, mode: number): { readonly fd: number; readonly isNew: boolean } | undefined {
  const flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
  for (const isNew of [false, true, false]) {
    try {
      return { fd: openSync(file, isNew ? flags | O_CREAT | O_EXCL : flags, mode), isNew }
    } catch (error) {
      // EEXIST: another command has just made it.
      if (!hasCode(error, 'ENOENT', 'EEXIST')) return undefined
    }
  }
  return undefined
}

async function removingEmpty<T>(file: string, fd: number, change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } finally {
    // Commands that wait for the lock look at the name again, and make the file anew.
    if (isStill(file, fd) && fstatSync(fd).size === 0) rmSync(file, { force: true })
  }
}

function isStill(file: string, fd: number): boolean {
  const [opened, named] = [fstatSync(fd), statSync(file, { throwIfNoEntry: false })]
  return named !== undefined && named.ino === opened.ino && named.dev === opened.dev
}
