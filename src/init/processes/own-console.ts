import { constants, fstatSync, openSync, type Stats } from 'node:fs'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Level } from '../../system/level.ts'
import { type ConsoleSink, writeToSink } from '../../system/native/console-sink.ts'
import type { Native } from '../../system/native/native.ts'
import { readProcess } from '../../system/programs/proc.ts'
import { oneLine } from '../../system/text/foreign-text.ts'

const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants

/**
 * Returns how to write to one of our standard streams without ever waiting for its reader. Call it before root is
 * dropped: an unprivileged process may not open another's /proc/self/fd/1.
 *
 * A FIFO or terminal gets a separate open file description, since O_NONBLOCK on the shared one would surprise the
 * main program. A regular file keeps the shared one: a reopened file starts at offset 0 and overwrites. A socket
 * cannot be reopened (ENXIO); send(MSG_DONTWAIT) needs no flag. A FIFO or terminal of another owner cannot be
 * reopened either: after `su - user` the terminal still belongs to the first user. /dev/tty needs no permission, and
 * is the same terminal if it is ours; otherwise the inherited descriptor is used.
 */
export function openSink(fd: 1 | 2): ConsoleSink {
  let status: Stats
  try {
    status = fstatSync(fd)
  } catch {
    return { fd: -1, kind: 'none' } // EBADF: it was closed before we came
  }
  if (status.isSocket()) return { fd, kind: 'socket' }
  if (status.isFile()) return { fd, kind: 'file' }
  for (const path of [`/proc/self/fd/${fd}`, ...(isOurTerminal(status) ? ['/dev/tty'] : [])]) {
    try {
      return { fd: openSync(path, O_WRONLY | O_NONBLOCK | O_NOCTTY), kind: 'stream' }
    } catch {
      // EACCES, ENXIO: the next way.
    }
  }
  return { fd, kind: 'shared' }
}

/** Limit for any user (/proc/sys/fs/pipe-max-size). */
const WIDE_PIPE_BYTES = 1_048_576

/**
 * Enlarges the FIFO behind a sink. An engine that copies from it then reads larger pieces, and writers wait less
 * often. A FIFO that cannot be enlarged is not an error.
 */
export function widen({ kind, fd }: ConsoleSink, native: Pick<Native, 'setPipeSize'>): void {
  if (kind !== 'stream') return
  try {
    if (fstatSync(fd).isFIFO()) native.setPipeSize(fd, WIDE_PIPE_BYTES)
  } catch {
    // EPERM, ENOSYS, no native calls.
  }
}

const isOurTerminal = ({ rdev }: Stats): boolean => rdev !== 0 && readProcess(process.pid)?.terminal === rdev

/** Lines that may wait for a slow reader. */
const MAX_WAITING = 200
const RETRY_MS = 50
/** Time that the last lines may wait for their reader, and the interval of attempts. */
const FINISH_MS = 1_000
const FINISH_LOOK_MS = 10

export interface OwnConsoleOptions {
  readonly sink: ConsoleSink
  readonly native: Pick<Native, 'sendNonblocking' | 'hasRoom'>
  readonly clock: Clock
  /** `LOG_FORMAT=json`. */
  readonly json: boolean
  /** Tells whether lines of a level are shown (`S6_VERBOSITY`); absent: all are. */
  readonly isShown?: (level: Level) => boolean
}

/**
 * init's own lines, on the container's stderr. Never waits, never throws: what finds no room for long is counted and
 * dropped.
 */
export class OwnConsole {
  readonly #options: OwnConsoleOptions
  #waiting: Buffer[] = []
  #dropped = 0
  #retry: Cancel | undefined

  constructor(options: OwnConsoleOptions) {
    this.#options = options
  }

  line(level: Level, text: string): void {
    if (this.#options.sink.kind === 'none' || this.#options.isShown?.(level) === false) return
    if (this.#waiting.length >= MAX_WAITING) this.#dropped += 1
    else this.#waiting.push(this.#render(level, text))
    this.flush()
  }

  /** Writes as much as fits; the rest follows automatically. */
  flush(): void {
    while (this.#waiting[0] !== undefined) {
      const line = this.#waiting[0]
      const taken = this.#put(line)
      if (taken < line.length) {
        if (taken > 0) this.#waiting[0] = line.subarray(taken)
        this.#retryLater()
        return
      }
      this.#waiting.shift()
      if (this.#waiting.length === 0 && this.#dropped > 0) {
        this.#waiting.push(
          this.#render('warn', `${this.#dropped} lines of init were dropped here: the output was not read`),
        )
        this.#dropped = 0
      }
    }
  }

  /** Waits for the reader, at most a second: lines written right before the end must not be lost. */
  finish(): void {
    const untilMs = this.#options.clock.nowMs() + FINISH_MS
    for (this.flush(); this.#waiting.length > 0 && this.#options.clock.nowMs() < untilMs; this.flush())
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FINISH_LOOK_MS)
  }

  #retryLater(): void {
    const { clock } = this.#options
    this.#retry ??= clock.at(clock.nowMs() + RETRY_MS, () => {
      this.#retry = undefined
      this.flush()
    })
  }

  #render(level: Level, text: string): Buffer {
    const message = oneLine(text)
    if (this.#options.json) {
      const time = new Date(this.#options.clock.wallMs()).toISOString()
      return Buffer.from(`${JSON.stringify({ time, level, component: 'init', message })}\n`)
    }
    const mark = level === 'info' ? '' : level === 'warn' ? 'warning: ' : 'error: '
    return Buffer.from(`hermes: ${mark}${message}\n`)
  }

  /** @returns bytes taken; a sink without a reader takes everything */
  #put(bytes: Buffer): number {
    const { sink, native } = this.#options
    try {
      return writeToSink(sink, native, bytes)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : bytes.length
    }
  }
}
