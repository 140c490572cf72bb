import pino from 'pino'
import type { Clock } from '../system/clock.ts'
import { RotatedFile } from '../system/files/rotated-file.ts'
import { oneLine } from '../system/text/foreign-text.ts'

/** `agent.log`, and warnings up to `errors.log`, in `<profile dir>/logs/`. */
export interface EventLog {
  readonly logger: pino.Logger
  /** Resolves when everything is in the files. */
  close(): Promise<void>
}

/** Names whose values are never logged, at any depth of an object. */
const REDACTED = ['key', 'apiKey', 'api_key', 'token', 'password', 'secret', 'authorization', 'cookie']

/**
 * Opens the gateway's own logs. A problem with a file (full disk, no permission) is reported by `warn` and loses
 * lines, but does not stop the gateway.
 * @param format `json`: pino's lines; `text`: `<RFC 3339> LEVEL [session] component: text`
 */
export function openEventLog(options: {
  readonly dir: string
  readonly format: 'text' | 'json'
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** Writes each line to the slot's own log as well, without its time, which the supervisor adds there. */
  readonly echo: (line: string) => void
  /** Blacks out what the names of fields do not give away. */
  readonly redact?: (text: string) => string
}): EventLog {
  const { dir, format, clock, warn, echo, redact = (text) => text } = options
  const files = { dir, mode: 0o644, clock, warn }
  const agent = new RotatedFile({ ...files, name: 'agent.log' })
  const errors = new RotatedFile({ ...files, name: 'errors.log' })
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
  return `${time} ${level.toUpperCase()} [${session ?? '-'}] ${component ?? 'gateway'}: ${oneLine(text.replace(/\r?\n\s*/g, ' | '))}\n`
}
