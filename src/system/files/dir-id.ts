import { statSync } from 'node:fs'

/** Device and inode, `dev:ino`: the directory itself, whatever its name is now. */
export type DirId = string

/** Device and inode of a directory, links followed; undefined when it is not there, no directory, or out of reach. */
export function dirId(path: string): DirId | undefined {
  try {
    // bigint: an inode number may be past 2^53, and two that round to one would be taken for one directory.
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    return stat?.isDirectory() ? `${stat.dev}:${stat.ino}` : undefined
  } catch {
    // EACCES, EIO, ESTALE: not to be seen, which is all the caller needs to know.
    return undefined
  }
}
