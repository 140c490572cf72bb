import { readSync } from 'node:fs'

const BLOCK_BYTES = 65_536
const NEWLINE = 10

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
      start = end + 1
      lineAt = at - length + start
      yield { text: line.toString(), nextAt: lineAt }
    }
    if (start < length) held.push(block.subarray(start, length))
  }
  if (unfinished && held.length > 0) yield { text: Buffer.concat(held).toString(), nextAt: at }
}

/**
 * Where the last `lines` lines of a file begin, read backwards from `size`.
 * @returns that offset, and how many lines there are from it on: fewer than asked for means the file's start was reached
 */
export function lastLines(fd: number, size: number, lines: number): { readonly from: number; readonly found: number } {
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let found = 0
  let at = size
  while (at > 0 && lines > 0) {
    const length = Math.min(BLOCK_BYTES, at)
    at -= length
    const got = readSync(fd, block, 0, length, at)
    for (let i = got - 1; i >= 0; i--) {
      if (block[i] !== NEWLINE) {
        if (at + i === size - 1) found++ // the last line has no newline
        continue
      }
      // This newline ends the line before; what it stands before are `found` lines.
      if (found === lines) return { from: at + i + 1, found }
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
