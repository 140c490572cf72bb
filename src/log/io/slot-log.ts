import { chmodSync, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Clock } from '../../system/clock.ts'
import { type CopyForm, copyOf, NEWLINE, newline, PIECE_MARK, pieceBreak } from '../lines.ts'
import type { ConsoleWriter } from './console.ts'
import { LogFile, type LogPlace } from './log-file.ts'
import { type SharedLogResources, sharedLogResources } from './shared-resources.ts'

/** The most a pipe can hold for an unprivileged user (fs.pipe-max-size): one drain never reads more than that. */
const MAX_DRAIN_BYTES = 1_048_576
const MAX_HELD_PARTS = 64
const pieceMark = Buffer.from(PIECE_MARK)

export interface SlotLogOptions {
  readonly slot: string
  /** The slot's FIFO, made by init. */
  readonly fifo: string
  readonly place: LogPlace
  readonly clock: Clock
  /** The copy for `docker logs`; null: none. */
  readonly console: Pick<ConsoleWriter, 'write' | 'mayContinue'> | null
  readonly form: CopyForm
  warn(text: string): void
  /** The slot's child has been running since before we started: a line without newline in `current` goes on. */
  readonly continued: boolean
  /** Gets whole lines as they came; the bytes are valid during the call only. Must not throw. */
  readonly tap?: (wholeLines: Buffer) => void
  /** Shared by all slots of a supervisor; absent: parts of its own, for a single slot. */
  readonly shared?: SharedLogResources
}

/**
 * The log of one slot: its FIFO is read, stamped lines go to `current`, whole raw lines to the console and the
 * followers. Each chunk is written in the turn it was read in, so a killed supervisor loses one chunk at most. A slow
 * disk slows the service; so does the console's reader, but only while it reads.
 */
export class SlotLog {
  readonly #options: SlotLogOptions
  readonly #shared: SharedLogResources
  readonly #file: LogFile
  readonly #fd: number
  readonly #socket: Socket
  /** Bytes of the line (or piece) that has no newline yet. */
  #openBytes: number
  /** Its bytes, for those who get whole lines only; empty: the last byte was a newline. */
  #held: Buffer[] = []
  #closed = false

  /** @throws when the FIFO cannot be opened; never afterwards, and not for the log directory's sake */
  static open(options: SlotLogOptions): SlotLog {
    // Read and write: with a write end of our own the stream never ends, no matter which other processes open and
    // close the FIFO (fifo(7)).
    const fd = openFifo(options.fifo)
    if (fstatSync(fd).isFIFO()) return new SlotLog(options, fd)
    closeSync(fd)
    throw new Error(`${options.fifo} is not a FIFO`)
  }

  private constructor(options: SlotLogOptions, fd: number) {
    this.#options = options
    this.#shared = options.shared ?? sharedLogResources(options.clock, options.warn)
    this.#file = new LogFile({ place: options.place, clock: options.clock, shared: this.#shared })
    if (!options.continued) this.#file.endLine()
    const open = this.#file.openLine()
    this.#openBytes = open.length
    if (open.length > 0) this.#held.push(open)
    this.#fd = fd
    const buffer = this.#shared.readBuffer
    this.#socket = new Socket({
      fd,
      readable: true,
      writable: false,
      onread: {
        buffer,
        callback: (length) => {
          this.#take(buffer.subarray(0, length))
          return this.#shared.turns.mayContinue(this.#resume) && this.#readerKeepsUp()
        },
      },
    })
    this.#socket.on('error', (error) =>
      options.warn(`log of ${options.slot}: reading ${options.fifo} failed: ${error.message}`),
    )
  }

  /**
   * Takes what the FIFO holds, now: before an exit is acted upon, and before the container ends. Not from within `tap`.
   */
  drain(): void {
    const buffer = this.#shared.readBuffer
    // Bounded, because something else may write on: a grandchild, or the next process.
    for (let left = MAX_DRAIN_BYTES; left > 0 && !this.#closed; ) {
      const length = this.#read(buffer)
      if (length === 0) return
      this.#take(buffer.subarray(0, length))
      left -= length
    }
  }

  /** The process is gone: what it wrote last is a line, newline or not. Call drain() first. */
  endOfProcess(): void {
    if (this.#held.length > 0) this.#pass(newline)
  }

  /** Drains, stops reading and closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.drain()
    this.#closed = true
    this.#socket.destroy()
    await this.#file.close()
  }

  readonly #resume = (): void => {
    if (!this.#closed && this.#readerKeepsUp()) this.#socket.resume()
  }

  /** @returns false: reading goes on by itself when the console's reader has caught up */
  #readerKeepsUp(): boolean {
    return this.#options.console?.mayContinue(this, this.#queue) ?? true
  }

  /** Many slots may have waited: they go on in turns. */
  readonly #queue = (): void => this.#shared.turns.later(this.#resume)

  #read(buffer: Buffer): number {
    try {
      return readSync(this.#fd, buffer)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'EAGAIN')
        this.#options.warn(`log of ${this.#options.slot}: reading ${this.#options.fifo} failed: ${message}`)
      return 0
    }
  }

  #take(chunk: Buffer): void {
    let rest = chunk
    for (let at = pieceBreak(rest, this.#openBytes); at !== undefined; at = pieceBreak(rest, this.#openBytes)) {
      if (at > 0) this.#pass(rest.subarray(0, at))
      rest = rest.subarray(at)
      this.#pass(newline)
      this.#pass(pieceMark)
      this.#openBytes = 0
    }
    this.#pass(rest)
  }

  /** Bytes in which no line passes the limit. */
  #pass(bytes: Buffer): void {
    this.#file.append(bytes, this.#held.length > 0)
    const end = bytes.lastIndexOf(NEWLINE) + 1
    if (end === 0) {
      this.#openBytes += bytes.length
      this.#hold(bytes)
      return
    }
    this.#copy(this.#joined(bytes.subarray(0, end)))
    this.#openBytes = bytes.length - end
    if (end < bytes.length) this.#hold(bytes.subarray(end))
  }

  /** Puts the beginning of the first line before the rest of it, in place if it can: then all of them are one write. */
  #joined(lines: Buffer): Buffer {
    if (this.#held.length === 0) return lines
    const begin = Buffer.concat(this.#held)
    this.#held = []
    const { beforeAndRead } = this.#shared
    const at = lines.byteOffset - begin.length
    if (lines.buffer !== beforeAndRead.buffer || at < 0) return Buffer.concat([begin, lines])
    // The bytes there were read before these lines, and have been passed.
    beforeAndRead.set(begin, at)
    return beforeAndRead.subarray(at, at + begin.length + lines.length)
  }

  #hold(bytes: Buffer): void {
    this.#held.push(Buffer.from(bytes))
    // A line that comes byte by byte would otherwise be a quarter of a million objects.
    if (this.#held.length > MAX_HELD_PARTS) this.#held = [Buffer.concat(this.#held)]
  }

  #copy(wholeLines: Buffer): void {
    const { console, tap, form, slot, clock } = this.#options
    // The time is made only where it is written: this is the path of every line.
    if (console)
      console.write(
        form === 'raw' ? wholeLines : copyOf(wholeLines, form, slot, new Date(clock.wallMs()).toISOString()),
        this,
      )
    tap?.(wholeLines)
  }
}

/**
 * Our uid owns it, and a gateway that has the same one may have closed it: its slot would block as soon as the pipe is
 * full.
 */
function openFifo(path: string): number {
  const open = (): number => openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  try {
    return open()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    chmodSync(path, 0o600)
    return open()
  }
}
