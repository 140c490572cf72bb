import { childOf } from '../slot/slot.ts'
import type { Clock } from '../system/clock.ts'
import type { GatewayFiles } from './gateway-files.ts'
import type { ServiceDirs } from './service-dir.ts'
import type { SlotEntry, SlotTable } from './slots.ts'

export interface RecordsOptions {
  readonly table: () => Pick<SlotTable, 'get' | 'describe'>
  readonly files: Pick<GatewayFiles, 'record' | 'forget'>
  readonly services: Pick<ServiceDirs, 'writeStatus' | 'recordDeath'>
  readonly clock: Clock
}

/** Slots that are written per turn of the loop: a boot of a thousand must not keep clients waiting. */
const PER_TURN = 10

/**
 * What others can read about a slot: gateway_state.json and s6's status. Nothing here depends on these files, so they are written
 * on a later turn than the one in which something happened, and only as the slot is by then: starts do not wait for them.
 */
export class Records {
  readonly #o: RecordsOptions
  readonly #marked = new Set<string>()
  readonly #paused = new Set<string>()
  /** The last end of each slot's process that is in its tally. */
  readonly #tallied = new Map<string, number>()
  #scheduled = false

  constructor(options: RecordsOptions) {
    this.#o = options
  }

  mark(key: string): void {
    this.#marked.add(key)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#write(PER_TURN)
      const next = this.#marked.values().next()
      if (!next.done) this.mark(next.value)
    })
  }

  /** An end that an earlier supervisor has seen, and so tallied. */
  known({ key, slot }: SlotEntry): void {
    if (slot.lastEnding !== undefined) this.#tallied.set(key, slot.lastEnding.atMs)
  }

  /** Stopped, or going on, by a signal through us. */
  pause(key: string, paused: boolean): void {
    if (paused) this.#paused.add(key)
    else this.#paused.delete(key)
    this.mark(key)
  }

  forget(key: string): void {
    this.#marked.delete(key)
    this.#paused.delete(key)
    this.#tallied.delete(key)
    this.#o.files.forget(key)
  }

  /** Everything that is still to be written, now. */
  flush(): void {
    this.#write(Number.POSITIVE_INFINITY)
  }

  #write(count: number): void {
    for (const key of this.#marked) {
      if (count-- <= 0) return
      this.#marked.delete(key)
      const entry = this.#o.table().get(key)
      if (entry === undefined || entry.job !== undefined) continue
      this.#o.files.record(entry)
      if (entry.slot.policy.kind !== 'oneshot') this.#writeService(entry)
    }
  }

  #writeService({ key, slot }: SlotEntry): void {
    const { services, clock, table } = this.#o
    const wallOf = (atMs: number): number => Math.round(clock.wallMs() - clock.nowMs() + atMs)
    const child = childOf(slot)
    if (child === null) this.#paused.delete(key)
    table().describe(key)
    const end = slot.lastEnding
    if (end !== undefined && this.#tallied.get(key) !== end.atMs) {
      services.recordDeath(key, end.ending, end.wallMs)
      this.#tallied.set(key, end.atMs)
    }
    services.writeStatus(key, {
      pid: child?.pid ?? null,
      ready: slot.state === 'up',
      wantedUp: slot.wanted === 'up',
      paused: this.#paused.has(key),
      changedAtMs: child !== null ? wallOf(child.spawnedAtMs) : (end?.wallMs ?? wallOf(slot.sinceMs)),
      ...(slot.state === 'up' && { readyAtMs: wallOf(slot.readyAtMs) }),
      ...(end !== undefined && { lastEnding: end.ending }),
      parked: slot.state === 'parked',
    })
  }
}
