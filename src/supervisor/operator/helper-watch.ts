import type { ToInit } from '../../protocol/init.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { SlotTable } from '../slots/table.ts'

/** HERMES_HELPER_TIMEOUT where it says nothing. */
const DEFAULT_TIMEOUT_S = 30
/** So many looks in a row without a word make that time. Looks are counted, not seconds: a container that was paused loses one look. */
const LOOKS = 6

export interface HelperWatchOptions {
  readonly table: Pick<SlotTable, 'get'>
  readonly clock: Clock
  /** Slots of our own programs that say `alive`. */
  readonly helpers: readonly string[]
  readonly timeoutMs: number
  readonly send: (message: ToInit) => void
  readonly warn: (text: string) => void
}

/** @param text HERMES_HELPER_TIMEOUT @returns ms */
export function helperTimeoutMs(text: string | undefined, warn: (text: string) => void): number {
  if (text === undefined || text === '') return DEFAULT_TIMEOUT_S * 1000
  const seconds = Number(text)
  if (seconds >= 1 && seconds <= 86_400) return seconds * 1000
  warn(`HERMES_HELPER_TIMEOUT: expected seconds, 1 to 86400, got "${text}"; it is ${DEFAULT_TIMEOUT_S}`)
  return DEFAULT_TIMEOUT_S * 1000
}

/**
 * Ends a helper whose loop has stopped turning: one that is stopped by a signal, or held up by something that never returns. It is up
 * for init and reads no request. Its slot then does what it does after any death.
 */
export class HelperWatch {
  readonly #o: HelperWatchOptions
  /** Looks without a word, by slot, and of which child. */
  readonly #silent = new Map<string, { readonly child: number; looks: number }>()
  #cancel: Cancel | undefined

  constructor(options: HelperWatchOptions) {
    this.#o = options
  }

  /** Looks from now on. */
  watch(): void {
    const { clock, helpers } = this.#o
    this.#cancel = clock.at(clock.nowMs() + this.#everyMs, () => {
      this.watch()
      for (const slot of helpers) this.#look(slot)
    })
  }

  /** A helper says that it lives. @returns after how long it is to say so again, ms */
  alive(slot: string): number {
    this.#silent.delete(slot)
    return this.#everyMs
  }

  close(): void {
    this.#cancel?.()
  }

  get #everyMs(): number {
    return this.#o.timeoutMs / LOOKS
  }

  #look(key: string): void {
    const { table, send, warn, timeoutMs } = this.#o
    const slot = table.get(key)?.slot
    if (slot?.state !== 'up') {
      this.#silent.delete(key)
      return
    }
    const { id, pid } = slot.child
    const known = this.#silent.get(key)
    const silent = known?.child === id ? known : { child: id, looks: 0 }
    this.#silent.set(key, silent)
    silent.looks++
    // The first look may come right after a word.
    if (silent.looks <= LOOKS) return
    this.#silent.delete(key)
    warn(`${key} (pid ${pid}) has not answered for ${timeoutMs / 1000} s; it is killed and starts again`)
    // KILL: whoever does not read a request does not obey TERM either.
    send({ type: 'signal', child: id, signal: 'KILL', target: 'group' })
  }
}
