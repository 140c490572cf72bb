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
const SPACE = 32
// Subtracting 1 from each byte of a word and keeping the top bits of those that were 0 tells whether one of them was
// (Hacker's Delight, 6-1); a word XORed with this one has a 0 where a newline was.
const NEWLINES = 0x0a0a0a0a
const ONES = 0x01010101
const TOPS = 0x80808080

/** Most bytes that stamping can make of a chunk: every one of them a newline. */
export const stampedBytes = (chunkBytes: number): number => chunkBytes * (STAMP_BYTES + 1) + STAMP_BYTES

/**
 * Copies a chunk with a stamp before every line that begins in it. Words instead of bytes, because this loop sees every
 * byte that is ever logged: 0.55 CPU s/GB for lines of 100 bytes; a latin1 string with one replacement takes 0.8 and
 * leaves garbage, a search and a copy per line 1.3.
 * @param out has room for {@link stampedBytes}
 * @param stamp its {@link STAMP_BYTES} bytes, the last one a space
 * @param midLine the chunk goes on with a line that has its stamp already
 * @returns bytes in `out`
 */
export function stampLines(out: Uint8Array, chunk: Uint8Array, stamp: Uint8Array, midLine: boolean): number {
  const { length } = chunk
  const from = new DataView(chunk.buffer, chunk.byteOffset, length)
  const to = new DataView(out.buffer, out.byteOffset, out.length)
  const stampWords = new DataView(stamp.buffer, stamp.byteOffset, STAMP_BYTES)
  const lastPair = length - 8
  let read = 0
  let written = 0
  let byte = midLine ? 0 : NEWLINE
  while (read < length) {
    if (byte === NEWLINE) {
      for (let k = 0; k < STAMP_BYTES - 1; k += 4) to.setInt32(written + k, stampWords.getInt32(k, true), true)
      out[written + STAMP_BYTES - 1] = SPACE
      written += STAMP_BYTES
    }
    while (read <= lastPair) {
      const a = from.getInt32(read, true)
      const b = from.getInt32(read + 4, true)
      const x = a ^ NEWLINES
      const y = b ^ NEWLINES
      if (((((x - ONES) & ~x) | ((y - ONES) & ~y)) & TOPS) !== 0) break
      to.setInt32(written, a, true)
      to.setInt32(written + 4, b, true)
      read += 8
      written += 8
    }
    byte = 0
    while (read < length && byte !== NEWLINE) {
      byte = chunk[read++] as number
      out[written++] = byte
    }
  }
  return written
}

const everyNewline = /\n/g

/** @param text whole lines as latin1, where every byte is a character and comes back as the same byte */
export const prefixLines = (text: string, prefix: string): string =>
  prefix + text.slice(0, -1).replace(everyNewline, `\n${prefix}`) + text.slice(-1)

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
 * End of the next write to the console: as many whole lines as one atomic write takes, or a single longer line.
 * @param lines whole lines
 */
export function packEnd(lines: Uint8Array, from: number): number {
  const limit = from + ATOMIC_BYTES
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
