/**
 * The bytes of the log path. Everything works on whole chunks: a stream or a string per line (`readline`) is 500 times
 * slower.
 */
import { STAMP_BYTES } from './stamp.ts'

/** A longer line goes on in pieces of this size. Bounds what is held in memory for a line that never ends. */
export const PIECE_BYTES = 256 * 1024
/** Stands before every piece of a line but the first. */
export const PIECE_MARK = '+ '
/** Linux writes up to this many bytes to a pipe as one (PIPE_BUF, pipe(7)): no other writer gets in between. */
export const ATOMIC_BYTES = 4096

export const NEWLINE = 10
/** The same as bytes to write. */
export const newline = Buffer.from('\n')

/** Most bytes that stamping can make of a chunk: every one of them a newline. */
export const stampedBytes = (chunkBytes: number): number => chunkBytes * (STAMP_BYTES + 1) + STAMP_BYTES

/**
 * Copies a chunk with a stamp before every line that begins in it.
 * @param out has room for {@link stampedBytes}
 * @param stamp its {@link STAMP_BYTES} bytes, the last one a space
 * @param midLine the chunk goes on with a line that has its stamp already
 * @returns bytes in `out`
 */
export function stampLines(out: Uint8Array, chunk: Uint8Array, stamp: Uint8Array, midLine: boolean): number {
  let written = 0
  let isOpen = midLine
  for (let at = 0; at < chunk.length; ) {
    if (!isOpen) {
      out.set(stamp, written)
      written += STAMP_BYTES
    }
    isOpen = false
    const end = chunk.indexOf(NEWLINE, at) + 1 || chunk.length
    out.set(chunk.subarray(at, end), written)
    written += end - at
    at = end
  }
  return written
}

const everyNewline = /\n/g

/** @param text whole lines as latin1, where every byte is a character and comes back as the same byte */
export const prefixLines = (text: string, prefix: string): string =>
  prefix + text.slice(0, -1).replace(everyNewline, `\n${prefix}`) + text.slice(-1)

/** How the lines of slots look in the container's stdout: as they came, with `[slot] ` before each, or as JSON. */
export type CopyForm = 'raw' | 'prefixed' | 'json'

/**
 * @param lines whole lines; other bytes than UTF-8 become U+FFFD in JSON, and stay what they are otherwise
 * @param time RFC 3339
 */
export function copyOf(lines: Buffer, form: CopyForm, slot: string, time: string): Buffer {
  switch (form) {
    case 'raw':
      return lines
    case 'prefixed':
      return Buffer.from(prefixLines(lines.toString('latin1'), `[${slot}] `), 'latin1')
    case 'json':
      return Buffer.from(
        lines
          .toString()
          .slice(0, -1)
          .split('\n')
          .map((line) => `${JSON.stringify({ time, slot, line })}\n`)
          .join(''),
      )
  }
}

/**
 * How much of a chunk the open line can take before it becomes a piece and goes on in a new one.
 * @param openBytes bytes the open line (or piece) has already
 * @returns bytes of the chunk up to the break, or undefined when no break falls into it. Holds for chunks up to a piece
 * long: then only the line that is open at the start can pass the limit
 */
export function pieceBreak(chunk: Uint8Array, openBytes: number): number | undefined {
  const room = PIECE_BYTES - openBytes
  if (chunk.length <= room) return undefined
  const newline = chunk.indexOf(NEWLINE)
  return newline !== -1 && newline <= room ? undefined : Math.max(0, room)
}

/**
 * How much of these lines goes into a file that has room for `room` bytes, cut after a whole line.
 * @returns 0: not even the first line fits
 */
export function fitLines(bytes: Uint8Array, room: number): number {
  if (bytes.length <= room) return bytes.length
  return room <= 0 ? 0 : bytes.lastIndexOf(NEWLINE, room - 1) + 1
}

/**
 * End of the next write to the console: as many whole lines as fit into `bytes`, or a single longer line.
 * @param lines whole lines
 */
export function packEnd(lines: Uint8Array, from: number, bytes: number): number {
  const limit = from + bytes
  if (lines.length <= limit) return lines.length
  const cut = lines.lastIndexOf(NEWLINE, limit - 1)
  if (cut >= from) return cut + 1
  const end = lines.indexOf(NEWLINE, limit)
  return end === -1 ? lines.length : end + 1
}

export function countLines(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count++
  return count
}
