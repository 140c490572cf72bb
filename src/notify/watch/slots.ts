/** Follows the supervisors' events, and observes what is worth a message. */
import type { ControlClient } from '../../control/client.ts'
import { followSupervisors } from '../../control/supervisors.ts'
import type { PingResult, SlotEventMessage, SlotStatus } from '../../protocol/control.ts'
import type { Clock } from '../../system/clock.ts'
import type { Observed } from '../notification.ts'
import type { Note } from '../outbox/outbox.ts'
import { type SlotMemory, type WatchedSlot, watchSlot } from '../slot-watch.ts'
import type { KilledSlot } from './memory.ts'

export const SLOT_NOTES = 'slot:'

export interface SlotWatchFacts {
  readonly clock: Clock
  readonly connect: () => Promise<ControlClient>
  /** As the outbox has it, by slot. */
  readonly memory: ReadonlyMap<string, unknown>
  /** Keeps both or, where that fails, none: then it throws, and the slots are looked at again. */
  readonly keep: (notes: readonly Note[], observed: readonly Observed[]) => void
  /** Called with the reason if nothing could be kept. */
  readonly failed: (error: unknown) => void
}

/** Workers of the board: the board reports them. */
const isJob = (slot: string): boolean => slot.startsWith('job-')

export class SlotWatch {
  readonly #facts: SlotWatchFacts
  readonly #memory: Map<string, SlotMemory>
  /** Slots that are looked at again at a time, although nothing changes. */
  readonly #due = new Map<string, { readonly slot: WatchedSlot; readonly atMs: number }>()
  /** Slots whose last death was by SIGKILL, by name, with its time: Unix ms. */
  readonly #killed = new Map<string, KilledSlot & { readonly atMs: number }>()
  #client: ControlClient | undefined
  #refresh: (() => Promise<void>) | undefined
  #isStale = false

  constructor(facts: SlotWatchFacts) {
    this.#facts = facts
    this.#memory = new Map([...facts.memory] as [string, SlotMemory][])
  }

  /** Follows until `signal`; a supervisor that is away is waited for. */
  follow(signal: AbortSignal): Promise<void> {
    return followSupervisors(this.#facts, signal, (client) => this.#follow(client, signal))
  }

  /** Slots whose process was killed by SIGKILL since then, as the supervisor knows it now. Never rejects. */
  async killedSince(wallMs: number): Promise<readonly KilledSlot[]> {
    await this.#refresh?.().catch(() => undefined)
    return [...this.#killed.values()].filter(({ atMs }) => atMs >= wallMs).map(({ atMs: _, ...slot }) => slot)
  }

  /** @returns undefined: no supervisor is there. Never rejects. */
  async ping(): Promise<PingResult | undefined> {
    return this.#client?.request('ping', {}).catch(() => undefined)
  }

  /** Called every second: looks at slots whose time has come. */
  async poll(): Promise<void> {
    const wallMs = this.#facts.clock.wallMs()
    for (const { slot, atMs } of [...this.#due.values()]) if (wallMs >= atMs) this.#look(slot)
    if (!this.#isStale) return
    this.#isStale = false
    // A connection that fails ends the following, which begins with everything.
    await this.#refresh?.().catch(() => undefined)
  }

  async #follow(client: ControlClient, signal: AbortSignal): Promise<void> {
    const refresh = async (): Promise<void> => {
      const { slots } = await client.request('status', {})
      const there = new Set(slots.map(({ slot }) => slot))
      for (const slot of [...this.#memory.keys()]) if (!there.has(slot)) this.#forget(slot)
      for (const slot of slots) this.#see(slot)
    }
    this.#refresh = refresh
    this.#client = client
    const attempt = new AbortController()
    let refreshed: Promise<void> = Promise.resolve()
    // Following starts before the status is requested, so no event is missed in between.
    const onStart = (): void => {
      refreshed = refresh()
      refreshed.catch(() => attempt.abort())
    }
    const either = AbortSignal.any([signal, attempt.signal])
    try {
      for await (const event of client.follow('events', {}, { signal: either, onStart })) {
        await refreshed
        if (event.missed === undefined) this.#change(event)
        else await refresh()
      }
    } finally {
      this.#refresh = undefined
      this.#client = undefined
    }
  }

  #change({ type, slot }: SlotEventMessage): void {
    if (type === 'removed') this.#forget(slot.slot)
    else this.#see(slot)
  }

  #see(status: SlotStatus): void {
    const { slot, profile, lastDeath } = status
    if (lastDeath !== undefined && 'signal' in lastDeath && lastDeath.signal === 'KILL')
      this.#killed.set(slot, { slot, ...(profile !== undefined && { profile }), atMs: Date.parse(lastDeath.at) })
    else this.#killed.delete(slot)
    this.#look(status)
  }

  #look(slot: WatchedSlot): void {
    if (isJob(slot.slot)) return
    const before = this.#memory.get(slot.slot)
    const { memory, observed, lookAtMs } = watchSlot(before, slot, this.#facts.clock.wallMs())
    if (lookAtMs === undefined) this.#due.delete(slot.slot)
    else this.#due.set(slot.slot, { slot, atMs: lookAtMs })
    if (memory === before && observed === undefined) return
    this.#keep(slot.slot, memory, observed)
  }

  #forget(slot: string): void {
    this.#due.delete(slot)
    this.#killed.delete(slot)
    if (this.#memory.has(slot)) this.#keep(slot, undefined, undefined)
  }

  #keep(slot: string, memory: SlotMemory | undefined, observed: Observed | undefined): void {
    const { keep, failed } = this.#facts
    try {
      keep([{ subject: `${SLOT_NOTES}${slot}`, value: memory }], observed === undefined ? [] : [observed])
    } catch (error) {
      failed(error)
      this.#isStale = true
      return
    }
    if (memory === undefined) this.#memory.delete(slot)
    else this.#memory.set(slot, memory)
  }
}
