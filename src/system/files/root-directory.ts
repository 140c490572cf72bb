import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs'

/**
 * Makes a directory that only root can enter, or makes one that is there so.
 * @returns why that is not possible, in one line
 */
export function makeRootDirectory(dir: string): string | undefined {
  try {
    if (lstatSync(dir, { throwIfNoEntry: false }) === undefined) mkdirSync(dir, { mode: 0o700 })
    const status = lstatSync(dir)
    if (!status.isDirectory()) return `${dir} is not a directory`
    // A mounted directory may come with another owner and mode.
    if (status.uid !== 0 || status.gid !== 0) chownSync(dir, 0, 0)
    if ((status.mode & 0o777) !== 0o700) chmodSync(dir, 0o700)
    return undefined
  } catch (error) {
    return `${dir} cannot be made root's alone: ${(error as NodeJS.ErrnoException).code ?? String(error)}`
  }
}
