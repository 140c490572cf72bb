import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSync } from '../../../scripts/run.ts'

const MKFS = ['mkfs.ext4', '-q', '-F', '-J', 'size=4']
/** Nothing is written back by the file system's own five seconds: only what was synced is there after the cut. */
const MOUNT = ['mount', '-o', 'loop,commit=300']

export interface CutDisk extends Disposable {
  /** Where the disk is mounted. */
  readonly path: string
  /** Cuts the power: looks at the disk as the next boot finds it. The disk itself goes on. */
  afterCut<T>(look: (path: string) => Promise<T>): Promise<T>
}

/**
 * An ext4 of its own in a file. @returns why there is none, in a line: loop devices need root and a kernel that has
 * them
 */
export function cutDisk(): CutDisk | string {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-cut-'))
  const [image, path, copied] = ['disk', 'home', 'after'].map((name) => join(dir, name)) as [string, string, string]
  let cuts = 0
  for (const made of [path, copied]) mkdirSync(made)
  for (const [command = '', ...args] of [
    ['truncate', '-s', '24M', image],
    [...MKFS, image],
    [...MOUNT, image, path],
  ]) {
    try {
      runSync(command, args)
    } catch (error) {
      rmSync(dir, { recursive: true, force: true })
      return String(error).replaceAll('\n', ' ')
    }
  }
  return {
    path,
    async afterCut(look) {
      // A name of its own: a container that starts at that time holds the last copy's mount for a moment, and its loop
      // device would be taken again, with what it knows of the file system.
      const copy = join(dir, `copy-${++cuts}`)
      runSync('cp', ['--sparse=always', image, copy])
      runSync('mount', ['-o', 'loop', copy, copied])
      try {
        return await look(copied)
      } finally {
        runSync('umount', [copied])
        rmSync(copy)
      }
    },
    [Symbol.dispose]() {
      runSync('umount', [path])
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
