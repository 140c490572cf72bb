/** Writes the content of a backup into a new directory, after all of it has been compared with its manifest. */
import { promises, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { type Progress, trackStaging } from '../profile/directory/staging.ts'
import { HermesError } from '../system/errors.ts'
import { syncDirectory } from '../system/files/replace-file.ts'
import { shellWord } from '../system/programs/sh-environment.ts'
import { RUN_STATE } from './left-out.ts'
import type { FileEntry, Manifest } from './manifest.ts'
import { readBackup } from './read.ts'

export interface UnpackFacts {
  /** Opens the decrypted backup, from its beginning. It is read twice. */
  readonly open: () => Promise<Readable>
  /** The file, for messages. */
  readonly name: string
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** Name of a backup that has none. */
export const STANDARD_INPUT = 'standard input'

/** The name of a backup as a command takes it. */
export const argumentOf = (name: string): string => (name === STANDARD_INPUT ? '-' : shellWord(name))

/**
 * Compares all of it with its manifest, and writes nothing.
 * @param accept called before any file; throws for a manifest that is not the wanted one
 * @param parent where it is to be written to, which may not exist yet; undefined: the disk has room for it
 * @throws HermesError FAILED; what readBackup and `accept` throw; the error of the file system
 */
export async function checkBackup(
  { open, name, signal }: Omit<UnpackFacts, 'progress'>,
  parent: string | undefined,
  accept: (manifest: Manifest) => Promise<void> | void,
): Promise<Manifest> {
  return readBackup(await open(), name, {
    manifest: async (manifest) => {
      await accept(manifest)
      refuseRunState(manifest, name)
      if (parent !== undefined) requireSpace(manifest, parent, name)
    },
    piece: () => signal.throwIfAborted(),
  })
}

/**
 * What is in `dir` when this returns is on the disk.
 * @param dir an empty directory
 * @param alive a directory that shows others that this process is at work
 * @param finish called when everything is in it, before directories may become read-only
 * @throws what readBackup throws; the error of the file system
 */
export async function unpackBackup(
  { open, name, progress, signal }: UnpackFacts,
  dir: string,
  alive: string,
  finish: (manifest: Manifest) => void,
): Promise<void> {
  const touch = trackStaging(alive, undefined)
  const manifest = await readBackup(await open(), name, {
    manifest: async ({ entries }) => {
      for (const { type, path } of entries) if (type === 'directory') await promises.mkdir(join(dir, path), 0o700)
    },
    file: async (entry, content) => {
      await writeFile(join(dir, entry.path), entry, content)
      progress(entry.size)
    },
    piece: (bytes) => {
      signal.throwIfAborted()
      touch(bytes)
    },
  })
  // Last, so that no file is written through a link.
  for (const entry of manifest.entries)
    if (entry.type === 'link') await promises.symlink(entry.to, join(dir, entry.path))
  finish(manifest)
  const directories = manifest.entries.filter((entry) => entry.type === 'directory').reverse()
  for (const { path, mode } of [...directories, { path: '', mode: manifest.homeMode }]) {
    const directory = join(dir, path)
    await syncDirectory(directory)
    await promises.chmod(directory, mode)
  }
}

/**
 * Such files decide whether a gateway starts at the next boot, so only hermes writes them.
 * @throws HermesError FAILED
 */
function refuseRunState({ entries, profile }: Manifest, name: string): void {
  const found = entries.find(({ path }) =>
    RUN_STATE.includes(profile === undefined ? path.replace(/^profiles\/[^/]+\//, '') : path),
  )
  if (found === undefined) return
  throw new HermesError('FAILED', `${name} has an entry that no backup has: ${JSON.stringify(found.path)}`, {
    next: 'use another backup; nothing was written',
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
    { next: 'free some space, or use another disk; nothing was written' },
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
