import { childOf, isInFlight, type Slot } from '../../slot/slot.ts'
import { type Clock, wallTimeOf } from '../../system/clock.ts'
import { inNextTurn } from '../../system/next-turn.ts'
import { isStopped } from '../../system/programs/proc.ts'
import type { SlotDirs } from '../s6/slot-dir.ts'
import type { Event } from '../s6/supervise-dir.ts'
import { batchLength, eventsBetween, type Stamps, serviceStatus, stampsAfter } from '../s6/view.ts'
import type { SlotEntry } from '../slots/entry.ts'
import type { SlotTable } from '../slots/table.ts'
import type { GatewayFiles } from './gateway-files.ts'

export interface StatusFilesOptions {
  readonly table: Pick<SlotTable, 'get' | 'describe'>
  readonly files: Pick<GatewayFiles, 'record' | 'forget'>
  readonly dirs: Pick<SlotDirs, 'writeStatus' | 'recordDeath' | 'remove' | 'hasSubscribers'>
  readonly clock: Clock
}

/** Facts in s6's files that the slot itself does not have. */
interface S6State {
  stamps?: Stamps
  /** Events that subscribers have not been notified of yet. */
  events: readonly Event[]
  /** Earliest time of the next notification. */
  heldUntilMs: number
  paused: boolean
  /** The last end of its process that is in its tally. */
  talliedAtMs?: number
}

/** Time between two batches of events (`batchLength`). */
const BETWEEN_BATCHES_MS = 100
/** While the container stops, a status without subscribers is written so much later: by then most stops are over. */
const LATE_MS = 1_000
/** Slots that are written per turn of the loop: a boot of a thousand must not keep clients waiting. */
const PER_TURN = 10

/**
 * The files that others can read about a slot: gateway_state.json and s6's status. Nothing here depends on them, so
 * they are written on a later turn than the change, with the slot's state at that time: starts do not wait for them.
 * Events are kept until then; subscribers get all of them, after the status.
 */
