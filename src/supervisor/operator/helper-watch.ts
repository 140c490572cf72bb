import type { ToInit } from '../../protocol/init.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { secondsToMs } from '../../system/text/seconds.ts'
import type { SlotTable } from '../slots/table.ts'

/** Default of HERMES_HELPER_TIMEOUT. */
const DEFAULT_TIMEOUT_S = 30
/**
 * Number of checks in a row without a heartbeat that make up the timeout. Checks are counted, not seconds: a paused
 * container loses one check.
 */
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
  const ms = secondsToMs(text)
  if (ms !== undefined && ms >= 1000) return ms
  warn(`HERMES_HELPER_TIMEOUT: expected seconds, 1 to 86400, got "${text}"; it is ${DEFAULT_TIMEOUT_S}`)
  return DEFAULT_TIMEOUT_S * 1000
}

/**
 * Ends a helper whose event loop has stopped, by a stop signal or a call that never returns. For init it is up, but
 * it reads no requests. Its slot then does what it does after any death.
 */
export class HelperWatch {
  readonly #options: HelperWatchOptions
  /** Number of checks without a heartbeat, by slot, and of which child. */
  readonly #silent = new Map<string, { readonly child: number; looks: number }>()
  #cancel: Cancel | undefined

  constructor(options: HelperWatchOptions) {
    this.#options = options
  }

  /** Looks from now on. */
  watch(): void {
    const { clock, helpers } = this.#options
    const look = (): void => {
      this.watch()
      for (const slot of helpers) this.#look(slot)
    }
    this.#cancel = clock.at(clock.nowMs() + this.#everyMs, look, { coarse: true })
  }

  /** Records a heartbeat of a helper. @returns time until the next one is due, ms */
  alive(slot: string): number {
    this.#silent.delete(slot)
    return this.#everyMs
  }

  close(): void {
    this.#cancel?.()
  }

  get #everyMs(): number {
    return this.#options.timeoutMs / LOOKS
  }

  #look(key: string): void {
    const { table, send, warn, timeoutMs } = this.#options
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
    // The first check may come right after a heartbeat.
    if (silent.looks <= LOOKS) return
    this.#silent.delete(key)
    warn(`${key} (pid ${pid}) has not answered for ${timeoutMs / 1000} s; it is killed and starts again`)
    // KILL, because a process that reads no requests does not obey TERM either.
    send({ type: 'signal', child: id, signal: 'KILL', target: 'group' })
  }
}
