/** Puts a backup in place: nothing is written before all of it has been compared with its manifest. */
import { promises, statfsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import {
  type Progress,
  removeTree,
  stagingName,
  sweepBackupLeftovers,
  trackStaging,
} from '../profile/directory/staging.ts'
import { isProfileName } from '../profile/names.ts'
import { writeDesired } from '../profile/state/state.ts'
import { HermesError } from '../system/errors.ts'
import { makeDirectory } from '../system/files/directory.ts'
import { syncDirectory } from '../system/files/replace-file.ts'
import { profileDir } from '../system/paths.ts'
import type { FileEntry, Manifest } from './manifest.ts'
import { readBackup } from './read.ts'

export interface RestoreFacts {
  /** Opens the decrypted backup, from its beginning. It is read twice. */
  readonly open: () => Promise<Readable>
  /** The file, for messages. */
  readonly name: string
  /** A directory that is empty or does not exist. */
  readonly dir: string
  /** Gateways that ran start at the next boot. */
  readonly startAsBefore: boolean
  readonly progress: Progress
  readonly signal: AbortSignal
}

/**
 * What is in `dir` when this returns is on the disk.
 * @throws HermesError REFUSED for a directory with something in it; what readBackup throws; the error of the file
 * system
 */
export async function restoreBackup(facts: RestoreFacts): Promise<Manifest> {
  const dir = resolve(facts.dir)
  const exists = await requireEmpty(dir)
  const parent = exists ? dir : dirname(dir)
  const manifest = await readBackup(await facts.open(), facts.name, {
    manifest: (read) => requireSpace(read, parent, facts.name),
    piece: () => facts.signal.throwIfAborted(),
  })
  if (!exists) makeDirectory(parent)
  const staging = join(parent, stagingName('hermes-restore', 'home'))
  await promises.mkdir(staging, { mode: 0o700 })
  try {
    await fill(staging, facts)
    await putInPlace(staging, dir, exists)
  } catch (error) {
    await removeTree(Buffer.from(staging))
    throw error
  }
  return manifest
}

/** `lost+found` is at the top of a new file system. @returns whether it exists */
async function requireEmpty(dir: string): Promise<boolean> {
  let names: readonly string[]
  try {
    await sweepBackupLeftovers(dir)
    names = await promises.readdir(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  const [first] = names.filter((name) => name !== 'lost+found')
  if (first === undefined) return true
  throw new HermesError('REFUSED', `${dir} is not empty: it has ${JSON.stringify(first)}; nothing was restored`, {
    next: 'name a new directory with --into DIR, or use a new volume',
  })
}

function requireSpace({ entries }: Manifest, parent: string, name: string): void {
  const files = entries.filter((entry) => entry.type === 'file')
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  const { bavail, bsize } = statfsSync(existing(parent))
  if (bytes <= bavail * bsize) return
  const largest = files.reduce((a, b) => (a.size >= b.size ? a : b))
  throw new HermesError(
    'FAILED',
    `${name} needs ${bytes} bytes, and ${parent} has ${bavail * bsize}; its largest file, ` +
      `${JSON.stringify(largest.path.slice(0, 200))}, has ${largest.size}`,
    { next: 'free some space, or name a directory on another disk with --into; nothing was written' },
  )
}

/** The nearest directory on the way that exists. */
function existing(dir: string): string {
  for (let at = dir; ; at = dirname(at)) {
    try {
      statfsSync(at)
      return at
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || at === '/') throw error
    }
  }
}

async function fill(staging: string, { open, name, progress, signal, startAsBefore }: RestoreFacts): Promise<void> {
  const alive = trackStaging(staging, undefined)
  const manifest = await readBackup(await open(), name, {
    manifest: async ({ entries }) => {
      for (const { type, path } of entries) if (type === 'directory') await promises.mkdir(join(staging, path), 0o700)
    },
    file: async (entry, content) => {
      await writeFile(join(staging, entry.path), entry, content)
      progress(entry.size)
    },
    piece: (bytes) => {
      signal.throwIfAborted()
      alive(bytes)
    },
  })
  // Last, so that no file is written through a link.
  for (const entry of manifest.entries)
    if (entry.type === 'link') await promises.symlink(entry.to, join(staging, entry.path))
  setDesired(staging, manifest, startAsBefore)
  const directories = manifest.entries.filter((entry) => entry.type === 'directory').reverse()
  for (const { path, mode } of [...directories, { path: '', mode: manifest.homeMode }]) {
    const directory = join(staging, path)
    await syncDirectory(directory)
    await promises.chmod(directory, mode)
  }
}

/** Written for each profile, because a home without this file may start its default gateway at its first boot. */
function setDesired(staging: string, { desired, entries }: Manifest, startAsBefore: boolean): void {
  const state = (name: string): 'running' | 'stopped' =>
    startAsBefore && desired[name] === 'running' ? 'running' : 'stopped'
  writeDesired(staging, state('default'))
  for (const { type, path } of entries) {
    const [, profile = ''] = /^profiles\/([^/]+)$/.exec(path) ?? []
    if (type === 'directory' && isProfileName(profile)) writeDesired(profileDir(staging, profile), state(profile))
  }
}

async function writeFile(path: string, { mode, modified }: FileEntry, content: AsyncIterable<Buffer>): Promise<void> {
  const file = await promises.open(path, 'wx', 0o600)
  try {
    for await (const chunk of content) await file.writeFile(chunk)
    const at = new Date(modified)
    if (!Number.isNaN(at.getTime())) await file.utimes(at, at)
    await file.chmod(mode)
    await file.sync()
  } catch (error) {
    throw Object.assign(error as Error, { path }) // write(2) knows no name
  } finally {
    await file.close()
  }
}

/** A new directory appears at once. One that exists may be a mount, so its content is moved into it. */
async function putInPlace(staging: string, dir: string, exists: boolean): Promise<void> {
  if (!exists) {
    await promises.rename(staging, dir)
    return syncDirectory(dirname(dir))
  }
  const moved: string[] = []
  try {
    for (const name of await promises.readdir(staging)) {
      await promises.rename(join(staging, name), join(dir, name))
      moved.push(name)
    }
  } catch (error) {
    for (const name of moved) await promises.rename(join(dir, name), join(staging, name))
    throw error
  }
  await promises.rmdir(staging)
  await syncDirectory(dir)
}
