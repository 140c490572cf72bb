import { randomBytes } from 'node:crypto'
import { closeSync, constants, fchmodSync, fstatSync, openSync } from 'node:fs'
import { link, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { randomTag, syncDirectory, writeNewFile } from '../../system/files/replace-file.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { misconfigured } from '../settings/settings.ts'

/** Length of the key that seals sessions. */
export const KEY_BYTES = 32
const MAX_FILE_BYTES = 1024

/**
 * Returns the key that seals sessions: `dashboard.key` in the volume, 0600, created if missing. With it sessions
 * outlive a restart; deleting it ends all of them.
 * @throws HermesError with exit code 78 if something else is in its place: a link, a directory, another text
 */
export async function dashboardKey(home: string): Promise<Buffer> {
  const file = join(home, 'dashboard.key')
  return readKey(file) ?? (await makeKey(home, file))
}

function readKey(file: string): Buffer | undefined {
  const { text, problem } = readSmallFile(file, MAX_FILE_BYTES)
  if (problem !== undefined) throw noKey(file, problem)
  if (text === undefined) return undefined
  const key = Buffer.from(text.trim(), 'base64url')
  if (key.length !== KEY_BYTES) throw noKey(file, 'is not a key of hermes')
  closeToOthers(file)
  return key
}

/** A copy of the volume may have come with another mode. */
function closeToOthers(file: string): void {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    if ((fstatSync(fd).mode & 0o077) !== 0) fchmodSync(fd, 0o600)
  } finally {
    closeSync(fd)
  }
}

/** Whole or not at all, and never over another one: link(2) fails where something is there already. */
async function makeKey(home: string, file: string): Promise<Buffer> {
  const temporary = join(home, `.new-${randomTag()}`)
  await writeNewFile(temporary, `${randomBytes(KEY_BYTES).toString('base64url')}\n`, 0o600)
  try {
    await link(temporary, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(temporary)
  }
  await syncDirectory(home)
  const key = readKey(file)
  if (key === undefined) throw noKey(file, 'is gone again')
  return key
}

const noKey = (file: string, problem: string) =>
  misconfigured(`${file} ${problem}`, `remove it: a new one is made, and everybody logs in again`)
