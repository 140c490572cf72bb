import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import type { ConsoleSink } from '../protocol/init.ts'
import type { Cancel, Clock } from '../system/clock.ts'
import type { Level } from '../system/level.ts'
import type { Native } from '../system/native.ts'

export type { Level }

const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants

/**
 * How to write to one of our standard streams without ever waiting for its reader. Opened before anything drops root: an
 * unprivileged process may not open another's /proc/self/fd/1.
 *
 * A FIFO or terminal gets an open file description of its own, since O_NONBLOCK on the shared one would surprise the main
 * program. A regular file keeps the shared one: a reopened file starts at offset 0 and overwrites. A socket cannot be reopened
 * (ENXIO); send(MSG_DONTWAIT) needs no flag.
 */
export function openSink(fd: 1 | 2): ConsoleSink {
  try {
    const status = fstatSync(fd)
    if (status.isSocket()) return { fd, kind: 'socket' }
    if (status.isFile()) return { fd, kind: 'file' }
    return { fd: openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY), kind: 'stream' }
  } catch {
    return { fd: -1, kind: 'none' } // closed, or somebody else's terminal: nobody is there to be told
  }
}

/** Lines that may wait for a slow reader. */
const MAX_WAITING = 200
const RETRY_MS = 50

export interface OwnConsoleOptions {
  readonly sink: ConsoleSink
  readonly native: Pick<Native, 'sendNonblocking'>
  readonly clock: Clock
  /** `LOG_FORMAT=json`. */
  readonly json: boolean
  /** Says whether lines of a level are shown (`S6_VERBOSITY`); absent: all are. */
  readonly isShown?: (level: Level) => boolean
}

/** init's own lines, on the container's stderr. Never waits, never throws: what finds no room for long is counted and dropped. */
export class OwnConsole {
  readonly #o: OwnConsoleOptions
  #waiting: Buffer[] = []
  #dropped = 0
  #retry: Cancel | undefined

  constructor(options: OwnConsoleOptions) {
    this.#o = options
  }

  line(level: Level, text: string): void {
    if (this.#o.sink.kind === 'none' || this.#o.isShown?.(level) === false) return
    if (this.#waiting.length >= MAX_WAITING) this.#dropped += 1
    else this.#waiting.push(this.#render(level, text))
    this.flush()
  }

  /** Writes what fits; the rest follows by itself. */
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
        this.#waiting.push(this.#render('warn', `${this.#dropped} lines of init were dropped here: nobody read them`))
        this.#dropped = 0
      }
    }
  }

  #retryLater(): void {
    const { clock } = this.#o
    this.#retry ??= clock.at(clock.nowMs() + RETRY_MS, () => {
      this.#retry = undefined
      this.flush()
    })
  }

  #render(level: Level, text: string): Buffer {
    const message = text.replaceAll('\n', ' ')
    if (this.#o.json) {
      const time = new Date(this.#o.clock.wallMs()).toISOString()
      return Buffer.from(`${JSON.stringify({ time, level, component: 'init', message })}\n`)
    }
    const mark = level === 'info' ? '' : level === 'warn' ? 'warning: ' : 'error: '
    return Buffer.from(`hermes: ${mark}${message}\n`)
  }

  /** @returns bytes taken; a sink without a reader takes everything */
  #put(bytes: Buffer): number {
    const { sink, native } = this.#o
    try {
      return sink.kind === 'socket' ? native.sendNonblocking(sink.fd, bytes) : writeSync(sink.fd, bytes)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : bytes.length
    }
  }
}
