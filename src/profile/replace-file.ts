import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { below } from '../system/paths.ts'
import { unwritable } from './unwritable.ts'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_RDONLY, O_DIRECTORY } = constants

/**
 * Write, then rename: a reader sees the old text or the new one, and a link planted under either name is not followed. A file that
 * cannot be replaced, as it is a mount of its own, is written in place.
 * @param durable it survives a power cut when this returns
 * @throws the error of the file system
 */
export function replaceFileSync(file: string, text: string, { durable }: { readonly durable: boolean }): void {
  const dir = dirname(file)
  // Named by pid: one process writes one file at a time, and what a kill leaves behind is replaced by its successor in a container.
  const scratch = below(dir, `.${basename(file)}.${process.pid}`)
  try {
    rmSync(scratch, { force: true })
    writeNew(scratch, text, durable)
    renameSync(scratch, file)
  } catch (error) {
    writeInPlace(file, text, 0o644, error)
    return
  } finally {
    removeScratch(scratch)
  }
  if (!durable) return
  const dirFd = openSync(dir, O_RDONLY | O_DIRECTORY)
  try {
    fsyncSync(dirFd)
  } finally {
    closeSync(dirFd)
  }
}

/** EBUSY: the file is a mount point. The others: it is one in a directory that takes no other file. */
const NOT_REPLACED = ['EBUSY', 'EROFS', 'EACCES', 'EPERM']

/**
 * What `docker run -v FILE:…/config.yaml` mounts can be written, but not replaced. A power cut can leave half of it.
 * @param mode what the file is to have, where it is ours to change
 * @param error why it could not be replaced
 * @throws HermesError that says why it cannot be written at all; `error` when that is another failure
 */
export function writeInPlace(file: string, text: string, mode: number, error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (!NOT_REPLACED.includes(code)) throw error
  let fd: number
  try {
    fd = openSync(file, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  } catch (second) {
    // Of a mounted file this says more; where nothing is there, or a link, the first error does.
    const why = code === 'EBUSY' ? second : error
    throw unwritable(file, why) ?? why
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw error
    if ((stat.mode & 0o777 & ~mode) !== 0) restrict(fd, mode)
    ftruncateSync(fd, 0)
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function restrict(fd: number, mode: number): void {
  try {
    fchmodSync(fd, mode)
  } catch (error) {
    // The host's file may be another user's; its mode is that user's affair.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
  }
}

function writeNew(file: string, text: string, durable: boolean): void {
  const fd = openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  try {
    writeFileSync(fd, text)
    if (durable) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Where nothing can be made there is nothing to remove. */
function removeScratch(scratch: string): void {
  try {
    rmSync(scratch, { force: true })
  } catch (error) {
    if (!NOT_REPLACED.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