export class StatusFiles {
  readonly #options: StatusFilesOptions
  readonly #pending = new Set<string>()
  /** Slots whose status of s6 is late. */
  readonly #late = new Set<string>()
  #containerStops = false
  readonly #s6States = new Map<string, S6State>()
  readonly #writeSoon = inNextTurn(() => {
    this.#write(PER_TURN)
    if (this.#pending.size > 0) this.#writeSoon()
  })

  constructor(options: StatusFilesOptions) {
    this.#options = options
  }

  /** A slot from an earlier supervisor: its end was counted, but its last change may not have been written. */
  restored({ key, slot }: SlotEntry): void {
    const s6State = this.#s6StateOf(key)
    if (slot.lastEnding !== undefined) s6State.talliedAtMs = slot.lastEnding.atMs
    const child = childOf(slot)
    s6State.paused = child !== null && isStopped(child.pid)
    this.#schedule(key)
  }

  changed({ key, slot, job }: SlotEntry, before: Slot): void {
    if (job === undefined) {
      const s6State = this.#s6StateOf(key)
      const events = eventsBetween(before, slot)
      this.#add(s6State, events)
      s6State.stamps = stampsAfter(events, slot, s6State.stamps, (atMs) => wallTimeOf(this.#options.clock, atMs))
      // A process that died cannot be continued; one that starts has not been stopped.
      if (events !== '' && events !== 'U') s6State.paused = false
    }
    this.#schedule(key)
  }

  /** Notifies subscribers of this too, after all earlier events. */
  notify(key: string, events: string): void {
    this.#add(this.#s6StateOf(key), events)
    this.#schedule(key)
  }

  /** Stopped, or going on, by a signal through us. */
  pause(key: string, paused: boolean): void {
    this.#s6StateOf(key).paused = paused
    this.#schedule(key)
  }

  /** The end of its process belongs in the tally, now: its finish program may read it. */
  tally({ key, slot }: SlotEntry): void {
    if (slot.policy.kind === 'oneshot') return // it has no service directory, and undoing it follows no death
    const s6State = this.#s6StateOf(key)
    const end = slot.lastEnding
    if (end === undefined || s6State.talliedAtMs === end.atMs) return
    this.#options.dirs.recordDeath(key, end.ending, end.wallMs)
    s6State.talliedAtMs = end.atMs
  }

  /** The slot is gone: subscribers are notified of its end, and its directory is removed. */
  removed({ key }: SlotEntry): void {
    this.#options.dirs.remove(key, this.#s6States.get(key)?.events)
    this.#pending.delete(key)
    this.#s6States.delete(key)
    this.#options.files.forget(key)
  }

  /**
   * From now on a status of s6 without subscribers is late, and left out at the end: a directory whose supervisor has
   * ended is not supervised, so s6's tools do not read it. A stop of 100 slots would spend a third of its time on them.
   */
  containerStops(): void {
    this.#containerStops = true
  }

  /** Writes all changes of slots so far to their files. */
  writeNow(): void {
    this.#write(Number.POSITIVE_INFINITY)
  }

  /** Writes everything that is still pending. */
  flush(): void {
    for (const [key, s6State] of this.#s6States) if (s6State.events.length > 0) this.#pending.add(key)
    this.#write(Number.POSITIVE_INFINITY, true)
  }

  #s6StateOf(key: string): S6State {
    const s6State = this.#s6States.get(key) ?? { events: [], heldUntilMs: 0, paused: false }
    this.#s6States.set(key, s6State)
    return s6State
  }

  #schedule(key: string): void {
    this.#pending.add(key)
    this.#writeSoon()
  }

  /** @param last events are held no longer */
  #write(count: number, last = false): void {
    for (const key of this.#pending) {
      if (count-- <= 0) return
      this.#pending.delete(key)
      const entry = this.#options.table.get(key)
      if (entry === undefined || entry.job !== undefined) continue
      this.#options.files.record(entry)
      if (entry.slot.policy.kind === 'oneshot') continue
      if (this.#containerStops && !this.#options.dirs.hasSubscribers(key)) this.#writeLate(key)
      else this.#writeService(entry, last)
    }
  }

  #writeLate(key: string): void {
    const { clock, table } = this.#options
    this.#late.add(key)
    if (this.#late.size > 1) return
    clock.at(clock.nowMs() + LATE_MS, () => {
      const entries = [...this.#late].flatMap((late) => table.get(late) ?? [])
      this.#late.clear()
      for (const entry of entries) this.#writeService(entry, false)
    })
  }

  #writeService(entry: SlotEntry, last: boolean): void {
    const { key, slot } = entry
    this.#options.table.describe(key)
    this.tally(entry)
    const s6State = this.#s6StateOf(key)
    // The report of the start follows within milliseconds: that is when the status changes.
    if (isInFlight(slot) && s6State.events.length === 0 && !last) return
    s6State.stamps ??= stampsAfter('', slot, undefined, (atMs) => wallTimeOf(this.#options.clock, atMs))
    const events = this.#take(key, s6State, last)
    this.#options.dirs.writeStatus(key, serviceStatus(slot, s6State.stamps, s6State.paused), events)
    // Held events count as shown now, at the end of this millisecond, because subscribers' time stamps are finer.
    const shownFromMs = this.#options.clock.wallMs() + 1
    s6State.events = s6State.events.map((event) => ({ shownFromMs, ...event }))
  }

  #add(s6State: S6State, events: string): void {
    s6State.events = [...s6State.events, ...[...events].map((code) => ({ code }))]
  }

  /** Returns the events to report now; the held ones follow with an alarm. */
  #take(key: string, s6State: S6State, last: boolean): readonly Event[] {
    const { clock } = this.#options
    const nowMs = clock.nowMs()
    const { events, heldUntilMs } = s6State
    if (events.length === 0 || (nowMs < heldUntilMs && !last)) return []
    const length = last ? events.length : batchLength(events.map(({ code }) => code).join(''))
    s6State.events = events.slice(length)
    if (s6State.events.length > 0 || events[length - 1]?.code === 'D') {
      s6State.heldUntilMs = nowMs + BETWEEN_BATCHES_MS
      clock.at(s6State.heldUntilMs, () => {
        if (s6State.events.length > 0) this.#schedule(key)
      })
    }
    return events.slice(0, length)
  }
}
