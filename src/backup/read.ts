/** Reads a backup and compares everything in it with its manifest, which it does not trust either. */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { HermesError } from '../system/errors.ts'
import {
  type Entry,
  entriesProblem,
  type FileEntry,
  HOME,
  MANIFEST,
  MAX_MANIFEST_BYTES,
  Manifest,
  pathProblem,
} from './manifest.ts'

/** Takes a backup as it is read. Without one it is only checked. */
export interface Reader {
  /** Called once, before any file. */
  manifest?(manifest: Manifest): Promise<void> | void
  /** Called for each file; the content is to be read to its end. */
  file?(entry: FileEntry, content: AsyncIterable<Buffer>): Promise<void>
  /** Called for each piece that was read. */
  piece?(bytes: number): void
}

/**
 * @param stream of the decrypted file
 * @param name of the file, for messages
 * @throws HermesError FAILED, one line that names the entry, for an archive that is cut off, changed or hostile; what
 * `reader` throws; the error of the file system
 */
export async function readBackup(stream: Readable, name: string, reader: Reader = {}): Promise<Manifest> {
  const unzip = createGunzip()
  const tar = extract()
  let failure: Error | undefined
  const fail = (error: Error): void => {
    failure ??= error
    tar.destroy(error)
  }
  stream.on('error', fail)
  unzip.on('error', fail)
  stream.pipe(unzip).pipe(tar)
  const reading = new Reading(name, reader)
  try {
    for await (const entry of tar) {
      await reading.entry(entry.header, entry as AsyncIterable<Buffer>)
      entry.resume()
    }
    if (failure !== undefined) throw failure
    return reading.end()
  } catch (thrown) {
    const error = failure ?? (thrown as Error)
    if (error instanceof HermesError || isOfFileSystem(error) || error.name === 'AbortError') throw error
    throw reading.damaged(`is cut off or damaged ${reading.place}`, error)
  } finally {
    stream.destroy()
    unzip.destroy()
    tar.destroy()
  }
}

/** Errors of zlib have a code, too. */
const isOfFileSystem = (error: NodeJS.ErrnoException): boolean => error.syscall !== undefined

type Header = { readonly name: string; readonly type?: string | null | undefined; readonly size?: number | undefined }

class Reading {
  readonly #name: string
  readonly #reader: Reader
  /** Entries of the manifest that have not been seen, by path. */
  readonly #waiting = new Map<string, Entry>()
  readonly #seen = new Set<string>()
  #manifest: Manifest | undefined
  #last = ''

  constructor(name: string, reader: Reader) {
    this.#name = name
    this.#reader = reader
  }

  get place(): string {
    return this.#last === '' ? 'at its beginning' : `at or after ${quoted(this.#last)}`
  }

  damaged(what: string, cause?: unknown): HermesError {
    return new HermesError('FAILED', `${this.#name} ${what}`, {
      next: 'use another backup; nothing was written',
      ...(cause !== undefined && { cause }),
    })
  }

  async entry(header: Header, content: AsyncIterable<Buffer>): Promise<void> {
    const { name, type, size = 0 } = header
    if (this.#manifest === undefined) {
      if (name !== MANIFEST || type !== 'file')
        throw this.damaged(`is not a backup: it does not begin with ${MANIFEST}`)
      this.#manifest = await this.#readManifest(size, content)
      return this.#reader.manifest?.(this.#manifest)
    }
    this.#last = name
    const path = this.#pathOf(name)
    if (type !== 'file' && type !== 'directory')
      throw this.damaged(`has an entry that is not a file: ${quoted(name)} (${type ?? 'unknown'})`)
    if (this.#seen.has(path)) throw this.damaged(`has an entry twice: ${quoted(name)}`)
    const listed = this.#waiting.get(path)
    if (listed?.type !== type) throw this.damaged(`has an entry that its manifest does not list: ${quoted(name)}`)
    this.#waiting.delete(path)
    this.#seen.add(path)
    if (listed.type !== 'file') return
    if (size !== listed.size) throw this.#differs(name, `${size} bytes, not ${listed.size}`)
    await this.#readFile(listed, content)
  }

  end(): Manifest {
    if (this.#manifest === undefined) throw this.damaged('is not a backup: it is empty')
    const [missing] = this.#waiting.keys()
    if (missing !== undefined) throw this.damaged(`lacks ${quoted(HOME + missing)}, which its manifest lists`)
    return this.#manifest
  }

  #pathOf(name: string): string {
    const path = (name.startsWith(HOME) ? name.slice(HOME.length) : name).replace(/\/$/, '')
    const problem = pathProblem(path)
    if (problem !== undefined) throw this.damaged(`has an entry whose path ${problem}: ${quoted(name)}`)
    if (!name.startsWith(HOME)) throw this.damaged(`has an entry outside of ${HOME}: ${quoted(name)}`)
    return path
  }

  async #readManifest(size: number, content: AsyncIterable<Buffer>): Promise<Manifest> {
    if (size > MAX_MANIFEST_BYTES) throw this.damaged(`has a ${MANIFEST} of ${size} bytes, which is too long`)
    const chunks: Buffer[] = []
    for await (const chunk of content) chunks.push(chunk)
    const manifest = this.#parsed(Buffer.concat(chunks).toString('utf8'))
    const problem = entriesProblem(manifest.entries)
    if (problem !== undefined)
      throw this.damaged(`has a ${MANIFEST} with an entry whose path ${problem.why}: ${quoted(problem.path)}`)
    for (const entry of manifest.entries) if (entry.type !== 'link') this.#waiting.set(entry.path, entry)
    return manifest
  }

  #parsed(text: string): Manifest {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (error) {
      throw this.damaged(`has a ${MANIFEST} that is not JSON`, error)
    }
    const { success, data, error } = Manifest.safeParse(json)
    if (success) return data
    const at = error.issues[0]?.path.join('.') ?? ''
    throw this.damaged(`has a ${MANIFEST} that this version cannot read: ${quoted(at)}`)
  }

  async #readFile(entry: FileEntry, content: AsyncIterable<Buffer>): Promise<void> {
    const hash = createHash('sha256')
    const { piece = () => undefined } = this.#reader
    async function* watched(): AsyncGenerator<Buffer> {
      for await (const chunk of content) {
        hash.update(chunk)
        piece(chunk.length)
        yield chunk
      }
    }
    if (this.#reader.file !== undefined) await this.#reader.file(entry, watched())
    else for await (const _ of watched());
    if (hash.digest('hex') !== entry.sha256) throw this.#differs(HOME + entry.path, 'its SHA-256 is another one')
  }

  #differs(name: string, how: string): HermesError {
    return this.damaged(`differs from its manifest at ${quoted(name)}: ${how}`)
  }
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 200))
