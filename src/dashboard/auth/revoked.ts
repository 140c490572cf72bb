import { join } from 'node:path'
import { replaceFile } from '../../profile/files.ts'
import { readSmallFile } from '../../system/small-file.ts'

/** 12 hours of log-outs, some 40 bytes each. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

/**
 * Sessions that were ended before their time, in `dashboard.revoked`: a cookie that somebody copied is worth nothing after the
 * log-out, also after a restart. Each is forgotten when it would be over by itself.
 */
export class RevokedSessions {
  readonly #file: string
  readonly #wallMs: () => number
  readonly #warn: (text: string) => void
  /** Until when each is remembered, Unix ms. */
  readonly #until: Map<string, number>
  #written: Promise<void> = Promise.resolve()

  constructor(home: string, wallMs: () => number, warn: (text: string) => void) {
    this.#file = join(home, 'dashboard.revoked')
    this.#wallMs = wallMs
    this.#warn = warn
    this.#until = new Map(readEntries(this.#file, warn))
  }

  has(session: string): boolean {
    return this.#until.has(session)
  }

  /** Counts at once; resolves when it is on the disk. */
  add(session: string, untilMs: number): Promise<void> {
    const nowMs = this.#wallMs()
    for (const [known, endsMs] of this.#until) if (endsMs <= nowMs) this.#until.delete(known)
    this.#until.set(session, untilMs)
    this.#written = this.#written.then(() => this.#write())
    return this.#written
  }

  /** Trouble with the disk does not keep a session alive in this process. */
  async #write(): Promise<void> {
    const text = [...this.#until].map(([session, untilMs]) => `${session} ${untilMs}\n`).join('')
    try {
      await replaceFile(this.#file, text, 0o600)
    } catch (error) {
      this.#warn(`${this.#file}: ${(error as Error).message}; a log-out may not outlive a restart`)
    }
  }
}

function readEntries(file: string, warn: (text: string) => void): readonly (readonly [string, number])[] {
  const { text, problem } = readSmallFile(file, MAX_FILE_BYTES)
  if (problem !== undefined) warn(`${file} ${problem}: sessions that were ended may be taken again`)
  return (text ?? '').split('\n').flatMap((line) => {
    const [session = '', until] = line.split(' ')
    const untilMs = Number(until)
    return session !== '' && untilMs > 0 ? [[session, untilMs] as const] : []
  })
}
