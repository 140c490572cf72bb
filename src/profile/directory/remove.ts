import { promises, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { isThere, makeDirectory } from '../../system/files/directory.ts'
import { randomTag, syncDirectory } from '../../system/files/replace-file.ts'
import { gatewaySlot, historyFile, homePaths, profileDir, slotLogDir } from '../../system/paths.ts'
import { readActiveProfile, writeActiveProfile } from '../active.ts'
import { DEFAULT_PROFILE } from '../names.ts'
import { refuseWalled } from '../walled.ts'
import { refuseUnfinished } from './remainders.ts'
import { type Progress, removeTree, stagingName, trackStaging } from './staging.ts'

/** The default profile is the volume itself. @throws HermesError REFUSED */
export function refuseDefault(name: string, verb: string): void {
  if (name !== DEFAULT_PROFILE) return
  throw new HermesError('REFUSED', `the default profile cannot be ${verb}: it is the volume's own directory`, {
    next: '"hermes profile list" shows the others',
  })
}

/**
 * Takes a profile off the disk. It is renamed to a dot name first, so it is gone in one step; killed after that, what
 * is left is swept by the next command. The caller has stopped its gateway.
 * @param name a profile in `profiles/`, never `default`
 */
export async function deleteProfile(home: string, name: string, progress?: Progress): Promise<void> {
  refuseDefault(name, 'deleted')
  refuseWalled(home, name, 'deleted')
  const parent = homePaths(home).profiles
  const doomed = join(parent, stagingName('deleted', name))
  await promises.rename(profileDir(home, name), doomed)
  await syncDirectory(parent)
  const activeLeft = readActiveProfile(home) === name && !(await resetActive(home))
  await removeTree(Buffer.from(doomed), trackStaging(doomed, progress))
  // The disk was full; what has just gone made room.
  if (activeLeft) await writeActiveProfile(home, DEFAULT_PROFILE)
}

/** @returns whether it could be written */
const resetActive = (home: string): Promise<boolean> =>
  writeActiveProfile(home, DEFAULT_PROFILE).then(
    () => true,
    () => false,
  )

/** Removes the logs of a profile's gateway, and the history of its usage. */
export async function deleteLogs(home: string, name: string): Promise<void> {
  for (const path of [slotLogDir(home, gatewaySlot(name)), historyFile(home, gatewaySlot(name))])
    await promises.rm(path, { recursive: true, force: true })
}

/**
 * Gives a profile another name; its desired state, its history and the gateway's logs go with it. The caller has
 * stopped its gateway.
 * @param to as parseProfileName returns it
 * @throws HermesError EXISTS
 */
export async function renameProfile(home: string, from: string, to: string): Promise<void> {
  refuseDefault(from, 'renamed')
  refuseWalled(home, from, 'renamed')
  await refuseTaken(home, to)
  refuseUnfinished(home, to)
  const [oldLogs, newLogs] = [slotLogDir(home, gatewaySlot(from)), slotLogDir(home, gatewaySlot(to))]
  // Logs first: once the directory has its new name, the supervisor may start the gateway and open the log of that
  // name.
  const moved = await moveLogs(oldLogs, newLogs)
  try {
    await promises.rename(profileDir(home, from), profileDir(home, to))
  } catch (error) {
    if (moved) await moveLogs(newLogs, oldLogs)
    throw error
  }
  await syncDirectory(homePaths(home).profiles)
  moveHistory(home, from, to)
  if (readActiveProfile(home) === from) await writeActiveProfile(home, to)
}

/** A plot that begins anew must not make a command fail. */
function moveHistory(home: string, from: string, to: string): void {
  const [old, next] = [from, to].map((name) => historyFile(home, gatewaySlot(name))) as [string, string]
  try {
    renameSync(old, next)
  } catch {
    rmSync(next, { force: true })
  }
}

/** @throws HermesError EXISTS when a profile of that name cannot be made because there is one */
export async function refuseTaken(home: string, name: string): Promise<void> {
  const target = profileDir(home, name)
  if (!isThere(target)) return
  throw new HermesError('EXISTS', `profile "${name}" already exists: ${target}`, { next: 'choose another name' })
}

/**
 * The logs of an earlier profile with the new name are kept under another name. @returns whether there were logs to
 * move
 */
async function moveLogs(from: string, to: string): Promise<boolean> {
  if (!isThere(from)) return false
  if (isThere(to)) await promises.rename(to, `${to}.before-${randomTag()}`)
  makeDirectory(dirname(to))
  await promises.rename(from, to)
  return true
}
