/** A backup from its beginning to the file that has its name. */
import { createReadStream, createWriteStream, lstatSync, promises, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { removeTree, stagingName, sweepBackupLeftovers, trackStaging } from '../profile/directory/staging.ts'
import { hasCode } from '../system/error-code.ts'
import { HermesError } from '../system/errors.ts'
import { syncDirectory } from '../system/files/replace-file.ts'
import { databaseProblem } from '../system/files/sqlite.ts'
import { type Collected, type CollectFacts, collect } from './collect.ts'
import { decrypted, encrypted, HEAD_BYTES, isEncrypted } from './encryption.ts'
import type { Manifest } from './manifest.ts'
import { type Imported, type ImportFacts, importProfile } from './profile-import.ts'
import { type Reader, readBackup } from './read.ts'
import { type RestoreFacts, restoreBackup } from './restore.ts'

export interface BackupFile {
  readonly path: string
  /**
   * Its name is made of the time. A file that has that name stays: another backup of the same second, perhaps of
   * another home. Otherwise the file is replaced when the backup is whole.
   */
  readonly isNew: boolean
}

export interface BackupFacts extends Omit<CollectFacts, 'scratch'> {
  readonly to: BackupFile | Writable
  /** Encrypts the backup. */
  readonly passphrase?: string
  /** Where files are collected that are not beside the backup; default: the home. */
  readonly workIn?: string
}

export interface MadeBackup extends Pick<Collected, 'manifest' | 'missing' | 'leftOut'> {
  /** undefined: it was written to a stream. */
  readonly file: string | undefined
  /** Size of the file. */
  readonly bytes: number
}

/** Exports of the bundle of this file, which only the commands for backups need. */
export interface BackupBundle {
  makeBackup(facts: BackupFacts): Promise<MadeBackup>
  spool(stream: Readable): Promise<{ readonly file: string } & AsyncDisposable>
  /** @returns opens the decrypted backup at its beginning. @throws HermesError for a passphrase that does not fit */
  openBackup(file: string, name: string, passphrase: () => Promise<string>): Promise<() => Promise<Readable>>
  readBackup(stream: Readable, name: string, reader?: Reader): Promise<Manifest>
  restoreBackup(facts: RestoreFacts): Promise<Manifest>
  importProfile(facts: ImportFacts): Promise<Imported>
}

export { importProfile, readBackup, restoreBackup }

/**
 * Makes a backup. If it fails or is killed, there is no file of that name, or the one that was there before.
 * @throws HermesError; the error of the file system
 */
export const makeBackup: BackupBundle['makeBackup'] = async (facts) => {
  const { to, passphrase } = facts
  const home = facts.workIn ?? facts.home
  const place = 'path' in to ? dirname(to.path) : undefined
  // Where the backup goes may be a place that is only to see it encrypted.
  const parents = [...new Set([place === undefined || passphrase !== undefined ? home : place, place ?? home])]
  const made: string[] = []
  try {
    for (const parent of parents) {
      await sweepBackupLeftovers(parent)
      const dir = join(parent, stagingName('hermes-backup', 'home'))
      await promises.mkdir(dir, { mode: 0o700 })
      made.push(dir)
    }
    const [scratch = '', last = scratch] = made
    const collected = await collect({ ...facts, scratch })
    const content = contentOf(collected, trackStaging(last, undefined))
    const stream = passphrase === undefined ? content : await encrypted(content, passphrase)
    const { manifest, missing, leftOut } = collected
    const written =
      'path' in to
        ? await putInPlace(stream, join(last, 'whole'), to, facts.signal)
        : { file: undefined, bytes: await pour(stream, to, facts.signal) }
    return { manifest, missing, leftOut, ...written }
  } catch (error) {
    throw fullDisk(error, made[0] === undefined ? home : dirname(made[0]), place) ?? error
  } finally {
    for (const dir of made) await removeTree(Buffer.from(dir))
  }
}

function contentOf({ head, body }: Collected, alive: (bytes: number) => void): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    yield head
    for await (const piece of createReadStream(body, { highWaterMark: 256 * 1024 })) {
      alive(0)
      yield piece as Buffer
    }
  }
  return Readable.from(pieces(), { objectMode: false })
}

