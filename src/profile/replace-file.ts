import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { below } from '../system/paths.ts'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_DIRECTORY } = constants

/**
 * Write, then rename: a reader sees the old text or the new one, and a link planted under either name is not followed.
 * @param durable it survives a power cut when this returns
 * @throws the error of the file system
 */
export function replaceFileSync(file: string, text: string, { durable }: { readonly durable: boolean }): void {
  const dir = dirname(file)
  // Named by pid: one process writes one file at a time, and what a kill leaves behind is replaced by its successor in a container.
  const scratch = below(dir, `.${basename(file)}.${process.pid}`)
  rmSync(scratch, { force: true })
  const fd = openSync(scratch, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
  try {
    writeFileSync(fd, text)
    if (durable) fsyncSync(fd)
    renameSync(scratch, file)
  } catch (error) {
    rmSync(scratch, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  if (!durable) return
  const dirFd = openSync(dir, O_RDONLY | O_DIRECTORY)
  try {
    fsyncSync(dirFd)
  } finally {
    closeSync(dirFd)
  }
}
