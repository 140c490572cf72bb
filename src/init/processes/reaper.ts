import type { Cancel, Clock } from '../../system/clock.ts'
import type { Native } from '../../system/native/native.ts'

/**
 * A storm of orphans is taken in gulps: a scan for each SIGCHLD would spend the time that the slots' own exits need.
 */
const SCAN_EVERY_MS = 20

export interface ReaperOptions {
  readonly native: Pick<Native, 'peekEndedChild' | 'reap'>
  readonly clock: Clock
  /** This pid is waited for elsewhere. */
  readonly isOwn: (pid: number) => boolean
  /** Orphans have been reaped. */
  readonly reaped?: (count: number) => void
}

/**
 * Reaps orphans that the kernel gave us. `Processes` waits for our own children: reaping one of them here would lose
 * its exit. waitid(WNOWAIT) shows an ended child and leaves it, so its parent can be determined first.
 */
export class Reaper {
  readonly #options: ReaperOptions
  #lastScanMs = Number.NEGATIVE_INFINITY
  #scheduled: Cancel | undefined

  constructor(options: ReaperOptions) {
    this.#options = options
  }

  /** Something has ended (SIGCHLD). */
  scanSoon(): void {
    this.#scheduled ??= this.#options.clock.at(this.#lastScanMs + SCAN_EVERY_MS, () => {
      this.#scheduled = undefined
      this.scan()
    })
  }

  /** @returns number of orphans reaped */
  scan(): number {
    const { native, clock, isOwn, reaped } = this.#options
    this.#lastScanMs = clock.nowMs()
    let count = 0
    for (;;) {
      const pid = native.peekEndedChild()
      if (pid === undefined) break
      if (isOwn(pid)) {
        // It has not been waited for yet, and while it is first in the queue, nothing behind it is visible.
        this.scanSoon()
        break
      }
      if (native.reap(pid) === undefined) break
      count += 1
    }
    if (count > 0) reaped?.(count)
    return count
  }
}