async function putInPlace(
  stream: Readable,
  whole: string,
  { path, isNew }: BackupFile,
  signal: AbortSignal,
): Promise<Pick<MadeBackup, 'file' | 'bytes'>> {
  await pipeline(stream, createWriteStream(whole, { flags: 'wx', mode: 0o600, flush: true }), { signal })
  const { size } = statSync(whole)
  let file = path
  if (isNew) for (let n = 2; !(await takeName(whole, file)); n++) file = numbered(path, n)
  else await promises.rename(whole, file)
  await syncDirectory(dirname(file))
  return { file, bytes: size }
}

/** Gives `whole` a name that is free. @returns false: something has that name */
async function takeName(whole: string, name: string): Promise<boolean> {
  try {
    await promises.link(whole, name)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK')) throw error
  }
  // A file system without hard links, such as FAT or a share: the moment between these two calls has to do.
  if (lstatSync(name, { throwIfNoEntry: false }) !== undefined) return false
  await promises.rename(whole, name)
  return true
}

/** `hermes-20261201T020304Z-2.tar.gz` */
const numbered = (path: string, n: number): string =>
  join(dirname(path), basename(path).replace(/(?=\.tar\.gz(?:\.age)?$)/, `-${n}`))

/** The stream stays open: it is standard output. @returns the number of bytes */
async function pour(stream: Readable, to: Writable, signal: AbortSignal): Promise<number> {
  let bytes = 0
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const piece of stream) {
      bytes += (piece as Buffer).length
      yield piece as Buffer
    }
  }
  try {
    await pipeline(counted, to, { signal, end: false })
  } catch (error) {
    if (!hasCode(error, 'EPIPE')) throw error
    throw new HermesError('FAILED', 'standard output was closed before the backup was written', { cause: error })
  }
  return bytes
}

/** One line for a disk that is full, whichever of them it is. */
function fullDisk(error: unknown, scratch: string, place: string | undefined): HermesError | undefined {
  if (!hasCode(error, 'ENOSPC', 'EDQUOT') && databaseProblem(error) !== 'full') return undefined
  const where = [...new Set([scratch, ...(place === undefined ? [] : [place])])].join(' or ')
  return new HermesError('FAILED', `the disk of ${where} is full; nothing was written`, {
    next: 'free twice the size of the compressed backup there, or name a file on another disk with --out',
    cause: error,
  })
}

/**
 * Copies a stream to a file that goes with the returned object: a backup is read twice.
 * @throws the error of the file system
 */
export const spool: BackupBundle['spool'] = async (stream) => {
  const dir = await promises.mkdtemp(join(tmpdir(), 'hermes-restore-'))
  const remove = (): Promise<void> => promises.rm(dir, { recursive: true, force: true })
  const file = join(dir, 'backup')
  try {
    await pipeline(stream, createWriteStream(file, { flags: 'wx', mode: 0o600 }))
  } catch (error) {
    await remove()
    throw fullDisk(error, dir, undefined) ?? error
  }
  return { file, [Symbol.asyncDispose]: remove }
}

/**
 * Looks whether a file is encrypted.
 * @param name of the file, for messages
 * @param passphrase asked for once, only if it is
 * @throws the error of the file system
 */
export const openBackup: BackupBundle['openBackup'] = async (file, name, passphrase) => {
  if (!statSync(file).isFile())
    throw new HermesError('USAGE', `${name} is not a regular file`, {
      next: 'pass it on standard input, with - in the place of its name',
    })
  const handle = await promises.open(file)
  const head = Buffer.alloc(HEAD_BYTES)
  try {
    await handle.read(head, 0, HEAD_BYTES, 0)
  } finally {
    await handle.close()
  }
  if (!isEncrypted(head)) return async () => createReadStream(file)
  const secret = await passphrase()
  return () => decrypted(createReadStream(file), secret, name)
}
