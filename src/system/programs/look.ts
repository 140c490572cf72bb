import { type Stats, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { hasCode } from '../error-code.ts'

/**
 * What a path leads to. `hidden`: this user may not search a directory on the way, so nothing is known about the file,
 * not even that it exists.
 */
export type Seen = Stats | 'missing' | 'hidden'

/** Looks at a path that a user wrote: one that no file can have counts as missing. Links are followed. */
export function lookAt(path: string): Seen {
  try {
    return statSync(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) return 'missing'
    if (hasCode(error, 'EACCES', 'EPERM')) return 'hidden'
    throw error
  }
}

/**
 * The files that a command may mean, in the order in which execvp(3) tries them. An empty entry of PATH is the working
 * directory.
 * @param command its first argument: with a slash, a path; without, a name on PATH
 */
export const placesOf = (command: string, { path, cwd }: { readonly path: string; readonly cwd: string }): string[] =>
  command.includes('/') ? [resolve(cwd, command)] : path.split(':').map((dir) => resolve(cwd, dir, command))

/** Tells whether it is a file that some user may run. */
export const isProgram = (seen: Seen): boolean => typeof seen === 'object' && seen.isFile() && (seen.mode & 0o111) !== 0
