import { MAX_UNACKNOWLEDGED, type Sequenced } from '../../protocol/init.ts'

/** An event before it has its number. */
export type Unnumbered<E = Sequenced> = E extends Sequenced ? Omit<E, 'seq'> : never

/**
 * Events a supervisor has to learn of, whichever one it is by then: numbered, and kept until one has acknowledged
 * them.
 */
export class UnacknowledgedEvents {
  #events: Sequenced[] = []
  #lastSeq = 0

  add(event: Unnumbered): Sequenced {
    const numbered = { ...event, seq: ++this.#lastSeq } as Sequenced
    this.#events.push(numbered)
    return numbered
  }

  /** All events up to and including `seq` have been handled. */
  acknowledge(seq: number): void {
    const left = this.#events.findIndex((event) => event.seq > seq)
    this.#events = left === -1 ? [] : this.#events.slice(left)
  }

  /** Oldest first. */
  unacknowledged(): readonly Sequenced[] {
    return this.#events
  }

  /** The oldest one that is newer than `seq` and not acknowledged. */
  after(seq: number): Sequenced | undefined {
    const [oldest] = this.#events
    // They are numbered without gaps, and only the oldest go.
    return oldest && this.#events[Math.max(0, seq + 1 - oldest.seq)]
  }

  /** Events are not acknowledged: before memory runs out, no more processes are started that could end. */
  get full(): boolean {
    return this.#events.length >= MAX_UNACKNOWLEDGED
  }
}
