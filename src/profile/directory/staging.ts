/**
 * Directories in `profiles/` that are being built or removed. They have a dot name, which no profile can have, and
 * name the process that works on them. The next command, or the next boot, removes the leftovers of a killed command.
 */

import { promises, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../../system/error-code.ts'
import { randomTag } from '../../system/files/replace-file.ts'
import { isZombie, readProcess } from '../../system/programs/proc.ts'

/** Called for each file that was copied or removed. */
export type Progress = (bytes: number) => void

/**
 * A directory of another PID namespace, whose processes are invisible here, counts as abandoned when nothing has
 * changed in it for this long.
 */
export const FOREIGN_AGE_MS = 60_000
/** A directory whose name does not identify its process, from an earlier version. */
const UNNAMED_AGE_MS = 24 * 3_600_000
/** A living one shows itself at least after so many files. */
const TOUCH_EVERY = 64

const LEFTOVER = /^\.(?:new|deleted)-/
/** These lie in directories of users, so only their whole name makes one of them ours. */
const OF_BACKUPS = /^\.hermes-(?:backup|restore)-[a-z0-9_-]+-\d+\.\d+\.\d+-[0-9a-z]+-[0-9a-z]+$/
const OWNED =
  /^\.(?:new|deleted|hermes-backup|hermes-restore|hermes-restoring)-[a-z0-9_-]+-(\d+)\.(\d+)\.(\d+)-[0-9a-z]+-[0-9a-z]+$/

/** PID namespaces are numbered; two containers have two. @returns `0` where /proc does not say */
function ownNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    // No /proc, or a kernel without namespaces: its age decides.
    return '0'
  }
}

/** A name for a directory that this process builds (`new`) or removes (`deleted`). */
export const stagingName = (
  kind: 'new' | 'deleted' | 'hermes-backup' | 'hermes-restore' | 'hermes-restoring',
  profile: string,
): string =>
  `.${kind}-${profile}-${process.pid}.${readProcess(process.pid)?.startTime ?? 0}.${ownNamespace()}-${randomTag()}`

/** Counts for `progress`, and shows others that the process working on `staging` is alive. */
export function trackStaging(staging: string, progress: Progress | undefined): Progress {
  let files = 0
  return (bytes) => {
    progress?.(bytes)
    // A failing touch costs at most a message of the copying process.
    if (++files % TOUCH_EVERY === 0) promises.utimes(staging, new Date(), new Date()).catch(() => undefined)
  }
}

/** Removes what killed commands left in `parent`. @returns how many of them */
export const sweepLeftovers = (parent: string, progress?: Progress): Promise<number> =>
  sweep(parent, LEFTOVER, progress)

/** Removes what killed backups and restores left in a directory, also one of a user. @returns how many of them */
export const sweepBackupLeftovers = (parent: string): Promise<number> => sweep(parent, OF_BACKUPS)

async function sweep(parent: string, pattern: RegExp, progress?: Progress): Promise<number> {
  const names = (await promises.readdir(parent)).filter((name) => pattern.test(name))
  let swept = 0
  for (const name of names) {
    const path = join(parent, name)
    if (!(await isLeft(path, name))) continue
    await removeTree(Buffer.from(path), progress)
    swept += 1
  }
  return swept
}

/** Tells whether the process that a directory of {@link stagingName} names is gone. */
export async function isLeft(path: string, name: string): Promise<boolean> {
  const [, pid, startTime, namespace] = OWNED.exec(name) ?? []
  if (namespace !== '0' && namespace === ownNamespace()) {
    const process = readProcess(Number(pid))
    return process === undefined || isZombie(process) || process.startTime !== Number(startTime)
  }
  const stat = await promises.lstat(path).catch(unlessMissing)
  return stat !== undefined && Date.now() - stat.mtimeMs > (namespace === undefined ? UNNAMED_AGE_MS : FOREIGN_AGE_MS)
}

/** rm -rf with progress. Names are handled as bytes, because decoding would change names that are not UTF-8. */
export async function removeTree(path: Buffer, progress?: Progress): Promise<void> {
  const stat = await promises.lstat(path).catch(unlessMissing)
  if (stat === undefined) return
  if (stat.isDirectory()) {
    for (const name of await promises.readdir(path, 'buffer')) await removeTree(childPath(path, name), progress)
    await promises.rmdir(path).catch(unlessMissing)
  } else await promises.unlink(path).catch(unlessMissing)
  progress?.(stat.isFile() ? stat.size : 0)
}

export const childPath = (dir: Buffer, name: Buffer): Buffer => Buffer.concat([dir, Buffer.from('/'), name])

export function unlessMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error
}
