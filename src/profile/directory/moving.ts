/**
 * Directories in `profiles/` of a profile that moves between nodes. They have a dot name, which no profile can have, so
 * no boot starts a gateway in one, and no sweep removes one: the command that moves the profile does that.
 */
import { promises } from 'node:fs'
import { join } from 'node:path'
import { isThere } from '../../system/files/directory.ts'
import { syncDirectory } from '../../system/files/replace-file.ts'
import { homePaths, profileDir } from '../../system/paths.ts'
import { readActiveProfile, writeActiveProfile } from '../active.ts'
import { DEFAULT_PROFILE } from '../names.ts'
import { movingDir } from './remainders.ts'
import { refuseTaken } from './remove.ts'
import { type Progress, removeTree, stagingName, trackStaging } from './staging.ts'

/** Sets a profile aside. The caller has stopped its gateway. */
export const setAside = (home: string, name: string): Promise<void> =>
  renamed(home, profileDir(home, name), movingDir(home, name))

/** @throws HermesError EXISTS: a profile of that name has been made in the meantime */
export async function putInPlace(home: string, name: string, from: string): Promise<void> {
  await refuseTaken(home, name)
  await renamed(home, from, profileDir(home, name))
}

async function renamed(home: string, from: string, to: string): Promise<void> {
  await promises.rename(from, to)
  await syncDirectory(homePaths(home).profiles)
}

/** Removes a directory of this kind, if it is there. */
export async function removeAside(home: string, name: string, dir: string, progress?: Progress): Promise<void> {
  if (!isThere(dir)) return
  const doomed = join(homePaths(home).profiles, stagingName('deleted', name))
  await renamed(home, dir, doomed)
  await removeTree(Buffer.from(doomed), trackStaging(doomed, progress))
}

/** Commands without `-p` do not go to a profile that has left. */
export async function resetActive(home: string, name: string): Promise<void> {
  if (readActiveProfile(home) === name) await writeActiveProfile(home, DEFAULT_PROFILE)
}
