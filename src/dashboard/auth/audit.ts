import { join } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { RotatedFile } from '../../system/rotated-file.ts'

export interface AuditEntry {
  readonly event: 'login' | 'login_refused' | 'renewal_refused' | 'logout' | 'provider_away'
  readonly provider?: string
  readonly user?: string
  readonly address: string
  readonly reason?: string
}

/** What a stranger chose may be long. */
const MAX_CHARS = 200

/** `logs/dashboard-auth.log`: one JSON object a line, never a token or a password. */
export class AuditLog {
  readonly #file: RotatedFile
  readonly #clock: Clock

  constructor(home: string, clock: Clock, warn: (text: string) => void) {
    this.#clock = clock
    this.#file = new RotatedFile({ dir: join(home, 'logs'), name: 'dashboard-auth.log', mode: 0o600, clock, warn })
  }

  write(entry: AuditEntry): void {
    const line = { time: new Date(this.#clock.wallMs()).toISOString(), ...entry }
    this.#file.write(`${JSON.stringify(line, (_, value) => (typeof value === 'string' ? cut(value) : value))}\n`)
  }

  /** Resolves when everything is in the file. */
  close(): Promise<void> {
    return this.#file.close()
  }
}

const cut = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text)
