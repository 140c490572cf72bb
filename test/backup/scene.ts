import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createGzip } from 'node:zlib'
import { pack, type Header as WholeHeader } from 'tar-stream'
import type { Entry, Manifest } from '../../src/backup/manifest.ts'
import { type BackupFacts, type BackupFile, makeBackup, openBackup, restoreBackup } from '../../src/backup/program.ts'
import { systemClock } from '../../src/system/clock.ts'

export type Header = Pick<WholeHeader, 'name'> & Partial<WholeHeader>

const nothing = (): void => undefined

export const save = (home: string, to: string | BackupFile, more: Partial<BackupFacts> = {}) =>
  makeBackup({
    home,
    to: typeof to === 'string' ? { path: to, isNew: false } : to,
    wanted: { secrets: true, logs: false },
    clock: systemClock(),
    versions: { hermes: '0', node: '0' },
    progress: nothing,
    signal: new AbortController().signal,
    ...more,
  })

export async function putBack(file: string, dir: string, startAsBefore = false, passphrase = ''): Promise<Manifest> {
  const open = await openBackup(file, file, async () => passphrase)
  const signal = new AbortController().signal
  return restoreBackup({ open, name: file, dir, startAsBefore, progress: nothing, signal })
}

/** Everything in a directory: its type, mode and content. */
export function tree(dir: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => {
        const path = join(dir, name)
        const stat = lstatSync(path)
        if (stat.isSymbolicLink()) return [name, `link ${readlinkSync(path)}`]
        const mode = (stat.mode & 0o777).toString(8)
        if (stat.isDirectory()) return [name, `directory ${mode}`]
        return [name, `${mode} ${stat.mtimeMs.toFixed()} ${readFileSync(path).toString('base64')}`]
      }),
  )
}

export const manifestOf = (entries: readonly unknown[], more: object = {}): Manifest =>
  ({
    format: 1,
    made: '2026-01-01T00:00:00.000Z',
    versions: { hermes: '0', node: '0' },
    home: '/home',
    homeMode: 0o755,
    secrets: true,
    logs: false,
    desired: {},
    entries: entries as Entry[],
    leftOut: [],
    ...more,
  }) as Manifest

/** An archive as another program could make it: each entry a header and its content. */
export function archiveOf(entries: readonly (readonly [Header, string])[]): Promise<Buffer> {
  const tar = pack()
  for (const [header, content] of entries) tar.entry(header, content)
  tar.finalize()
  return buffer((tar as unknown as Readable).pipe(createGzip()))
}
