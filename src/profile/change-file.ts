/** Commands that change one file at the same time: each begins with what the one before has written. */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs'
import { type Clock, pause } from '../system/clock.ts'
import { HermesError } from '../system/errors.ts'

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants

const LOOK_MS = 10
/** Reading, editing and writing a file takes some ms; a disk that is slow takes longer. */
const GIVE_UP_MS = 10_000

/**
 * Runs `change`, which reads a file and replaces it, while no other command does so. The lock is one of the file that
 * is replaced, so that nothing lies beside it; a file that was replaced before the lock was held is left for the new
 * one. A file that cannot be locked, because of its owner or its file system, is changed all the same.
 * @param createMode makes the file, empty, where it is missing; undefined: a missing file is not locked
 * @throws HermesError TIMED_OUT when another command does not end; what `change` throws
 */
export async function changeAlone<T>(
  file: string,
  { clock, createMode }: { readonly clock: Clock; readonly createMode?: number },
  change: () => Promise<T>,
): Promise<T> {
  const { loadNative } = await import('../system/native/native-libc.ts')
  const { native } = await loadNative()
  const untilMs = clock.nowMs() + GIVE_UP_MS
  for (;;) {
    const fd = openToLock(file, createMode)
    if (fd === undefined) return change()
    try {
      const lock = native.tryLock(fd)
      if (lock === 'unsupported' || (lock === 'held' && isStill(file, fd))) return await change()
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

/** undefined: missing, or not ours to write. The change itself reports what is wrong with it. */
function openToLock(file: string, createMode: number | undefined): number | undefined {
  const flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | (createMode === undefined ? 0 : O_CREAT)
  try {
    return openSync(file, flags, createMode)
  } catch {
    return undefined
  }
}

function isStill(file: string, fd: number): boolean {
  const [opened, named] = [fstatSync(fd), statSync(file, { throwIfNoEntry: false })]
  return named !== undefined && named.ino === opened.ino && named.dev === opened.dev
}
