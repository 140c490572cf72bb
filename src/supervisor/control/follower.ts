import type { Socket } from 'node:net'
import type { Event, LogEventMessage, SlotEventMessage } from '../../protocol/control.ts'

/** Receiver of a followed operation's events. */
export interface Follower {
  /**
   * @returns false when the follower does not keep up: the event is dropped for it and counted (`missed` of its next
   * one)
   */
  send(event: SlotEventMessage | LogEventMessage): boolean
  /** So many events are waiting that lines need not even become events: see `missLines`. */
  readonly isBehind: boolean
  /** Counts lines that were not made into events for it. */
  missLines(slot: string, lines: number): void
  /**
   * Called once, when the connection of a followed operation has ended for any reason; at once if it already has. A
   * request that follows nothing is completed, whether its client is still connected or not.
   */
  onClose(cb: () => void): void
}

/** The events of one request, and what to do when the connection ends. */
export class RequestFollower implements Follower {
  readonly #id: number
  readonly #unreadBytes: number
  readonly #socket: Socket
  readonly #write: (message: Event) => void
  #early: (SlotEventMessage | LogEventMessage)[] | undefined = []
  #missed = 0
  #lastMissed: SlotEventMessage | LogEventMessage | undefined
  #closed = false
  readonly #callbacks: (() => void)[] = []

  constructor(id: number, unreadBytes: number, socket: Socket, write: (message: Event) => void) {
    this.#id = id
    this.#unreadBytes = unreadBytes
    this.#socket = socket
    this.#write = write
    this.#closed = socket.destroyed
  }

  send(event: SlotEventMessage | LogEventMessage): boolean {
    if (this.#closed) return false
    // The result comes first.
    if (this.#early !== undefined) {
      this.#early.push(event)
      return true
    }
    if (this.isBehind) {
      this.#miss(event, 'lines' in event ? event.lines.length : 1)
      return false
    }
    this.#write({ id: this.#id, event: this.#missed === 0 ? event : { ...event, missed: this.#missed } })
    this.#missed = 0
    this.#lastMissed = undefined
    return true
  }

  get isBehind(): boolean {
    return this.#early === undefined && this.#socket.writableLength > this.#unreadBytes
  }

  missLines(slot: string, lines: number): void {
    this.#miss({ slot, lines: [] }, lines)
  }

  #miss(event: SlotEventMessage | LogEventMessage, count: number): void {
    this.#missed += count
    this.#lastMissed = event
  }

  /** It keeps up again. Report now what it missed: the next event may be hours away. */
  drained(): void {
    const event = this.#lastMissed
    if (event === undefined) return
    if ('lines' in event) this.send({ slot: event.slot, lines: [] })
    else {
      // The latest transition is still current; only the earlier ones are lost.
      this.#missed--
      this.send(event)
    }
  }

  onClose(cb: () => void): void {
    if (this.#closed) cb()
    else this.#callbacks.push(cb)
  }

  /** The result has been sent: events may follow. */
  begin(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const event of early) this.send(event)
  }

  close(): void {
    this.#closed = true
    for (const cb of this.#callbacks.splice(0)) cb()
  }
}
