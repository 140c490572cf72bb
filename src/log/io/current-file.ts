import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeDirectory } from '../../system/files/directory.ts'
import { NEWLINE, PIECE_BYTES } from '../lines.ts'

/** How far back the beginning of an unfinished line is looked for: a piece with its stamp and mark. */
const LONGEST_LINE_BYTES = PIECE_BYTES + 1024

/** Result of a write. `written` bytes are in the file; with an `error`, they end with a whole line. */
export interface Written {
  readonly written: number
  readonly error?: unknown
}

/** A file that lines are appended to: how long it is, and where its unfinished last line begins. */
export class CurrentFile {
  readonly path: string
  readonly fd: number
  #size = 0
  #openAt: number | undefined

  /**
   * Opens it, and makes it and its directory if need be. @throws what open and mkdir do; Error when it is not a regular
   * file
   */
  constructor(path: string) {
    this.path = path
    this.fd = openOrMake(path)
    const { size } = this.#stat()
    this.#setSize(size)
  }

  get size(): number {
    return this.#size
  }

  /** Where the last line begins, if it has no newline yet. */
  get openAt(): number | undefined {
    return this.#openAt
  }

  /** Where the last whole line ends. */
  get wholeBytes(): number {
    return this.#openAt ?? this.#size
  }

  /**
   * Looks whether its name still stands for it: a program may have moved or removed it, or its whole directory, and
   * writes would go nowhere. Sees too if it was emptied.
   */
  isStillThere(): boolean {
    const named = statSync(this.path, { throwIfNoEntry: false })
    const ours = fstatSync(this.fd)
    if (named === undefined || named.ino !== ours.ino || named.dev !== ours.dev) return false
    if (ours.size !== this.#size) this.#setSize(ours.size)
    return true
  }

  append(bytes: Buffer): Written {
    let written = 0
    try {
      while (written < bytes.length) {
        const n = writeSync(this.fd, bytes, written)
        if (n === 0) throw new Error('nothing was written')
        written += n
      }
      this.#advance(bytes, written)
      return { written }
    } catch (error) {
      this.#advance(bytes, written)
      this.#takeBackHalfLine()
      return { written: written === 0 ? 0 : bytes.lastIndexOf(NEWLINE, written - 1) + 1, error }
    }
  }

  /** Reads its content from an offset on. */
  tail(from: number): Buffer {
    const tail = Buffer.allocUnsafe(this.#size - from)
    return tail.subarray(0, readSync(this.fd, tail, 0, tail.length, from))
  }

  close(): void {
    closeSync(this.fd)
  }

  #stat(): { size: number } {
    const status = fstatSync(this.fd)
    if (status.isFile()) return status
    closeSync(this.fd)
    throw new Error('it is not a regular file; remove it')
  }

  #setSize(size: number): void {
    this.#size = size
    this.#openAt = undefined
    if (size === 0) return
    const from = Math.max(0, size - LONGEST_LINE_BYTES)
    const begin = from + this.tail(from).lastIndexOf(NEWLINE) + 1
    if (begin < size) this.#openAt = begin
  }

  #advance(bytes: Buffer, written: number): void {
    if (written === 0) return
    const last = bytes.lastIndexOf(NEWLINE, written - 1)
    if (last === -1) this.#openAt ??= this.#size
    else this.#openAt = last === written - 1 ? undefined : this.#size + last + 1
    this.#size += written
  }

  /** A full disk takes half a line: without it the file holds whole lines. */
  #takeBackHalfLine(): void {
    if (this.#openAt === undefined) return
    try {
      ftruncateSync(this.fd, this.#openAt)
      this.#size = this.#openAt
      this.#openAt = undefined
    } catch {
      // The disk takes not even that (EIO, EROFS). The half line stays, and a newline will stand before the next one.
    }
  }
}

function openOrMake(path: string): number {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  // Non-blocking, because a FIFO put in this place must not stop the loop; a link in it would be written through.
  const open = (): number => openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644)
  try {
    return open()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    makeDirectory(dirname(path))
    return open()
  }
}
