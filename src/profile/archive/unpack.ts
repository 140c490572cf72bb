/** Reads the archive of a profile into a new directory, and compares it with its manifest. */
import { createHash } from 'node:crypto'
import { promises } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { extract } from 'tar-stream'
import { HermesError } from '../../system/errors.ts'
import { syncDirectory } from '../../system/files/replace-file.ts'
import type { Progress } from '../directory/staging.ts'
import { FILES, MANIFEST, MAX_MANIFEST_BYTES, Manifest, type ManifestEntry } from './manifest.ts'

/**
 * Everything that is there when this returns is on the disk, too.
 * @param dir a directory that does not exist yet; what is in it after an error is of no use
 * @param progress called for each part of a file that was written
 * @throws HermesError FAILED for an archive that is cut off, damaged or no archive of a profile; the error of the file
 * system
 */
export async function unpackProfile(
  stream: Readable,
  dir: string,
  progress: Progress = () => undefined,
): Promise<Manifest> {
  await promises.mkdir(dir, { mode: 0o755 })
  const tar = extract()
  // The loop below ends with it. An entry that is being read may only know that it was destroyed.
  let failure: Error | undefined
  stream.on('error', (error) => {
    failure = error
    tar.destroy(error)
  })
  stream.pipe(tar)
  const seen: ManifestEntry[] = []
  let manifest: Manifest | undefined
  try {
    for await (const entry of tar) {
      if (manifest !== undefined) throw damaged('goes on behind its manifest')
      const { name, type, mode = 0o600, linkname } = entry.header
      if (name === MANIFEST) manifest = manifestOf(await textOf(entry as AsyncIterable<Buffer>))
      else {
        const inside = safeName(name)
        const path = join(dir, inside)
        if (type === 'directory') {
          await promises.mkdir(path, { mode: mode | 0o700 })
          seen.push({ type: 'directory', name: inside })
        } else if (type === 'symlink') seen.push({ type: 'symlink', name: inside, to: linkname ?? '' })
        else if (type === 'file')
          seen.push(await writeFile(entry as AsyncIterable<Buffer>, path, inside, mode, progress))
        else throw damaged(`has an entry of the type ${type}`)
        entry.resume()
      }
    }
  } catch (thrown) {
    stream.destroy()
    const error = failure ?? thrown
    if (error instanceof HermesError || (error as NodeJS.ErrnoException).code !== undefined) throw error
    throw damaged(`cannot be read to its end (${(error as Error).message})`, error)
  }
  if (manifest === undefined) throw damaged('has no manifest')
  compare(seen, manifest)
  // Last, so that no entry is written through a link.
  for (const entry of seen) if (entry.type === 'symlink') await promises.symlink(entry.to, join(dir, entry.name))
  const directories = seen.filter(({ type }) => type === 'directory').map(({ name }) => join(dir, name))
  for (const directory of [...directories.reverse(), dir, dirname(dir)]) await syncDirectory(directory)
  return manifest
}

/** An archive may come from anywhere: no name leads out of the directory. */
function safeName(name: string): string {
  const inside = name.startsWith(FILES) ? name.slice(FILES.length).replace(/\/$/, '') : ''
  const isSafe =
    inside !== '' && !inside.includes('\0') && inside.split('/').every((part) => !['', '.', '..'].includes(part))
  if (isSafe) return inside
  throw damaged(`has an entry outside of the profile: ${JSON.stringify(name.slice(0, 200))}`)
}

async function writeFile(
  content: AsyncIterable<Buffer>,
  path: string,
  name: string,
  mode: number,
  progress: Progress,
): Promise<ManifestEntry> {
  const hash = createHash('sha256')
  let size = 0
  const file = await promises.open(path, 'wx', mode & 0o777)
  try {
    for await (const chunk of content) {
      hash.update(chunk)
      size += chunk.length
      await file.writeFile(chunk)
      progress(chunk.length)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { type: 'file', name, size, sha256: hash.digest('hex') }
}

async function textOf(content: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let held = 0
  for await (const chunk of content) {
    held += chunk.length
    if (held > MAX_MANIFEST_BYTES) throw damaged('has a manifest that is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function manifestOf(text: string): Manifest {
  try {
    const { success, data } = Manifest.safeParse(JSON.parse(text))
    if (success) return data
  } catch {
    // Not JSON: the same line.
  }
  throw damaged('has a manifest that this version cannot read')
}

function compare(seen: readonly ManifestEntry[], { entries }: Manifest): void {
  const listed = new Map(entries.map((entry) => [entry.name, JSON.stringify(entry)]))
  for (const entry of seen) {
    const wanted = listed.get(entry.name)
    const keys = Object.keys(JSON.parse(wanted ?? '{}'))
    if (wanted !== JSON.stringify(entry, keys))
      throw damaged(`differs from its manifest at ${JSON.stringify(entry.name)}`)
    listed.delete(entry.name)
  }
  const [missing] = listed.keys()
  if (missing !== undefined) throw damaged(`lacks ${JSON.stringify(missing)}, which its manifest names`)
}

const damaged = (what: string, cause?: unknown): HermesError =>
  new HermesError('FAILED', `the archive of the profile ${what}`, {
    next: 'run the command again',
    ...(cause !== undefined && { cause }),
  })
