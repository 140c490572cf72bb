/**
 * Write, then rename: a reader sees the old content of a file or the new one, never half of it, and no planted link is
 * followed.
 */

// `promises`, not node:fs/promises: that is loaded at its first use, and a boot need not wait for it.
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  promises,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { hasCode } from '../error-code.ts'
import { below } from '../paths.ts'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_DIRECTORY } = constants
const NEW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW

/**
 * Named by pid: one process writes a file once at a time, and what a kill leaves behind is replaced by its successor in
 * a container.
 */
const scratchOf = (file: string): string => below(dirname(file), `.${basename(file)}.${process.pid}`)

/**
 * @param durable if true, the file survives a power cut once this returns
 * @throws the error of the file system; the file is then unchanged
 */
export function replaceFileSync(
  file: string,
  content: string | Uint8Array,
  { mode, durable = false }: { readonly mode: number; readonly durable?: boolean },
): void {
  const scratch = scratchOf(file)
  const fd = openNew(scratch, mode)
  try {
    try {
      writeFileSync(fd, content)
      if (durable) fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(scratch, file)
  } catch (error) {
    rmSync(scratch, { force: true })
    throw error
  }
  if (durable) syncDirectorySync(dirname(file))
}

/**
 * Writes over a regular file that no other process reads or writes.
 * @returns false: there is no such file that can be opened, or it has not taken all of the content
 * @throws the error of the file system
 */
export function overwriteFileSync(file: string, content: Uint8Array): boolean {
  let fd: number
  try {
    fd = openSync(file, O_WRONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch {
    return false
  }
  try {
    if (!fstatSync(fd).isFile()) return false
    // Less than all of it, as on a disk that is just full: the caller has another way.
    if (writeSync(fd, content, 0, content.length, 0) < content.length) return false
    ftruncateSync(fd, content.length)
    return true
  } finally {
    closeSync(fd)
  }
}

/** A file under that name was left by a kill, or planted: remove it. */
function openNew(scratch: string, mode: number): number {
  try {
    return openSync(scratch, NEW, mode)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    rmSync(scratch, { force: true })
    return openSync(scratch, NEW, mode)
  }
}

/**
 * Returns a unique name, so that two processes never build in the same place. (node:crypto would cost each command 7
 * ms.)
 */
export const randomTag = (): string => `${process.pid.toString(36)}-${process.hrtime.bigint().toString(36)}`

/**
 * Replaces a file off the main thread; it is on the disk when the promise resolves, and several callers may replace
 * one file at once. @throws the error of the file system
 */
export async function replaceFileDurably(
  file: string,
  content: string | AsyncIterable<string>,
  mode: number,
): Promise<void> {
  const scratch = below(dirname(file), `.new-${randomTag()}`)
  try {
    await writeNewFile(scratch, content, mode)
    await promises.rename(scratch, file)
  } catch (error) {
    await promises.rm(scratch, { force: true }).catch((left: NodeJS.ErrnoException) => {
      if (left.code !== 'EROFS') throw left
    })
    throw error
  }
  await syncDirectory(dirname(file))
}

/** Writes a new file and waits until it is on the disk. @throws EEXIST when something is there, even a dangling link */
export async function writeNewFile(
  file: string,
  content: string | Buffer | AsyncIterable<string>,
  mode: number,
): Promise<void> {
  const handle = await promises.open(file, NEW, mode)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } catch (error) {
    // write(2) knows no name; the reader of "no space left" wants to know where.
    throw Object.assign(error as Error, { path: file })
  } finally {
    await handle.close()
  }
}

/** File systems that cannot sync a directory say one of these. */
const NO_SYNC = ['EINVAL', 'ENOTSUP', 'EROFS']

/** A rename or a new name is on the disk only when its directory is. */
export async function syncDirectory(dir: string | Buffer): Promise<void> {
  const handle = await promises.open(dir, O_RDONLY | O_DIRECTORY)
  try {
    await handle.sync()
  } catch (error) {
    if (!hasCode(error, ...NO_SYNC)) throw error
  } finally {
    await handle.close()
  }
}

/** Like {@link syncDirectory}. */
export function syncDirectorySync(dir: string): void {
  const fd = openSync(dir, O_RDONLY | O_DIRECTORY)
  try {
    fsyncSync(fd)
  } catch (error) {
    if (!hasCode(error, ...NO_SYNC)) throw error
  } finally {
    closeSync(fd)
  }
}
