/** Where a backup goes. */
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isatty } from 'node:tty'
import { HermesError } from '../../../system/errors.ts'
import { makeDirectory } from '../../../system/files/directory.ts'

export const backupsDir = (home: string): string => join(home, 'backups')

/** `20261201T020304Z` */
export const stampOf = (wallMs: number): string => new Date(wallMs).toISOString().replace(/[-:]|\.\d+/g, '')

export interface Destination {
  /** The value of --out. */
  readonly out: string | undefined
  readonly home: string
  /** First word of a new file's name. */
  readonly word: string
  readonly wallMs: number
  readonly encrypt: boolean
}

/**
 * The file to write; undefined: standard output. Without --out it is a new one in `backups/`, which is made.
 * @throws HermesError USAGE
 */
export function destinationOf({ out, home, word, wallMs, encrypt }: Destination): string | undefined {
  if (out === '-') {
    if (isatty(1)) throw new HermesError('USAGE', 'a backup is not for a terminal', { next: 'name a file: --out FILE' })
    return undefined
  }
  const name = `${word}-${stampOf(wallMs)}.tar.gz${encrypt ? '.age' : ''}`
  if (out === undefined) {
    makeDirectory(backupsDir(home), 0o700)
    return join(backupsDir(home), name)
  }
  const file = resolve(out)
  const found = statSync(file, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return join(file, name)
  // A device or a FIFO would be replaced by a file.
  if (found?.isFile() !== false) return file
  throw new HermesError('USAGE', `${file} is not a regular file`, { next: `write to standard output: --out - >${out}` })
}
