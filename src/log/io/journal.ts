import { closeSync, constants, fstatSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { unlessCode } from '../../system/error-code.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import type { Level } from '../../system/level.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import type { ConsoleWriter } from './console.ts'

/** As rotating-file-stream would keep it: the file and this many older ones. */
const MAX_BYTES = 5_000_000
const ARCHIVES = 3
/** How often the open file is compared with what its name stands for: a user may have moved `logs` away. */
const CHECK_MS = 1000
// A program that can write the volume can put a FIFO or a link in this place. Opening the FIFO would block us
// indefinitely, and we would write through the link.
const OPEN_FLAGS =
  constants.O_WRONLY |
  constants.O_APPEND |
  constants.O_CREAT |
  constants.O_NOFOLLOW |
  constants.O_NONBLOCK |
  constants.O_NOCTTY
/** Lines that wait for the volume to be ours. */
const MAX_WAITING = 1000

export interface JournalOptions {
  /** The container's stderr. */
  readonly console: Pick<ConsoleWriter, 'write'>
  /** `LOG_FORMAT=json`. */
  readonly json: boolean
  /**
   * Says whether lines of a level are shown on the console (`S6_VERBOSITY`); absent: all are. The file gets every line.
   */
  readonly isShown?: (level: Level) => boolean
  readonly clock: Clock
}

/**
 * What the supervisor itself has to say: one line each, to the container's stderr and to logs/supervisor.log.
 * A plain synchronous writer: pino and rotating-file-stream would cost 14 MB of memory, this costs less than 1, for
 * some lines an hour.
 */
export class Journal {
  readonly #options: JournalOptions
  #file: string | undefined
  #fd: number | undefined
  #size = 0
  #waiting: string[] = []
  #failed = false
  #checkAtMs = 0

  constructor(options: JournalOptions) {
    this.#options = options
  }

  readonly info = (text: string): void => this.#log('info', text)
  readonly warn = (text: string): void => this.#log('warn', text)
  readonly error = (text: string): void => this.#log('error', text)

  /** A line that is on the console already. */
  note(level: Level, text: string): void {
    this.#append(this.#fileLine(level, text))
  }

  /** The volume may be written from now on; what has waited is written. */
  open(file: string): void {
    if (this.#file !== undefined) return
    this.#file = file
    const waiting = this.#waiting
    this.#waiting = []
    for (const line of waiting) this.#append(line)
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #log(level: Level, text: string): void {
    const message = oneLine(text)
    const time = new Date(this.#options.clock.wallMs()).toISOString()
    const line = this.#options.json
      ? JSON.stringify({ time, level, component: 'supervisor', message })
      : `hermes: ${level === 'info' ? '' : `${level === 'warn' ? 'warning' : level}: `}${message}`
    if (this.#options.isShown?.(level) !== false) this.#options.console.write(`${line}\n`)
    this.#append(this.#fileLine(level, message))
  }

  #fileLine(level: Level, text: string): string {
    return `${new Date(this.#options.clock.wallMs()).toISOString()} ${level.toUpperCase()} ${oneLine(text)}\n`
  }

  #append(line: string): void {
    if (this.#file === undefined) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(line)
      return
    }
    try {
      this.#open(this.#file) // only an open file's size is known
      this.#rotateBefore(Buffer.byteLength(line))
      writeSync(this.#open(this.#file), line)
      this.#size += Buffer.byteLength(line)
      this.#failed = false
    } catch (error) {
      // Reported once on the console, which has the lines themselves; each later line tries again.
      if (!this.#failed)
        this.#options.console.write(`hermes: warning: ${this.#file} cannot be written: ${(error as Error).message}\n`)
      this.#failed = true
      this.close()
    }
  }

  #open(file: string): number {
    const nowMs = this.#options.clock.nowMs()
    if (this.#fd !== undefined && nowMs >= this.#checkAtMs) {
      this.#checkAtMs = nowMs + CHECK_MS
      if (!isStillNamed(file, this.#fd)) this.close()
    }
    if (this.#fd !== undefined) return this.#fd
    makeDirectory(dirname(file))
    const fd = openSync(file, OPEN_FLAGS, 0o644)
    const status = fstatSync(fd)
    if (!status.isFile()) {
      closeSync(fd)
      throw new Error('it is not a regular file; remove it')
    }
    this.#checkAtMs = nowMs + CHECK_MS
    this.#fd = fd
    this.#size = status.size
    return fd
  }

  #rotateBefore(bytes: number): void {
    const file = this.#file
    if (file === undefined || this.#size + bytes <= MAX_BYTES) return
    this.close()
    rmSync(`${file}.${ARCHIVES}`, { force: true })
    for (let n = ARCHIVES - 1; n >= 0; n--)
      unlessCode(['ENOENT'], () => renameSync(n === 0 ? file : `${file}.${n}`, `${file}.${n + 1}`))
    this.#size = 0
  }
}

function isStillNamed(file: string, fd: number): boolean {
  const named = statSync(file, { throwIfNoEntry: false })
  const ours = fstatSync(fd)
  return named?.ino === ours.ino && named.dev === ours.dev
}
