import { join } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { RotatedFile } from '../../system/files/rotated-file.ts'
import { networkOf } from '../../system/net/address.ts'
import { ThrottledWriter } from '../../system/throttled-writer.ts'

export interface AuditEntry {
  readonly event:
    | 'login'
    | 'login_refused'
    | 'token_refused'
    | 'session_refused'
    | 'renewal_refused'
    | 'logout'
    | 'provider_away'
  readonly provider?: string
  readonly user?: string
  readonly address: string
  readonly reason?: string
  /** Number of further entries of this kind in the minute before, which have no line of their own. */
  readonly more?: number
}

/** Texts chosen by strangers may be long. */
const MAX_CHARS = 200

/** `logs/dashboard-auth.log`: one JSON object a line, never a token or a password. */
export class AuditLog {
  readonly #make: () => RotatedFile
  /** Made for the first line: a dashboard without a log-in may never have one. */
  #file: RotatedFile | undefined
  readonly #clock: Clock
  /** Anyone can cause these: a line for each would rotate the important ones out of the file. */
  readonly #strangers: ThrottledWriter<AuditEntry>

  constructor(home: string, clock: Clock, warn: (text: string) => void) {
    this.#clock = clock
    this.#make = () =>
      new RotatedFile({ dir: join(home, 'logs'), name: 'dashboard-auth.log', mode: 0o600, clock, warn })
    this.#strangers = new ThrottledWriter(clock, (entry, more) => this.write(more === 0 ? entry : { ...entry, more }))
  }

  /**
   * Counts events that need neither a session nor a password: records the first of its kind per address and minute,
   * and the number of the others.
   */
  count(entry: AuditEntry): void {
    this.#strangers.add(`${entry.event} ${entry.reason} ${networkOf(entry.address)}`, entry)
  }

  write(entry: AuditEntry): void {
    const line = { time: new Date(this.#clock.wallMs()).toISOString(), ...entry }
    this.open().write(`${JSON.stringify(line, (_, value) => (typeof value === 'string' ? cut(value) : value))}\n`)
  }

  /** Makes the file now, so that it can be followed before the first line. */
  open(): RotatedFile {
    this.#file ??= this.#make()
    return this.#file
  }

  /** Resolves when everything is in the file. */
  async close(): Promise<void> {
    this.#strangers.flush()
    await this.#file?.close()
  }
}

const cut = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text)
