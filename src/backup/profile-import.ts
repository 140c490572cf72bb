/** Makes a profile of a backup that has one. */
import { promises } from 'node:fs'
import { join } from 'node:path'
import { moveIntoPlace } from '../profile/directory/create.ts'
import { refuseTaken } from '../profile/directory/remove.ts'
import { removeTree, stagingName, sweepLeftovers } from '../profile/directory/staging.ts'
import { parseProfileName } from '../profile/names.ts'
import { writeDesired } from '../profile/state/state.ts'
import { HermesError } from '../system/errors.ts'
import { makeDirectory } from '../system/files/directory.ts'
import { syncDirectory } from '../system/files/replace-file.ts'
import { homePaths, profileDir } from '../system/paths.ts'
import type { Manifest } from './manifest.ts'
import { argumentOf, checkBackup, type UnpackFacts, unpackBackup } from './unpack.ts'

export interface ImportFacts extends UnpackFacts {
  readonly home: string
  /** Name of the new profile; default: the one that it had. */
  readonly as: string | undefined
}

export interface Imported {
  readonly manifest: Manifest
  readonly name: string
  readonly dir: string
}

/**
 * Builds the profile under a dot name, so that it appears at once or not at all. It starts neither now nor at a boot.
 * @throws HermesError EXISTS, BAD_NAME, REFUSED for a backup of a whole home; what readBackup throws; the error of the
 * file system
 */
export async function importProfile(facts: ImportFacts): Promise<Imported> {
  const { home, as } = facts
  const parent = homePaths(home).profiles
  // Before a large file is read.
  if (as !== undefined) await refuseTaken(home, parseProfileName(as))
  let name = ''
  const manifest = await checkBackup(facts, parent, async (read) => {
    const had = requireOne(read, facts.name)
    name = parseProfileName(as ?? had)
    await refuseTaken(home, name)
  })
  const dir = profileDir(home, name)
  makeDirectory(parent)
  await sweepLeftovers(parent)
  const staging = join(parent, stagingName('new', name))
  await promises.mkdir(staging, { mode: 0o700 })
  try {
    await unpackBackup(facts, staging, staging, () => writeDesired(staging, 'stopped'))
    await moveIntoPlace(staging, dir, name)
  } catch (error) {
    await removeTree(Buffer.from(staging))
    throw error
  }
  await syncDirectory(parent)
  return { manifest, name, dir }
}

function requireOne({ profile }: Manifest, name: string): string {
  if (profile !== undefined) return profile
  throw new HermesError('REFUSED', `${name} has a whole home, not one profile; nothing was imported`, {
    next: `hermes restore ${argumentOf(name)} --into DIR; then export the profile there: HERMES_HOME=DIR hermes profile export NAME`,
  })
}
