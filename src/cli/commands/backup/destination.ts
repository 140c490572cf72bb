/** Where a backup goes. */
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isatty } from 'node:tty'
import type { BackupFile } from '../../../backup/program.ts'
import { HermesError } from '../../../system/errors.ts'
import { makeDirectory } from '../../../system/files/directory.ts'
import { fileStamp } from '../../../system/instant.ts'
import { shellWord } from '../../../system/programs/sh-environment.ts'

export const backupsDir = (home: string): string => join(home, 'backups')

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
export function destinationOf({ out, home, word, wallMs, encrypt }: Destination): BackupFile | undefined {
  if (out === '-') {
    if (isatty(1)) throw new HermesError('USAGE', 'a backup is not for a terminal', { next: 'name a file: --out FILE' })
    return undefined
  }
  const name = `${word}-${fileStamp(wallMs)}.tar.gz${encrypt ? '.age' : ''}`
  if (out === undefined) {
    makeDirectory(backupsDir(home), 0o700)
    return { path: join(backupsDir(home), name), isNew: true }
  }
  const file = resolve(out)
  const found = statSync(file, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return { path: join(file, name), isNew: true }
  // A device or a FIFO would be replaced by a file.
  if (found?.isFile() !== false) return { path: file, isNew: false }
  throw new HermesError('USAGE', `${file} is not a regular file`, {
    next: `write to standard output: --out - >${shellWord(out)}`,
  })
}
