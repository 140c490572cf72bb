import { type Rights, sees } from '../../access/scope.ts'
import type { ControlClient } from '../../control/client.ts'
import { type UsageSnapshot, usageBetween } from '../../control/slot-usage.ts'
import { type FollowFacts, followSupervisors } from '../../control/supervisors.ts'
import type { BoardWatch } from '../../kanban/watch/board-watch.ts'
import type { SlotEventMessage, StatusResult } from '../../protocol/control.ts'
import type { Cancel } from '../../system/clock.ts'
import type { Usage } from '../contract/slots.ts'
import { narrowedStatus, narrowedUsage } from './narrowed.ts'
import { withSlotEvent } from './slot-view.ts'
import { frame, type Viewer } from './viewer.ts'

export interface FeedFacts extends FollowFacts {
  readonly boards: BoardWatch
  readonly readUsage: (slots: StatusResult['slots']) => UsageSnapshot
}

/** The profiles that a viewer may see. */
type Limits = Pick<Rights, 'profiles'>
/** The data of an event for those who may see all, and as others see it; undefined: not at all. */
interface FeedEvent {
  readonly name: string
  readonly data: unknown
  readonly narrowed: (limits: Limits) => unknown
}

interface Listener {
  readonly limits: Limits
  /** false: it was too slow for a change, and gets everything when it has caught up. */
  current: boolean
}

const USAGE_MS = 2000
const BOARDS_MS = 250

/**
 * The stream of events: one subscription to the supervisor, one look at /proc and at the boards' files, for all viewers
 * together and only while there are any. When the supervisor is away it is looked for until it is back.
 */
export class Feed {
  readonly #facts: FeedFacts
  readonly #viewers = new Map<Viewer, Listener>()
  #status: StatusResult | undefined
  #away = false
  #stop: AbortController | undefined
  #timers: Cancel[] = []
  #look: UsageSnapshot | undefined
  #usage: Readonly<Record<string, Usage>> = {}

  constructor(facts: FeedFacts) {
    this.#facts = facts
  }

  /** Usage from the last check, if there are viewers. */
  usageOf(slot: string): Usage | undefined {
    return this.#usage[slot]
  }

  /** @param limits absent: the viewer may see all profiles */
  add(viewer: Viewer, limits: Limits = { profiles: undefined }): void {
    this.#viewers.set(viewer, { limits, current: true })
    viewer.onDrain(() => this.#catchUp(viewer))
    viewer.onClose(() => {
      this.#viewers.delete(viewer)
      if (this.#viewers.size === 0) this.#end()
    })
    if (this.#stop === undefined) this.#begin()
    else this.#catchUp(viewer)
  }

  #begin(): void {
    this.#stop = new AbortController()
    const { signal } = this.#stop
    void followSupervisors(
      this.#facts,
      signal,
      (client) => this.#follow(client, signal),
      () => this.#lose(),
    )
    this.#every(USAGE_MS, () => this.#sample())
    this.#every(BOARDS_MS, () => {
      void this.#facts.boards.look().then((changed) => {
        for (const board of changed) this.#send(forAll('kanban', { board }))
      })
    })
  }

  #end(): void {
    this.#stop?.abort()
    this.#stop = undefined
    for (const cancel of this.#timers.splice(0)) cancel()
    this.#status = undefined
    this.#away = false
    this.#look = undefined
    this.#usage = {}
  }

  /** Runs at once, and again after each pause. */
  #every(ms: number, act: () => void): void {
    const { clock } = this.#facts
    const place = this.#timers.length
    const turn = (): void => {
      act()
      this.#timers[place] = clock.at(clock.nowMs() + ms, turn)
    }
    this.#timers[place] = clock.at(clock.nowMs(), turn)
  }

  /** No supervisor answers: the known state of its slots is outdated. */
  #lose(): void {
    if (this.#away) return
    this.#away = true
    this.#status = undefined
    this.#send(forAll('away', {}))
  }

  async #follow(client: ControlClient, signal: AbortSignal): Promise<void> {
    const refresh = async (): Promise<void> => {
      const status = await client.request('status', {})
      if (signal.aborted) return
      this.#status = status
      this.#away = false
      this.#send(ofStatus(status))
    }
    const attempt = new AbortController()
    let refreshed: Promise<void> = Promise.resolve()
    // Following starts before the status is requested, so no event is missed in between.
    const onStart = (): void => {
      refreshed = refresh()
      // Without a status, changes cannot be applied to anything: start again.
      refreshed.catch(() => attempt.abort())
    }
    const either = AbortSignal.any([signal, attempt.signal])
    for await (const event of client.follow('events', {}, { signal: either, onStart })) {
      await refreshed
      if (event.missed === undefined) this.#change(event)
      else await refresh()
    }
  }

  #change(event: SlotEventMessage): void {
    if (this.#status === undefined) return
    this.#status = withSlotEvent(this.#status, event)
    const { profile } = event.slot
    this.#send({ name: event.type, data: event, narrowed: (limits) => (sees(limits, profile) ? event : undefined) })
  }

  #sample(): void {
    if (this.#status === undefined) return
    const look = this.#facts.readUsage(this.#status.slots)
    this.#usage = usageBetween(this.#look, look)
    this.#look = look
    const { slots } = this.#status
    const usage = this.#usage
    this.#send({
      name: 'usage',
      data: { slots: usage },
      narrowed: (limits) => ({ slots: narrowedUsage(usage, slots, limits) }),
    })
  }

  /** Encoded once for all who may see everything. */
  #send({ name, data, narrowed }: FeedEvent): void {
    let whole: Buffer | undefined
    for (const [viewer, listener] of this.#viewers) {
      if (!listener.current) continue
      if (listener.limits.profiles === undefined) {
        whole ??= frame(name, data)
        listener.current = viewer.send(whole)
        continue
      }
      const part = narrowed(listener.limits)
      if (part !== undefined) listener.current = viewer.send(frame(name, part))
    }
  }

  #catchUp(viewer: Viewer): void {
    const listener = this.#viewers.get(viewer)
    if (listener === undefined) return
    if (this.#status !== undefined)
      listener.current = viewer.send(frame('status', narrowedStatus(this.#status, listener.limits)))
    else if (this.#away) listener.current = viewer.send(frame('away', {}))
  }
}

const forAll = (name: string, data: unknown): FeedEvent => ({ name, data, narrowed: () => data })

const ofStatus = (status: StatusResult): FeedEvent => ({
  name: 'status',
  data: status,
  narrowed: (limits) => narrowedStatus(status, limits),
})
