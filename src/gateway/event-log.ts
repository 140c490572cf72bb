import { mkdirSync } from 'node:fs'
import pino from 'pino'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import type { Clock } from '../system/clock.ts'

/** `agent.log`, and warnings up to `errors.log`, in `<profile dir>/logs/`. */
export interface EventLog {
  readonly logger: pino.Logger
  /** Resolves when everything is in the files. */
  close(): Promise<void>
}

/** Names whose values never reach a log, wherever they are in an object. */
const REDACTED = ['key', 'apiKey', 'api_key', 'token', 'password', 'secret', 'authorization', 'cookie']

/**
 * Opens the gateway's own logs. Trouble with a file (full disk, no permission) is told to `warn` and costs lines, not the gateway.
 * @param format `json`: pino's lines; `text`: `<RFC 3339> LEVEL [session] component: text`
 */
export function openEventLog(options: {
  readonly dir: string
  readonly format: 'text' | 'json'
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** Every line once more, for who looks at the slot's own log: without its time, which is stamped there. */
  readonly echo: (line: string) => void
  /** Blacks out what the names of fields do not give away. */
  readonly redact?: (text: string) => string
}): EventLog {
  const { dir, format, clock, warn, echo, redact = (text) => text } = options
  const open = (name: string): LogFile =>
    new LogFile(clock, warn, `${dir}/${name}`, () => {
      mkdirSync(dir, { recursive: true })
      return createStream(name, { path: dir, size: '5M', rotate: 3, mode: 0o644 })
    })
  const agent = open('agent.log')
  const errors = open('errors.log')
  const destination = {
    write(line: string): void {
      const event = JSON.parse(line) as LogEvent
      const text = redact(format === 'json' ? line : textLine(event))
      agent.write(text)
      echo(format === 'json' ? text : text.slice(event.time.length + 1))
      if (event.level !== 'info' && event.level !== 'debug' && event.level !== 'trace') errors.write(text)
    },
  }
  const logger = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    },
    destination,
  )
  return {
    logger,
    close: async () => {
      await Promise.all([agent.close(), errors.close()])
    },
  }
}

/** After a failure the file is opened anew, but not before so long. */
const RETRY_MS = 10_000

/** A file whose stream ends with its first error: the next one is opened when there may be room again. */
class LogFile {
  readonly #clock: Clock
  readonly #warn: (text: string) => void
  readonly #path: string
  readonly #open: () => RotatingFileStream
  #stream: RotatingFileStream | undefined
  #retryAtMs = Number.NEGATIVE_INFINITY
  /** Failed since it was last written, which has been said. */
  #failed = false

  constructor(clock: Clock, warn: (text: string) => void, path: string, open: () => RotatingFileStream) {
    this.#clock = clock
    this.#warn = warn
    this.#path = path
    this.#open = open
    this.#opened()
  }

  write(text: string): void {
    this.#opened()?.write(text, (error) => {
      if (!error) this.#failed = false
    })
  }

  close(): Promise<void> {
    return new Promise((resolve) => (this.#stream === undefined ? resolve() : this.#stream.end(resolve)))
  }

  #opened(): RotatingFileStream | undefined {
    if (this.#stream !== undefined || this.#clock.nowMs() < this.#retryAtMs) return this.#stream
    try {
      const stream = this.#open()
      stream.on('error', (error) => {
        if (this.#stream === stream) this.#fail(error)
      })
      stream.on('warning', (error) => this.#warn(`${this.#path}: ${error.message}`))
      this.#stream = stream
    } catch (error) {
      this.#fail(error as Error)
    }
    return this.#stream
  }

  #fail(error: Error): void {
    if (!this.#failed)
      this.#warn(`${this.#path}: ${error.message}; lines are missing there until it can be written again`)
    this.#failed = true
    this.#stream = undefined
    this.#retryAtMs = this.#clock.nowMs() + RETRY_MS
  }
}

interface LogEvent {
  readonly level: string
  readonly time: string
  readonly session?: string
  readonly component?: string
  readonly msg?: string
  readonly err?: { readonly message?: string; readonly stack?: string }
  readonly [key: string]: unknown
}

/** One line, always: what a caller puts into a text must not look like the next entry. */
export function textLine({ level, time, session, component, msg, err, ...rest }: LogEvent): string {
  const more = [
    ...Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`),
    ...(err ? [err.stack ?? err.message ?? ''] : []),
  ]
  const text = [msg ?? '', ...more].filter((part) => part !== '').join(' ')
  return `${time} ${level.toUpperCase()} [${session ?? '-'}] ${component ?? 'gateway'}: ${text.replace(/\r?\n\s*/g, ' | ')}\n`
}
