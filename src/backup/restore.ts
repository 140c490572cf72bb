/** Puts a backup in place: nothing is written before all of it has been compared with its manifest. */
import { createHash } from 'node:crypto'
import { promises } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { removeTree, stagingName, sweepBackupLeftovers } from '../profile/directory/staging.ts'
import { isProfileName } from '../profile/names.ts'
import { writeDesired } from '../profile/state/state.ts'
import { HermesError } from '../system/errors.ts'
import { makeDirectory } from '../system/files/directory.ts'
import { syncDirectory } from '../system/files/replace-file.ts'
import { profileDir } from '../system/paths.ts'
import type { Manifest } from './manifest.ts'
import { continueMove, findInterrupted, moveIn, REST } from './moving-in.ts'
import { argumentOf, checkBackup, type UnpackFacts, unpackBackup } from './unpack.ts'

export interface RestoreFacts extends UnpackFacts {
  /** A directory that is empty, does not exist, or has what an interrupted restore of the same backup has left. */
  readonly dir: string
  /** Gateways that ran start at the next boot. */
  readonly startAsBefore: boolean
}

/**
 * What is in `dir` when this returns is on the disk.
 * @throws HermesError REFUSED for a directory with something in it, or a backup of one profile; what readBackup throws;
 * the error of the file system
 */
export async function restoreBackup(facts: RestoreFacts): Promise<Manifest> {
  const dir = resolve(facts.dir)
  const found = await look(dir)
  const parent = found === 'none' ? dirname(dir) : dir
  // The files of an interrupted restore are on the disk already.
  const space = typeof found === 'object' ? undefined : parent
  const manifest = await checkBackup(facts, space, (read) => requireHome(read, facts.name))
  const mark = markOf(manifest, facts.startAsBefore)
  if (typeof found === 'object') {
    await continueMove(found.interrupted, dir, mark)
    return manifest
  }
  if (found === 'none') makeDirectory(parent)
  const staging = join(parent, stagingName('hermes-restore', 'home'))
  await promises.mkdir(join(staging, REST), { mode: 0o700, recursive: true })
  try {
    await unpackBackup(facts, join(staging, REST), staging, (read) =>
      setAllDesired(join(staging, REST), read, facts.startAsBefore),
    )
    if (found === 'none') await appear(staging, dir)
    else await moveIn(staging, dir, mark)
  } catch (error) {
    await removeTree(Buffer.from(staging))
    throw error
  }
  return manifest
}

/** `lost+found` is at the top of a new file system. @throws HermesError REFUSED */
async function look(dir: string): Promise<'none' | 'empty' | { readonly interrupted: string }> {
  let names: readonly string[]
  try {
    await sweepBackupLeftovers(dir)
    names = await promises.readdir(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'none'
    throw error
  }
  const interrupted = await findInterrupted(dir, names)
  if (interrupted !== undefined) return { interrupted }
  const [first] = names.filter((name) => name !== 'lost+found')
  if (first === undefined) return 'empty'
  throw new HermesError('REFUSED', `${dir} is not empty: it has ${JSON.stringify(first)}; nothing was restored`, {
    next: 'name a new directory with --into DIR, or use a new volume',
  })
}

function requireHome({ profile }: Manifest, name: string): void {
  if (profile === undefined) return
  throw new HermesError('REFUSED', `${name} has one profile, ${JSON.stringify(profile)}, and no home`, {
    next: `hermes profile import ${argumentOf(name)}`,
  })
}

/** One for each backup, and for each way to restore it. */
const markOf = (manifest: Manifest, startAsBefore: boolean): string =>
  `${createHash('sha256').update(JSON.stringify(manifest)).digest('hex')} ${startAsBefore}\n`

/** Written for each profile, because a home without this file may start its default gateway at its first boot. */
function setAllDesired(home: string, { desired, entries }: Manifest, startAsBefore: boolean): void {
  const state = (name: string): 'running' | 'stopped' =>
    startAsBefore && desired[name] === 'running' ? 'running' : 'stopped'
  writeDesired(home, state('default'))
  for (const { type, path } of entries) {
    const [, profile = ''] = /^profiles\/([^/]+)$/.exec(path) ?? []
    if (type === 'directory' && isProfileName(profile)) writeDesired(profileDir(home, profile), state(profile))
  }
}

/** A new directory appears at once. */
async function appear(staging: string, dir: string): Promise<void> {
  await promises.rename(join(staging, REST), dir)
  await promises.rmdir(staging)
  await syncDirectory(dirname(dir))
}
