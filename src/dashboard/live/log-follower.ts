import type { ControlClient } from '../../control/client.ts'
import { type FollowFacts, followSupervisors } from '../../control/supervisors.ts'
import { LogBatch } from './log-batch.ts'
import { frame, type Viewer } from './viewer.ts'

const BATCH_MS = 100
/** Pause after a full batch: a flood cannot be read anyway, and it costs the supervisor and every viewer a third. */
const FLOOD_MS = 300
/** Chunks that may wait here; the supervisor counts what we miss beyond them. Each may be 64 KB. */
const WAITING_CHUNKS = 4

/** Logs with viewers: one follower of the supervisor per slot, for any number of viewers. */
export class LogFollowers {
  readonly #facts: FollowFacts
  readonly #slots = new Map<string, SlotFollower>()

  constructor(facts: FollowFacts) {
    this.#facts = facts
  }

  add(slot: string, viewer: Viewer): void {
    const follower = this.#slots.get(slot) ?? new SlotFollower(this.#facts, slot)
    this.#slots.set(slot, follower)
    follower.add(viewer)
    viewer.onClose(() => {
      if (follower.remove(viewer)) this.#slots.delete(slot)
    })
  }
}

class SlotFollower {
  readonly #facts: FollowFacts
  readonly #slot: string
  /** With the number of lines that each has missed since the last report. */
  readonly #viewers = new Map<Viewer, number>()
  readonly #stop = new AbortController()
  readonly #batch = new LogBatch()
  #flushed = Promise.withResolvers<void>()
  #due = false
  #flooded = false

  constructor(facts: FollowFacts, slot: string) {
    this.#facts = facts
    this.#slot = slot
    void followSupervisors(facts, this.#stop.signal, (client) => this.#follow(client))
  }

  add(viewer: Viewer): void {
    this.#viewers.set(viewer, 0)
    viewer.onDrain(() => this.#sendMissed(viewer))
  }

  /** @returns true if the last viewer has gone and following has ended */
  remove(viewer: Viewer): boolean {
    this.#viewers.delete(viewer)
    if (this.#viewers.size > 0) return false
    this.#stop.abort()
    this.#flushed.resolve()
    return true
  }

  async #follow(client: ControlClient): Promise<void> {
    const options = { signal: this.#stop.signal, maxWaiting: WAITING_CHUNKS }
    for await (const event of client.follow('logs', { slots: [this.#slot] }, options)) {
      const at = new Date(this.#facts.clock.wallMs()).toISOString()
      this.#batch.add(event.lines, at, event.missed ?? 0)
      this.#flushSoon()
      // Reads no faster than viewers are served, so that a slot at full speed costs the supervisor a count and not
      // a copy.
      if (this.#batch.isFull) await this.#flushed.promise
    }
  }

  #flushSoon(): void {
    if (this.#due || this.#batch.isEmpty) return
    this.#due = true
    this.#facts.clock.at(this.#facts.clock.nowMs() + (this.#flooded ? FLOOD_MS : BATCH_MS), () => {
      this.#due = false
      this.#flush()
    })
  }

  #flush(): void {
    this.#flooded = this.#batch.isFull
    const { lines, missed } = this.#batch.take()
    const bytes = Buffer.concat([
      ...(missed === 0 ? [] : [frame('missed', { missed })]),
      ...(lines.length === 0 ? [] : [frame('lines', { lines })]),
    ])
    for (const [viewer, before] of this.#viewers) {
      if (viewer.send(bytes)) continue
      this.#viewers.set(viewer, before + missed + lines.length)
    }
    this.#flushed.resolve()
    this.#flushed = Promise.withResolvers<void>()
  }

  /** A slow viewer has caught up. The next line may be hours away, so report the loss now. */
  #sendMissed(viewer: Viewer): void {
    const missed = this.#viewers.get(viewer) ?? 0
    if (missed > 0 && viewer.send(frame('missed', { missed }))) this.#viewers.set(viewer, 0)
  }
}
