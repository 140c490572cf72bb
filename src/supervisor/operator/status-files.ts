import { childOf, type Slot } from '../../slot/slot.ts'
import { type Clock, wallTimeOf } from '../../system/clock.ts'
import { isStopped } from '../../system/programs/proc.ts'
import type { ServiceDirs } from '../s6/slot-dir.ts'
import type { Event } from '../s6/supervise-dir.ts'
import { eventsBetween, lengthOfStretch, type Stamps, serviceStatus, stampsAfter } from '../s6/view.ts'
import type { SlotEntry, SlotTable } from '../slots/table.ts'
import type { GatewayFiles } from './gateway-files.ts'

export interface RecordsOptions {
  readonly table: Pick<SlotTable, 'get' | 'describe'>
  readonly files: Pick<GatewayFiles, 'record' | 'forget'>
  readonly dirs: Pick<ServiceDirs, 'writeStatus' | 'recordDeath' | 'remove'>
  readonly clock: Clock
}

/** Facts in s6's files that the slot itself does not have. */
interface Told {
  stamps?: Stamps
  /** Events that subscribers have not been notified of yet. */
  events: readonly Event[]
  /** Earliest time of the next notification. */
  heldUntilMs: number
  paused: boolean
  /** The last end of its process that is in its tally. */
  talliedAtMs?: number
}

/** Time between two batches of letters (`lengthOfStretch`). */
const BETWEEN_STRETCHES_MS = 100
/** Slots that are written per turn of the loop: a boot of a thousand must not keep clients waiting. */
const PER_TURN = 10

/**
 * The files that others can read about a slot: gateway_state.json and s6's status. Nothing here depends on them, so
 * they are written on a later turn than the change, with the slot's state at that time: starts do not wait for them.
 * Events are kept until then; subscribers get all of them, after the status.
 */
export class Records {
  readonly #options: RecordsOptions
  readonly #marked = new Set<string>()
  readonly #told = new Map<string, Told>()
  #scheduled = false

  constructor(options: RecordsOptions) {
    this.#options = options
  }

  /** A slot from an earlier supervisor: its end was counted, but its last change may not have been written. */
  known({ key, slot }: SlotEntry): void {
    const told = this.#toldOf(key)
    if (slot.lastEnding !== undefined) told.talliedAtMs = slot.lastEnding.atMs
    const child = childOf(slot)
    told.paused = child !== null && isStopped(child.pid)
    this.#mark(key)
  }

  changed({ key, slot, job }: SlotEntry, before: Slot): void {
    if (job === undefined) {
      const told = this.#toldOf(key)
      const letters = eventsBetween(before, slot)
      this.#add(told, letters)
      told.stamps = stampsAfter(letters, slot, told.stamps, (atMs) => wallTimeOf(this.#options.clock, atMs))
      // A process that died cannot be continued; one that starts has not been stopped.
      if (letters !== '' && letters !== 'U') told.paused = false
    }
    this.#mark(key)
  }

  /** Notifies subscribers of this too, after all earlier events. */
  tell(key: string, letters: string): void {
    this.#add(this.#toldOf(key), letters)
    this.#mark(key)
  }

  /** Stopped, or going on, by a signal through us. */
  pause(key: string, paused: boolean): void {
    this.#toldOf(key).paused = paused
    this.#mark(key)
  }

  /** The end of its process belongs in the tally, now: its finish program may read it. */
  tally({ key, slot }: SlotEntry): void {
    if (slot.policy.kind === 'oneshot') return // it has no service directory, and undoing it follows no death
    const told = this.#toldOf(key)
    const end = slot.lastEnding
    if (end === undefined || told.talliedAtMs === end.atMs) return
    this.#options.dirs.recordDeath(key, end.ending, end.wallMs)
    told.talliedAtMs = end.atMs
  }

  /** The slot is gone: subscribers are notified of its end, and its directory is removed. */
  removed({ key }: SlotEntry): void {
    this.#options.dirs.remove(key, this.#told.get(key)?.events)
    this.#marked.delete(key)
    this.#told.delete(key)
    this.#options.files.forget(key)
  }

  /** Writes all changes of slots so far to their files. */
  writeNow(): void {
    this.#write(Number.POSITIVE_INFINITY)
  }

  /** Writes everything that is still pending. */
  flush(): void {
    for (const [key, told] of this.#told) if (told.events.length > 0) this.#marked.add(key)
    this.#write(Number.POSITIVE_INFINITY, true)
  }

  #toldOf(key: string): Told {
    const told = this.#told.get(key) ?? { events: [], heldUntilMs: 0, paused: false }
    this.#told.set(key, told)
    return told
  }

  #mark(key: string): void {
    this.#marked.add(key)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#write(PER_TURN)
      const next = this.#marked.values().next()
      if (!next.done) this.#mark(next.value)
    })
  }

  /** @param last letters are held no longer */
  #write(count: number, last = false): void {
    for (const key of this.#marked) {
      if (count-- <= 0) return
      this.#marked.delete(key)
      const entry = this.#options.table.get(key)
      if (entry === undefined || entry.job !== undefined) continue
      this.#options.files.record(entry)
      if (entry.slot.policy.kind !== 'oneshot') this.#writeService(entry, last)
    }
  }

  #writeService(entry: SlotEntry, last: boolean): void {
    const { key, slot } = entry
    this.#options.table.describe(key)
    this.tally(entry)
    const told = this.#toldOf(key)
    told.stamps ??= stampsAfter('', slot, undefined, (atMs) => wallTimeOf(this.#options.clock, atMs))
    const events = this.#take(key, told, last)
    this.#options.dirs.writeStatus(key, serviceStatus(slot, told.stamps, told.paused), events)
    // Held events count as shown now, at the end of this millisecond, because subscribers' time stamps are finer.
    const shownFromMs = this.#options.clock.wallMs() + 1
    told.events = told.events.map((event) => ({ shownFromMs, ...event }))
  }

  #add(told: Told, letters: string): void {
    told.events = [...told.events, ...[...letters].map((letter) => ({ letter }))]
  }

  /** Returns the events to report now; the held ones follow with an alarm. */
  #take(key: string, told: Told, last: boolean): readonly Event[] {
    const { clock } = this.#options
    const nowMs = clock.nowMs()
    const { events, heldUntilMs } = told
    if (events.length === 0 || (nowMs < heldUntilMs && !last)) return []
    const length = last ? events.length : lengthOfStretch(events.map(({ letter }) => letter).join(''))
    told.events = events.slice(length)
    if (told.events.length > 0 || events[length - 1]?.letter === 'D') {
      told.heldUntilMs = nowMs + BETWEEN_STRETCHES_MS
      clock.at(told.heldUntilMs, () => {
        if (told.events.length > 0) this.#mark(key)
      })
    }
    return events.slice(0, length)
  }
}
