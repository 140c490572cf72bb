/** Puts a home into an archive while agents write to it. */
import { closeSync, createWriteStream, fstatSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { TarWriter } from '../profile/archive/tar-writer.ts'
import { listProfiles } from '../profile/directory/disk.ts'
import { type Progress, trackStaging } from '../profile/directory/staging.ts'
import { readDesired } from '../profile/state/state.ts'
import type { Clock } from '../system/clock.ts'
import { hasCode } from '../system/error-code.ts'
import { HermesError } from '../system/errors.ts'
import { openProblem, openRegular, UnreadableFile } from '../system/files/small-file.ts'
import { databaseProblem } from '../system/files/sqlite.ts'
import { JOURNAL, snapshotDatabase } from './database.ts'
import { type Wanted, whyLeftOut } from './left-out.ts'
import {
  type Entry,
  type FileEntry,
  HOME,
  type LeftOut,
  MANIFEST,
  MAX_MANIFEST_BYTES,
  type Manifest,
} from './manifest.ts'
import { isDatabaseFile, isSparse, ownFile, removeFile, type Snapshot, snapshotFile } from './snapshot.ts'
import { type Found, walk } from './walk.ts'

/** Adds a file that is not in the home: a board of a database, as text. @param path relative to the home */
export type AddText = (path: string, content: AsyncIterable<string>) => Promise<void>

export interface CollectFacts {
  readonly home: string
  /** `home` is only the directory of this profile. */
  readonly profile?: string
  readonly wanted: Wanted
  /** Why a path is left out although it could be in a backup; undefined: it is not. */
  readonly passOver?: (path: string) => string | undefined
  readonly clock: Clock
  readonly versions: Manifest['versions']
  /** An empty directory of this command's own. */
  readonly scratch: string
  /** Called last. */
  readonly extras?: (add: AddText) => Promise<void>
  readonly progress: Progress
  readonly signal: AbortSignal
}

export interface Collected {
  readonly manifest: Manifest
  /** Paths that could not be read although they belong into the backup. */
  readonly missing: readonly LeftOut[]
  /** Number of paths in `manifest.leftOut`, if it had room for all. */
  readonly leftOut: number
  /** The archive: what it begins with, and the file that holds the rest. */
  readonly head: Buffer
  readonly body: string
}

/** So many are named in the manifest. */
const MAX_NAMED = 1000

/**
 * The archive is two streams of gzip, one after the other, which is one (RFC 1952, 2.2): the checksums are known when
 * everything is read, and the manifest stands first.
 * @throws HermesError; the error of the file system
 */
export async function collect(facts: CollectFacts): Promise<Collected> {
  const body = join(facts.scratch, 'body')
  const writer = new TarWriter()
  const tar = writer.tar as unknown as Readable
  const written = pipeline(tar, createGzip(), createWriteStream(body, { flags: 'wx', mode: 0o600 }))
  const collecting = new Collecting(facts, writer)
  const work = collecting.run().then(() => writer.tar.finalize())
  try {
    // Not allSettled: if the disk is full, nothing reads what the work writes.
    await Promise.all([work, written])
  } catch (error) {
    work.catch(() => undefined)
    written.catch(() => undefined)
    tar.destroy()
    throw error
  }
  const { manifest, missing, leftOut } = collecting.result()
  return { manifest, missing, leftOut, head: await headOf(manifest), body }
}

/** The manifest as an archive without an end. */
async function headOf(manifest: Manifest): Promise<Buffer> {
  const text = Buffer.from(`${JSON.stringify(manifest)}\n`)
  if (text.length > MAX_MANIFEST_BYTES)
    throw new HermesError('FAILED', `${manifest.home} has more files than a backup can list`)
  const writer = new TarWriter()
  const header = { name: MANIFEST, size: text.length, mode: 0o600, mtime: new Date(manifest.made) }
  const bytes = buffer(writer.tar as unknown as Readable)
  await Promise.all([writer.add(header, [text]).then(() => writer.tar.finalize()), bytes])
  const END_BYTES = 1024
  const whole = await bytes
  return buffer(Readable.from([whole.subarray(0, whole.length - END_BYTES)]).pipe(createGzip()))
}

class Collecting {
  readonly #facts: CollectFacts
  readonly #writer: TarWriter
  readonly #entries: Entry[] = []
  readonly #left: LeftOut[] = []
  readonly #missing: LeftOut[] = []
  readonly #alive: () => void
  readonly #madeAtMs: number
  #leftOut = 0

  constructor(facts: CollectFacts, writer: TarWriter) {
    this.#facts = facts
    this.#writer = writer
    this.#madeAtMs = facts.clock.wallMs()
    const touch = trackStaging(facts.scratch, undefined)
    this.#alive = () => {
      facts.signal.throwIfAborted()
      touch(0)
    }
  }

  async run(): Promise<void> {
    const { home, profile, wanted, passOver, extras } = this.#facts
    const above = profile === undefined ? '' : `profiles/${profile}/`
    const passes = (path: string): boolean => {
      const left = whyLeftOut(above + path, wanted)
      const why = left === undefined ? passOver?.(path) : left.usual === true ? undefined : left.why
      if (why !== undefined) this.#leave(path, why)
      return left !== undefined || why !== undefined
    }
    const leave = (path: string, why: string, problem?: 'unreadable'): void =>
      problem === undefined ? this.#leave(path, why) : this.#miss(path, why)
    for (const found of walk(home, { passes, leave })) await this.#one(found)
    await extras?.((path, content) => this.#text(path, content))
  }

  result(): Pick<Collected, 'manifest' | 'missing' | 'leftOut'> {
    const { home, profile, wanted, versions } = this.#facts
    const profiles = profile === undefined ? listProfiles(home).profiles : [{ name: profile, dir: home }]
    const desired = Object.fromEntries(
      profiles.flatMap(({ name, dir }) => {
        const state = readDesired(dir).wanted
        return state === null ? [] : [[name, state]]
      }),
    )
    const manifest: Manifest = {
      format: 1,
      made: new Date(this.#madeAtMs).toISOString(),
      versions,
      home,
      homeMode: modeOf(statSync(home)),
      ...(profile !== undefined && { profile }),
      secrets: wanted.secrets,
      logs: wanted.logs,
      desired,
      entries: this.#entries,
      leftOut: this.#left,
    }
    return { manifest, missing: this.#missing, leftOut: this.#leftOut }
  }

  async #one(found: Found): Promise<void> {
    this.#alive()
    if (found.type === 'link') this.#entries.push(found)
    else if (found.type === 'file') await this.#file(found)
    else {
      this.#entries.push(found)
      await this.#writer.add({ name: HOME + found.path, type: 'directory', mode: found.mode, size: 0 }, [])
    }
  }

  async #file({ path, at }: Extract<Found, { type: 'file' }>): Promise<void> {
    try {
      const file = openRegular(at, 'refused')
      let database: boolean
      try {
        if (isSparse(file.stat))
          return this.#leave(path, `claims ${file.stat.size} bytes, most of them not on the disk`)
        database = isDatabaseFile(file)
      } finally {
        closeSync(file.fd)
      }
      if (JOURNAL.test(path) && isBesideDatabase(at.replace(JOURNAL, ''))) return
      const copy = database ? await this.#database(path, file.stat) : undefined
      if (copy === 'missing') return
      await this.#add(path, copy ?? snapshotFile(at, join(this.#facts.scratch, 'file'), this.#alive))
    } catch (error) {
      // Removed, or replaced by something else, since its directory was read.
      if (hasCode(error, 'ENOENT', 'ELOOP', 'ENXIO')) return
      if (error instanceof UnreadableFile) this.#leave(path, error.message)
      else if (hasCode(error, 'EACCES', 'EPERM'))
        this.#miss(path, openProblem((error as NodeJS.ErrnoException).code ?? ''))
      else throw error
    }
  }

  /** @returns undefined: SQLite cannot read it, so it is a file as any other */
  async #database(
    path: string,
    stat: Snapshot['stat'],
  ): Promise<(Snapshot & { database: true }) | 'missing' | undefined> {
    const { home, scratch, clock } = this.#facts
    const copy = join(scratch, 'database')
    for (const suffix of ['', '-wal', '-shm', '-journal']) removeFile(copy + suffix)
    try {
      await snapshotDatabase(join(home, path), copy, clock)
      return { ...ownFile(copy, this.#alive), stat, changed: false, database: true }
    } catch (error) {
      switch (databaseProblem(error)) {
        case 'busy':
          this.#miss(path, 'is locked by another process')
          return 'missing'
        case 'full':
        case undefined:
          throw error
        default:
          // The copy could not be written.
          if (hasCode((error as Error).cause, 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_FSYNC')) throw error
          this.#leave(`${path}, as a database`, 'is not readable for SQLite; it is in the backup as a file')
          return undefined
      }
    }
  }

  async #text(path: string, content: AsyncIterable<string>): Promise<void> {
    const file = join(this.#facts.scratch, 'extra')
    await pipeline(Readable.from(content), createWriteStream(file, { mode: 0o600 }))
    const directory = path.slice(0, path.lastIndexOf('/'))
    if (!this.#entries.some((entry) => entry.path === directory))
      await this.#one({ type: 'directory', path: directory, mode: 0o700 })
    const fd = openSync(file, 'r')
    try {
      await this.#add(path, { ...ownFile(file, this.#alive), stat: fstatSync(fd), changed: false })
    } finally {
      closeSync(fd)
    }
  }

  async #add(path: string, copy: Snapshot & { readonly database?: true }): Promise<void> {
    const { size, sha256, stat, changed, database } = copy
    const mode = modeOf(stat)
    const entry: FileEntry = {
      type: 'file',
      path,
      size,
      mode,
      sha256,
      modified: stat.mtime.toISOString(),
      ...(changed && { changed }),
      ...(database && { database }),
    }
    await this.#writer.add({ name: HOME + path, size, mode, mtime: stat.mtime }, copy.content())
    this.#entries.push(entry)
    this.#facts.progress(size)
  }

  #leave(path: string, why: string): void {
    this.#leftOut += 1
    if (this.#left.length < MAX_NAMED) this.#left.push({ path, why })
  }

  #miss(path: string, why: string): void {
    this.#missing.push({ path, why })
    this.#leave(path, why)
  }
}

const modeOf = ({ mode }: { readonly mode: number }): number => mode & 0o777

/** Its journals belong to a database, whose copy needs none; they may also be those of one that is just being made. */
function isBesideDatabase(base: string): boolean {
  try {
    const file = openRegular(base, 'refused')
    try {
      return file.stat.size === 0 || isDatabaseFile(file)
    } finally {
      closeSync(file.fd)
    }
  } catch {
    return false // there is none that can be read: the file stands for itself
  }
}
