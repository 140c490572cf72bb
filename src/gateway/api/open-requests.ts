import type { OpenRequests } from '../../profile/state/open-requests.ts'
import type { Cancel, Clock } from '../../system/clock.ts'

/** A request that ends sooner is never written: most requests cost no file. */
const SHOWN_AFTER_MS = 5_000

export interface OpenRequestListOptions {
  readonly clock: Clock
  /** Shows the requests that are open; undefined: none has been open for long. Must not throw. */
  readonly show: (requests: OpenRequests | undefined) => void
}

/** Counts the requests that are open, and shows those that take long to others. */
export class OpenRequestList {
  readonly #options: OpenRequestListOptions
  /** In the order in which they were opened. */
  readonly #open = new Set<{ readonly atMs: number; readonly wallMs: number }>()
  #shown: OpenRequests | undefined
  #cancel: Cancel | undefined

  constructor(options: OpenRequestListOptions) {
    this.#options = options
  }

  /** @returns call it when the request is closed */
  opened(): () => void {
    const { clock } = this.#options
    const request = { atMs: clock.nowMs(), wallMs: clock.wallMs() }
    this.#open.add(request)
    this.#cancel ??= this.#later()
    return () => this.#open.delete(request)
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#show(undefined)
  }

  #later(): Cancel {
    const { clock } = this.#options
    return clock.at(clock.nowMs() + SHOWN_AFTER_MS, () => this.#look(), { coarse: true })
  }

  #look(): void {
    const [oldest] = this.#open
    const isLong = oldest !== undefined && this.#options.clock.nowMs() - oldest.atMs >= SHOWN_AFTER_MS
    this.#show(isLong ? { open: this.#open.size, oldestAtMs: oldest.wallMs } : undefined)
    this.#cancel = oldest === undefined ? undefined : this.#later()
  }

  #show(requests: OpenRequests | undefined): void {
    const shown = this.#shown
    if (shown?.open === requests?.open && shown?.oldestAtMs === requests?.oldestAtMs) return
    this.#shown = requests
    this.#options.show(requests)
  }
}
