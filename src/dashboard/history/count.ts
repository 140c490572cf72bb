/** The figures of each slot between two looks. Pure but for its memory of the last one. */
import type { UsageSnapshot } from '../../control/slot-usage.ts'
import type { SlotStatus } from '../../protocol/control.ts'
import { CpuTotals } from '../live/cpu-totals.ts'
import type { Point } from './ring.ts'

/** Tasks that wait, by profile; undefined: the boards cannot be asked. */
export type Queues = Readonly<Record<string, number>> | undefined

interface Before {
  readonly cpuSeconds: number
  readonly restarts: number
}

/** Makes points of looks. The first look makes none: what came before it may have been long ago. */
export class HistoryCount {
  readonly #cpu = new CpuTotals()
  #atMs: number | undefined
  #before: ReadonlyMap<string, Before> = new Map()

  /**
   * @param slots all that there are, up or not
   * @param minute that the points are of, in Unix time
   * @returns a point of each slot, jobs left out; empty at the first look
   */
  points(
    slots: readonly SlotStatus[],
    look: UsageSnapshot,
    queues: Queues,
    minute: number,
  ): ReadonlyMap<string, Point> {
    const lasting = slots.filter(({ slot }) => !slot.startsWith('job-'))
    this.#cpu.count(lasting, look)
    const seconds = this.#atMs === undefined ? 0 : (look.atMs - this.#atMs) / 1000
    const before = this.#before
    this.#atMs = look.atMs
    this.#before = new Map(
      lasting.map(({ slot, restarts }) => [slot, { restarts, cpuSeconds: this.#cpu.secondsOf(slot) }]),
    )
    if (seconds <= 0) return new Map()
    return new Map(
      lasting.map(({ slot, profile, restarts }) => {
        const was = before.get(slot) ?? { cpuSeconds: 0, restarts: 0 }
        const used = this.#cpu.secondsOf(slot) - was.cpuSeconds
        const point: Point = {
          minute,
          cpuMillis: (used / seconds) * 1000,
          memoryKiB: (look.slots.get(slot)?.memoryBytes ?? 0) / 1024,
          // A supervisor that was started anew counts from zero.
          restarts: restarts >= was.restarts ? restarts - was.restarts : restarts,
          queued: profile === undefined || queues === undefined ? undefined : (queues[profile] ?? 0),
        }
        return [slot, point]
      }),
    )
  }
}
