/** Files of the volume: replaced, or written in place where they are mounts of their own and cannot be. */

import { closeSync, constants, fchmodSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { unlessCode } from '../system/error-code.ts'
import { replaceFileDurably, replaceFileSync } from '../system/files/replace-file.ts'
import { unwritable } from './unwritable.ts'
import { requireOwnDirectory } from './walled.ts'

const { O_WRONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants

/**
 * Resolves when the new text would survive a power cut.
 * @throws HermesError for a place that takes no writes, and for a walled profile of another user
 */
export async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  requireOwnDirectory(dirname(file))
  try {
    await replaceFileDurably(file, text, mode)
  } catch (error) {
    writeInPlace(file, text, mode, error)
  }
}

/**
 * Writes one of the short state files of a profile. @param durable if true, it survives a power cut once this returns
 */
export function writeStateFile(file: string, text: string, { durable }: { readonly durable: boolean }): void {
  try {
    replaceFileSync(file, text, { mode: 0o644, durable })
  } catch (error) {
    writeInPlace(file, text, 0o644, error)
  }
}

/** EBUSY: the file is a mount point. The others: it is one in a directory that takes no other file. */
const NOT_REPLACED = ['EBUSY', 'EROFS', 'EACCES', 'EPERM']

/**
 * Writes in place: a file mounted by `docker run -v FILE:…/config.yaml` can be written but not replaced. A power cut
 * can leave half of it.
 * @param mode mode of the file, if we may change it
 * @param error reason why it could not be replaced
 * @throws HermesError that says why it cannot be written at all; `error` for any other failure
 */
function writeInPlace(file: string, text: string, mode: number, error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (!NOT_REPLACED.includes(code)) throw error
  let fd: number
  try {
    fd = openSync(file, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  } catch (second) {
    // For a mounted file the second error says more; for a missing file or a link, the first one does.
    const why = code === 'EBUSY' ? second : error
    throw unwritable(file, why) ?? why
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw error
    // The host's file may belong to another user, who decides about its mode.
    if ((stat.mode & 0o777 & ~mode) !== 0) unlessCode(['EPERM'], () => fchmodSync(fd, mode))
    ftruncateSync(fd, 0)
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
