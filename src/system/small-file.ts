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
export function readSmallFile(path: string, maxBytes: number): SmallFile {
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
    return readRegular(fd, maxBytes)
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
  if (!fstatSync(fd).isFile()) return { problem: 'is not a regular file' }
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
