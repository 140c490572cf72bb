import type { StoredText } from './login-storage.ts'

/** Maximum number of sessions remembered individually: 800 KB. */
const MAX_ENDED = 20_000
/** Longer than any session. */
const LONGEST_SESSION_MS = 12 * 3_600_000
/** Takes the place of a session's id: the time up to which every session counts as ended. No id is this short. */
const FLOOR = '-'

/**
 * Sessions that were ended early: a copied cookie is worthless after the log-out, also after a restart. A session is
 * forgotten when it would have expired anyway. If there are too many, the oldest are replaced by the time at which
 * they would expire; this ends other sessions of that age too. Their users log in once more, and no ended session
 * becomes valid again.
 */
export class RevokedSessions {
  readonly #kept: StoredText
  readonly #wallMs: () => number
  readonly #warn: (text: string) => void
  /** Unix ms until which each is remembered. */
  readonly #until = new Map<string, number>()
  /** Sessions that are over by themselves at this time or before are ended. */
  #floorMs = 0
  #written: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(kept: StoredText, wallMs: () => number, warn: (text: string) => void) {
    this.#kept = kept
    this.#wallMs = wallMs
    this.#warn = warn
    this.#load()
  }

  /** @param endsMs when it would expire by itself, Unix ms */
  has(session: string, endsMs: number): boolean {
    return endsMs <= this.#floorMs || this.#until.has(session)
  }

  /** Takes effect at once; resolves when it is on the disk. */
  add(session: string, untilMs: number): Promise<void> {
    this.#until.set(session, untilMs)
    if (this.#until.size > MAX_ENDED) this.#forgetOver()
    if (this.#until.size > MAX_ENDED) this.#endOldest()
    // One that waits for the disk writes down all that have come by then.
    this.#next ??= this.#written.then(() => {
      this.#next = undefined
      this.#written = this.#write()
      return this.#written
    })
    return this.#next
  }

  #forgetOver(): void {
    const nowMs = this.#wallMs()
    for (const [known, endsMs] of this.#until) if (endsMs <= nowMs) this.#until.delete(known)
  }

  /** The older half, so that it is not done at each log-out. */
  #endOldest(): void {
    const oldest = [...this.#until].sort(([, a], [, b]) => a - b).slice(0, MAX_ENDED / 2)
    for (const [session, untilMs] of oldest) {
      this.#until.delete(session)
      this.#floorMs = Math.max(this.#floorMs, untilMs)
    }
    this.#warn(
      `more than ${MAX_ENDED} sessions were ended within 12 hours: the older ones are all ended, and those people log in again`,
    )
  }

  #load(): void {
    const { text, problem } = this.#kept.read()
    if (problem !== undefined) {
      this.#floorMs = this.#wallMs() + LONGEST_SESSION_MS
      this.#warn(
        `${this.#kept.where} ${problem}: cannot tell which sessions were ended, so all of them are; everyone must log in again`,
      )
    }
    for (const line of (text ?? '').split('\n')) {
      const [session = '', until] = line.split(' ')
      const untilMs = Number(until)
      if (!(untilMs > 0)) continue
      if (session === FLOOR) this.#floorMs = untilMs
      else if (session !== '') this.#until.set(session, untilMs)
    }
  }

  /** Trouble with the disk does not keep a session alive in this process. */
  async #write(): Promise<void> {
    this.#forgetOver()
    const entries = [...(this.#floorMs > 0 ? [[FLOOR, this.#floorMs] as const] : []), ...this.#until]
    try {
      await this.#kept.write(entries.map(([session, untilMs]) => `${session} ${untilMs}\n`).join(''))
    } catch (error) {
      this.#warn(`${this.#kept.where}: ${(error as Error).message}; a log-out may not outlive a restart`)
    }
  }
}
