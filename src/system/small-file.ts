import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/** What a file that anybody may have tampered with turned out to be: its text, nothing there, or one line that says what is wrong. */
export type SmallFile =
  | { readonly text: string; readonly problem?: undefined }
  | { readonly text?: undefined; readonly problem?: undefined }
  | { readonly text?: undefined; readonly problem: string }

/**
 * Reads a small text file from a directory that others can write. Never follows a link, never waits (a FIFO without a writer
 * would hold open(2) for ever), never reads more than `maxBytes`, never throws.
 */
export const readSmallFile = (path: string, maxBytes: number): SmallFile =>
  withRegular(path, (fd) => readRegular(fd, maxBytes))

/** The last `maxBytes` of a file, as carefully as {@link readSmallFile}; the first line may be a torn one. */
export const readTail = (path: string, maxBytes: number): SmallFile =>
  withRegular(path, (fd) => {
    const buffer = Buffer.allocUnsafe(maxBytes)
    const got = readSync(fd, buffer, 0, maxBytes, Math.max(0, fstatSync(fd).size - maxBytes))
    return { text: buffer.toString('utf8', 0, got) }
  })

function withRegular(path: string, read: (fd: number) => SmallFile): SmallFile {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return {}
    // ENXIO: a socket, or a device without a driver.
    return { problem: openProblems[code] ?? `cannot be opened (${code})` }
  }
  try {
    return fstatSync(fd).isFile() ? read(fd) : { problem: 'is not a regular file' }
  } catch (error) {
    return { problem: `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})` }
  } finally {
    closeSync(fd)
  }
}

const openProblems: { readonly [code: string]: string } = {
  ELOOP: 'is a symbolic link, which is not followed',
  EACCES: 'may not be read (EACCES)',
  ENXIO: 'is not a regular file',
}

function readRegular(fd: number, maxBytes: number): SmallFile {
  // One byte more than allowed tells a file at the limit from one past it, whatever its size claims to be.
  const buffer = Buffer.allocUnsafe(Math.min(maxBytes, 64 * 1024) + 1)
  const pieces: Buffer[] = []
  let heldBytes = 0
  for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) {
    heldBytes += got
    if (heldBytes > maxBytes) return { problem: `is larger than ${maxBytes} bytes` }
    pieces.push(Buffer.from(buffer.subarray(0, got)))
  }
  return { text: Buffer.concat(pieces).toString('utf8') }
}
