/** Processor time of slots as a counter: it never falls, whatever processes come and go. Pure. */

import type { UsageSnapshot } from '../../control/slot-usage.ts'
import type { SlotStatus } from '../../protocol/control.ts'

interface Counted {
  /** The process that led the slot at the last look; undefined: it was not up. */
  readonly pid: number | undefined
  /** Of the processes that lived then. */
  readonly livingSeconds: number
  readonly totalSeconds: number
}

/**
 * Counts from the first look on, as Prometheus expects of a counter: one that began with the past would look like a
 * burst of work after each restart of the dashboard. The time between the last look and a death is not seen.
 */
export class CpuTotals {
  #slots: ReadonlyMap<string, Counted> = new Map()
  #hasLooked = false

  /** @param slots all that there are; the others are forgotten */
  count(slots: readonly Pick<SlotStatus, 'slot' | 'pid'>[], look: Pick<UsageSnapshot, 'slots'>): void {
    const before = this.#slots
    this.#slots = new Map(
      slots.map(({ slot, pid }) => {
        const livingSeconds = look.slots.get(slot)?.cpuSeconds ?? 0
        const was = before.get(slot)
        const since = was === undefined && !this.#hasLooked ? livingSeconds : was?.pid === pid ? was?.livingSeconds : 0
        // Below zero: a process has ended for which no other one of the slot has waited.
        const used = Math.max(0, livingSeconds - (since ?? 0))
        return [slot, { pid, livingSeconds, totalSeconds: (was?.totalSeconds ?? 0) + used }] as const
      }),
    )
    this.#hasLooked = true
  }

  /** Seconds, to the hundredth that /proc counts in; 0 for a slot that no look has seen. */
  secondsOf(slot: string): number {
    return Math.round((this.#slots.get(slot)?.totalSeconds ?? 0) * 100) / 100
  }
}
