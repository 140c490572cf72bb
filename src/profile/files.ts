import { constants } from 'node:fs'
import { lstat, open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeInPlace } from './replace-file.ts'

/** A name nobody else has, so that two at once never build in one place. (node:crypto would cost each command 7 ms.) */
export const randomTag = (): string => `${process.pid.toString(36)}-${process.hrtime.bigint().toString(36)}`

export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** Writes a new file and waits until it is on the disk. @throws EEXIST when something is there, even a dangling link */
export async function writeNewFile(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(
    file,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    mode,
  )
  try {
    await handle.writeFile(text)
    await handle.sync()
  } catch (error) {
    // write(2) knows no name; whoever reads "no space left" wants to know where.
    throw Object.assign(error as Error, { path: file })
  } finally {
    await handle.close()
  }
}

/** Replaces a file so that a reader sees the old text or the new one, also after a power cut; a mounted file is written in place. */
export async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  const temporary = join(dirname(file), `.new-${randomTag()}`)
  try {
    await writeNewFile(temporary, text, mode)
    await rename(temporary, file)
  } catch (error) {
    await unlink(temporary).catch((left: unknown) => {
      if (!isMissing(left) && (left as NodeJS.ErrnoException).code !== 'EROFS') throw left
    })
    writeInPlace(file, text, mode, error)
    return
  }
  await syncDirectory(dirname(file))
}

/** A rename or a new name is on the disk only when its directory is. File systems that cannot sync a directory say EINVAL. */
export async function syncDirectory(dir: string | Buffer): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await handle.close()
  }
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
