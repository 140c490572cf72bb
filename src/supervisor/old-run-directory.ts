import { existsSync, rmSync } from 'node:fs'
import { below } from '../system/paths.ts'

/**
 * Removes the run directory that an earlier version kept in the volume: its scripts and its store contain the
 * environment of a container, including secrets. Call it with the volume's lock held, so that no other supervisor of
 * this volume can be using it.
 * @returns the directory that was removed; undefined: there was none, or it is ours
 * @throws the error of the file system
 */
export function removeOldRunDirectory(home: string, runDir: string): string | undefined {
  const old = below(home, 'run')
  // init's lock file marks a run directory; a directory `run` of the user's has none.
  if (old === runDir || !existsSync(below(old, 'lock')) || !existsSync(below(old, 'environment'))) return undefined
  rmSync(old, { recursive: true, force: true })
  return old
}
