/** Writes the directory of a profile as a tar archive, with a manifest at its end. */

import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, promises, type Stats } from 'node:fs'
import type { Readable } from 'node:stream'
import { HermesError } from '../../system/errors.ts'
import { openRegular } from '../../system/files/small-file.ts'
import { childPath } from '../directory/staging.ts'
import { FILES, MANIFEST, type Manifest, type ManifestEntry } from './manifest.ts'
import { type TarHeader, TarWriter } from './tar-writer.ts'

/**
 * An archive of a directory in which nothing is being written. Links stay links; sockets, FIFOs and devices are named
 * in the manifest only.
 * @param profile its name, for the manifest
 * @param leave names directly in the directory that stay here
 * @returns a stream that fails with a HermesError for a file that cannot be read or has changed
 */
export function packProfile(dir: string, profile: string, leave: readonly string[] = []): Readable {
  const writer = new TarWriter()
  const { tar } = writer
  new Packing(writer, leave).run(dir, profile).then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  )
  return tar as unknown as Readable
}

class Packing {
  readonly #writer: TarWriter
  readonly #leave: readonly string[]
  readonly #entries: ManifestEntry[] = []
  readonly #skipped: string[] = []

  constructor(writer: TarWriter, leave: readonly string[]) {
    this.#writer = writer
    this.#leave = leave
  }

  async run(dir: string, profile: string): Promise<void> {
    await this.#walk(Buffer.from(dir), '')
    const manifest: Manifest = { format: 1, profile, entries: this.#entries, skipped: this.#skipped }
    const text = Buffer.from(JSON.stringify(manifest))
    await this.#writer.add({ name: MANIFEST, size: text.length, mode: 0o600 }, [text])
  }

  async #walk(dir: Buffer, prefix: string): Promise<void> {
    for (const bytes of (await promises.readdir(dir, 'buffer')).sort(Buffer.compare)) {
      const path = childPath(dir, bytes)
      if (!isUtf8(bytes)) throw unfit(path, 'has a name that is not UTF-8', 'rename it')
      const name = prefix + bytes.toString()
      if (prefix === '' && this.#leave.includes(name)) continue
      await this.#one(path, name, await promises.lstat(path))
    }
  }

  async #one(path: Buffer, name: string, stat: Stats): Promise<void> {
    const header = { name: FILES + name, mode: stat.mode & 0o777, mtime: stat.mtime }
    if (stat.isSymbolicLink()) {
      const to = await promises.readlink(path, 'buffer')
      if (!isUtf8(to)) throw unfit(path, 'links to a name that is not UTF-8', 'remove the link')
      this.#entries.push({ type: 'symlink', name, to: to.toString() })
      await this.#writer.add({ ...header, type: 'symlink', linkname: to.toString(), size: 0 }, [])
    } else if (stat.isDirectory()) {
      this.#entries.push({ type: 'directory', name })
      await this.#writer.add({ ...header, type: 'directory', size: 0 }, [])
      await this.#walk(path, `${name}/`)
    } else if (stat.isFile()) {
      this.#entries.push(await this.#file(path, name, header))
    } else this.#skipped.push(name)
  }

  async #file(path: Buffer, name: string, header: Omit<TarHeader, 'size'>): Promise<ManifestEntry> {
    const { fd, stat } = openRegular(path, 'refused')
    const hash = createHash('sha256')
    let size = 0
    async function* content(): AsyncGenerator<Buffer> {
      if (stat.size === 0) return
      for await (const chunk of createReadStream('', { fd, autoClose: false, start: 0, end: stat.size - 1 })) {
        hash.update(chunk as Buffer)
        size += (chunk as Buffer).length
        yield chunk as Buffer
      }
      if (size !== stat.size) throw unfit(path, 'became shorter while it was read', 'end what writes to it')
    }
    try {
      await this.#writer.add({ ...header, size: stat.size }, content())
    } finally {
      closeSync(fd)
    }
    return { type: 'file', name, size, sha256: hash.digest('hex') }
  }
}

const unfit = (path: Buffer, what: string, next: string): HermesError =>
  new HermesError('FAILED', `${path.toString()} ${what}; nothing was moved`, { next })
