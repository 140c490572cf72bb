import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'

export interface AuditEntry {
  readonly event: 'login' | 'login_refused' | 'renewal_refused' | 'logout' | 'provider_away'
  readonly provider?: string
  readonly user?: string
  readonly address: string
  readonly reason?: string
}

/** What a stranger chose may be long. */
const MAX_CHARS = 200

/** `logs/dashboard-auth.log`: one JSON object a line, never a token or a password. 5 MB, and three older files. */
export class AuditLog {
  readonly #stream: RotatingFileStream
  readonly #wallMs: () => number

  constructor(home: string, wallMs: () => number, warn: (text: string) => void) {
    this.#wallMs = wallMs
    const path = join(home, 'logs')
    mkdirSync(path, { recursive: true })
    this.#stream = createStream('dashboard-auth.log', { path, size: '5M', rotate: 3, mode: 0o600 })
    for (const trouble of ['error', 'warning'] as const)
      this.#stream.on(trouble, (error: Error) => warn(`${path}/dashboard-auth.log: ${error.message}`))
  }

  write(entry: AuditEntry): void {
    const line = { time: new Date(this.#wallMs()).toISOString(), ...entry }
    this.#stream.write(`${JSON.stringify(line, (_, value) => (typeof value === 'string' ? cut(value) : value))}\n`)
  }

  /** Resolves when everything is in the file. */
  close(): Promise<void> {
    return new Promise((resolve) => void this.#stream.end(resolve))
  }
}

const cut = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text)
