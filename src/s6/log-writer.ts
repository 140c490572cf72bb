import { accessSync, closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { LogFile } from '../log/io/log-file.ts'
import { sharedLogResources } from '../log/io/shared-resources.ts'
import { NEWLINE, newline, PIECE_MARK, pieceBreak, stampedBytes, stampLines } from '../log/lines.ts'
import { stampText } from '../log/stamp.ts'
import type { Clock } from '../system/clock.ts'
import { makeDirectory } from '../system/files/directory.ts'
import type { Native } from '../system/native/native.ts'
import { codeOf, exitCodes, S6Error, systemError } from './error.ts'
import type { LogAction } from './log-script.ts'

const pieceMark = Buffer.from(PIECE_MARK)
/** While a reader of stdout that is not blocking has no room. */
const NO_ROOM_MS = 5

export interface LogWriterFacts {
  readonly clock: Clock
  readonly native: Pick<Native, 'tryLock'>
  warn(text: string): void
}

/** Where one action's bytes go. */
interface Sink {
  /** @param midLine they go on with a line that the bytes before left open */
  append(bytes: Buffer, midLine: boolean): void
  rotate(): void
  close(): Promise<void>
}

/** Writes a stream of lines to the places that a script names. */
export class LogWriter {
  readonly #sinks: readonly Sink[]
  /** Bytes of the line (or piece) that has no newline yet. */
  #openBytes = 0
  #midLine = false

  /** @throws S6Error 111 when a directory cannot be written, or another program writes there */
  constructor(actions: readonly LogAction[], facts: LogWriterFacts) {
    this.#sinks = actions.map((action) =>
      action.to === 'stdout' ? stdoutSink(action.stamped, facts) : directorySink(action, facts),
    )
  }

  /** The last byte was not a newline. */
  get midLine(): boolean {
    return this.#midLine
  }

  /** @param chunk at most 64 KiB */
  write(chunk: Buffer): void {
    let rest = chunk
    for (let at = pieceBreak(rest, this.#openBytes); at !== undefined; at = pieceBreak(rest, this.#openBytes)) {
      this.#pass(rest.subarray(0, at))
      rest = rest.subarray(at)
      this.#pass(newline)
      this.#pass(pieceMark)
      this.#openBytes = 0
    }
    this.#pass(rest)
  }

  /** Archives what each directory has of whole lines. */
  rotate(): void {
    for (const sink of this.#sinks) sink.rotate()
  }

  /** Ends the last line, with or without a newline of its own, and syncs. */
  async close(): Promise<void> {
    if (this.#midLine) this.#pass(newline)
    await Promise.all(this.#sinks.map((sink) => sink.close()))
  }

  #pass(bytes: Buffer): void {
    if (bytes.length === 0) return
    for (const sink of this.#sinks) sink.append(bytes, this.#midLine)
    const last = bytes.lastIndexOf(NEWLINE)
    this.#openBytes = last === -1 ? this.#openBytes + bytes.length : bytes.length - last - 1
    this.#midLine = last !== bytes.length - 1
  }
}

function directorySink(
  { dir, archives, maxBytes, stamped }: Extract<LogAction, { to: 'directory' }>,
  { clock, native, warn }: LogWriterFacts,
): Sink {
  const lock = join(dir, 'lock')
  try {
    makeDirectory(dir, 0o700)
    accessSync(dir, constants.W_OK | constants.X_OK)
    // s6-log's own lock: two writers would rotate each other's files away. Kept for as long as we live.
    const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
    const fd = openSync(lock, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644)
    if (native.tryLock(fd) === 'busy') {
      closeSync(fd)
      throw new S6Error(exitCodes.system, `${dir}: another logger writes there; give each its own directory`)
    }
  } catch (error) {
    throw systemError(
      `cannot write in ${dir} as uid ${process.geteuid?.()} (make it, and give it to that user, before this starts)`,
      error,
    )
  }
  const file = new LogFile({
    place: { dir, archives, maxBytes },
    stamped,
    clock,
    shared: sharedLogResources(clock, warn),
  })
  file.endLine()
  return {
    append: (bytes, midLine) => file.append(bytes, midLine),
    rotate: () => file.rotate(),
    close: () => file.close(),
  }
}

/** As s6-log's: where it cannot be written any more, it is done without for good. */
function stdoutSink(stamped: boolean, { clock }: LogWriterFacts): Sink {
  let ended = false
  return {
    append(bytes, midLine) {
      if (ended) return
      const out = stamped ? Buffer.allocUnsafe(stampedBytes(bytes.length)) : bytes
      const length = stamped ? stampLines(out, bytes, Buffer.from(stampText(clock.wallMs())), midLine) : bytes.length
      ended = !writeAll(1, out.subarray(0, length))
    },
    rotate: () => undefined,
    close: () => Promise.resolve(),
  }
}

/** @returns false: the reader has gone */
function writeAll(fd: number, bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') return false
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NO_ROOM_MS)
    }
  }
  return true
}
