import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../error-code.ts'
import type { Native } from './native.ts'

/** The file in a run directory that an init holds locked as long as it lives. It is never removed. */
export const runLock = (runDir: string): string => join(runDir, 'lock')

/**
 * Tells whether an init uses this run directory.
 * @returns `hidden`: it belongs to another user, so this cannot be known
 */
export function lookAtRunLock(native: Pick<Native, 'isLocked'>, runDir: string): 'held' | 'free' | 'hidden' {
  let fd: number
  try {
    fd = openSync(runLock(runDir), constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    return hasCode(error, 'EACCES', 'EPERM') ? 'hidden' : 'free'
  }
  const isLocked = native.isLocked(fd)
  closeSync(fd)
  return isLocked ? 'held' : 'free'
}
