import { readSync } from 'node:fs'
import { NEWLINE } from '../lines.ts'

const BLOCK_BYTES = 65_536
/**
 * What has no newline for so long is taken apart: no line of ours is a quarter as long, but a program may
 * have put a file of 10 GB without one in the place of a log.
 */
const LONGEST_LINE_BYTES = 1024 * 1024

/** A line and where in the file the next one begins. */
export interface FileLine {
  readonly text: string
  readonly nextAt: number
}

/**
 * The whole lines of a file from `from` on, up to its end as it is now. Reads block by block, whatever the file's size.
 * @param unfinished also the last line when it has no newline
 */
export function* linesFrom(fd: number, from: number, unfinished: boolean): Generator<FileLine> {
  let held: Buffer[] = []
  let heldBytes = 0
  let at = from
  let lineAt = from
  for (;;) {
    const block = Buffer.allocUnsafe(BLOCK_BYTES)
    const length = readSync(fd, block, 0, BLOCK_BYTES, at)
    if (length === 0) break
    at += length
    let start = 0
    for (let end = block.indexOf(NEWLINE); end !== -1 && end < length; end = block.indexOf(NEWLINE, start)) {
      const line = held.length === 0 ? block.subarray(start, end) : Buffer.concat([...held, block.subarray(start, end)])
      held = []
      heldBytes = 0
      start = end + 1
      lineAt = at - length + start
      yield { text: line.toString(), nextAt: lineAt }
    }
    if (start === length) continue
    held.push(block.subarray(start, length))
    heldBytes += length - start
    if (heldBytes < LONGEST_LINE_BYTES) continue
    const piece = Buffer.concat(held)
    held = []
    heldBytes = 0
    yield { text: piece.toString(), nextAt: at }
  }
  if (unfinished && held.length > 0) yield { text: Buffer.concat(held).toString(), nextAt: at }
}

/**
 * Where the last `lines` lines of a file begin, read backwards from `size`.
 * @param maxBytes so many are looked at, give or take a block
 * @returns that offset, and how many lines there are from it on: fewer than asked for means the file's start, or that
 * limit, was reached
 */
export function lastLines(
  fd: number,
  size: number,
  lines: number,
  maxBytes = Number.POSITIVE_INFINITY,
): { readonly from: number; readonly found: number } {
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let found = 0
  let at = size
  /** End of the line that is being looked at. */
  let end = size
  while (at > 0 && lines > 0) {
    if (size - at >= maxBytes) return { from: at, found }
    const length = Math.min(BLOCK_BYTES, at)
    at -= length
    const got = readSync(fd, block, 0, length, at)
    for (let i = got - 1; i >= 0; i--) {
      if (block[i] !== NEWLINE) {
        if (at + i === size - 1) found++ // the last line has no newline
        if (end - (at + i) < LONGEST_LINE_BYTES) continue
      }
      end = at + i
      // This newline ends the line before; what it stands before are `found` lines.
      if (found === lines) return { from: block[i] === NEWLINE ? at + i + 1 : at + i, found }
      found++
    }
  }
  return { from: lines > 0 ? 0 : size, found }
}

/** Where the unfinished last line of a file begins; its size when it ends with a newline. */
export function wholeLinesEnd(fd: number, size: number): number {
  const last = Buffer.alloc(1)
  if (size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === NEWLINE)) return size
  return lastLines(fd, size, 1).from
}
