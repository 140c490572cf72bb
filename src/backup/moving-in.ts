/**
 * Moves a restored home into a directory that exists, name by name, because it may be a mount. Killed on the way, the
 * rest is in a directory of it, and the next restore of the same backup goes on from there.
 */
import { promises } from 'node:fs'
import { join } from 'node:path'
import { isLeft, removeTree, stagingName } from '../profile/directory/staging.ts'
import { HermesError } from '../system/errors.ts'
import { syncDirectory } from '../system/files/replace-file.ts'
import { shellQuote } from '../system/programs/sh-environment.ts'

/** Has the names that are still to be moved. */
export const REST = 'home'
/** Tells which backup they are of. */
const MARK = 'backup'
const RESTORING = /^\.hermes-restoring-/

/**
 * @param staging a directory with {@link REST} in it, on the file system of `dir`; it is gone afterwards
 * @param mark text that tells this backup and the way it is restored from others
 * @throws the error of the file system; `dir` is empty then, and `staging` gone
 */
export async function moveIn(staging: string, dir: string, mark: string): Promise<void> {
  await promises.writeFile(join(staging, MARK), mark, { flush: true })
  await syncDirectory(staging)
  const from = join(dir, stagingName('hermes-restoring', 'home'))
  await promises.rename(staging, from)
  await syncDirectory(dir)
  const moved: string[] = []
  try {
    await moveRest(from, dir, moved)
  } catch (error) {
    await moveBack(moved, from, dir, error as Error)
    await removeMoved(from, dir)
    throw error
  }
  await removeMoved(from, dir)
}

/** @throws HermesError: not everything could be moved back, so the same command goes on with what is left */
async function moveBack(moved: readonly string[], from: string, dir: string, cause: Error): Promise<void> {
  try {
    for (const name of moved) await promises.rename(join(dir, name), join(from, REST, name))
  } catch (error) {
    throw new HermesError(
      'FAILED',
      `the restore into ${dir} was interrupted: ${cause.message}; and what is there could not be moved back: ` +
        (error as Error).message,
      { next: 'remove the cause and run the same command again, which goes on from there', cause },
    )
  }
}

/** Under a name of its own: killed on the way, the rest is swept by the next command, and nothing goes on with it. */
async function removeMoved(from: string, dir: string): Promise<void> {
  const removed = join(dir, stagingName('hermes-restore', 'home'))
  await promises.rename(from, removed)
  await removeTree(Buffer.from(removed))
}

/**
 * The directory that a restore which was killed has left in `dir`.
 * @throws HermesError REFUSED: the restore may still run
 */
export async function findInterrupted(dir: string, names: readonly string[]): Promise<string | undefined> {
  const name = names.find((one) => RESTORING.test(one))
  if (name === undefined) return undefined
  const path = join(dir, name)
  if (await isLeft(path, name)) return path
  throw new HermesError('REFUSED', `another restore is filling ${dir}; nothing was restored`, {
    next: 'wait a minute; if it was killed, the same command goes on from there',
  })
}

/**
 * Finishes what was interrupted. Nothing that is in `dir` is replaced.
 * @throws HermesError REFUSED; the error of the file system
 */
export async function continueMove(interrupted: string, dir: string, mark: string): Promise<void> {
  const empty = `or empty it first: find ${shellQuote(dir)} -mindepth 1 -delete`
  if ((await promises.readFile(join(interrupted, MARK), 'utf8')) !== mark)
    throw new HermesError(
      'REFUSED',
      `${dir} has a part of another backup, whose restore was interrupted; nothing was restored`,
      { next: `restore that backup with the same options, which goes on from there; ${empty}` },
    )
  const names = new Set(await promises.readdir(dir))
  const both = (await promises.readdir(join(interrupted, REST))).find((name) => names.has(name))
  if (both !== undefined)
    throw new HermesError(
      'REFUSED',
      `a restore into ${dir} was interrupted, and ${JSON.stringify(both)} has been made there since`,
      { next: `move ${shellQuote(join(dir, both))} away and run the command again; ${empty}` },
    )
  await moveRest(interrupted, dir, [])
  await removeMoved(interrupted, dir)
}

async function moveRest(from: string, dir: string, moved: string[]): Promise<void> {
  for (const name of await promises.readdir(join(from, REST))) {
    await promises.rename(join(from, REST, name), join(dir, name))
    moved.push(name)
  }
  await syncDirectory(dir)
}
