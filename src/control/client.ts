import type { LogEventMessage, Op, Operations, SlotEventMessage } from '../protocol/control.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { HermesError } from '../system/errors.ts'
import { type Connection, ConnectionLost, type ConnectionPlace, openConnection, START_IT } from './connection.ts'

export interface RequestOptions {
  /** Time limit for the reply; default 10 s. Afterwards: HermesError TIMED_OUT. */
  readonly timeoutMs?: number
}

export interface FollowOptions {
  readonly signal?: AbortSignal
  /** The supervisor follows from now on: nothing that happens later is missed. */
  readonly onStart?: () => void
  /**
   * Events that may wait for a slow consumer before reading stops; the supervisor then counts missed ones. Default 256.
   */
  readonly maxWaiting?: number
}

/** Operations that are answered by a stream of events. */
export interface Followed {
  events: SlotEventMessage
  logs: LogEventMessage
}

export interface ControlClient {
  /**
   * @throws HermesError: the supervisor's own, NO_SUPERVISOR, TIMED_OUT, FAILED (the connection died before the reply)
   */
  request<O extends Exclude<Op, keyof Followed>>(
    op: O,
    body: Operations[O]['request'],
    options?: RequestOptions,
  ): Promise<Operations[O]['result']>
  /**
   * Uses a separate connection. Ends quietly when `signal` is aborted; throws NO_SUPERVISOR when the connection dies.
   */
  follow<O extends keyof Followed>(
    op: O,
    body: Operations[O]['request'],
    options?: FollowOptions,
  ): AsyncIterable<Followed[O]>
  close(): void
}

const DEFAULT_TIMEOUT_MS = 10_000

/** Requests that may be repeated: if the connection dies, they may be sent to the next supervisor. */
const reading: ReadonlySet<Op> = new Set<Op>(['ping', 'status', 'deaths', 'job-result', 'register', 'unregister'])

/**
 * Connects to the supervisor. While it is being restarted, init holds the listening socket, and the next one answers.
 * @param path the control socket
 * @throws HermesError NO_SUPERVISOR when nothing listens at `path`; REFUSED without permission to connect
 */
export async function connectControl(
  path: string,
  clock: Clock = systemClock(),
  options: Pick<ConnectionPlace, 'home' | 'connect' | 'belowInit' | 'by'> = {},
): Promise<ControlClient> {
  const place = { path, clock, ...options }
  return new Client(place, await openConnection(place))
}

class Client implements ControlClient {
  readonly #place: ConnectionPlace
  readonly #clock: Clock
  #connection: Connection
  /** The one that takes its place, while it connects. */
  #opening: Promise<Connection> | undefined
  #closed = false

  constructor(place: ConnectionPlace, connection: Connection) {
    this.#place = place
    this.#clock = place.clock
    this.#connection = connection
  }

  async request<O extends Exclude<Op, keyof Followed>>(
    op: O,
    body: Operations[O]['request'],
    { timeoutMs = DEFAULT_TIMEOUT_MS }: RequestOptions = {},
  ): Promise<Operations[O]['result']> {
    const untilMs = this.#clock.nowMs() + timeoutMs
    for (let again = reading.has(op); ; again = false) {
      const connection = await this.#connected()
      try {
        return (await connection.ask(op, body, untilMs)) as Operations[O]['result']
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        if (!again || this.#closed) throw lostBeforeReply(op, error)
      }
    }
  }

  async *follow<O extends keyof Followed>(
    op: O,
    body: Operations[O]['request'],
    { signal, onStart, maxWaiting }: FollowOptions = {},
  ): AsyncGenerator<Followed[O], void, undefined> {
    if (signal?.aborted) return
    const connection = await openConnection({ ...this.#place, maxWaiting })
    const stop = (): void => connection.destroy()
    signal?.addEventListener('abort', stop)
    try {
      // Aborted while connecting: no event will report that, and an open connection keeps its process alive.
      if (signal?.aborted) return
      await connection.ask(op, body, this.#clock.nowMs() + DEFAULT_TIMEOUT_MS)
      onStart?.()
      while (true) yield (await connection.nextEvent()) as Followed[O]
    } catch (error) {
      if (signal?.aborted) return
      if (error instanceof ConnectionLost)
        throw new HermesError('NO_SUPERVISOR', 'the supervisor closed the connection', { next: START_IT, cause: error })
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
      connection.destroy()
    }
  }

  /** In the next turn: a command that ends now leaves it to the kernel, which is faster by a millisecond. */
  close(): void {
    this.#closed = true
    setImmediate(() => this.#connection.destroy())
  }

  /**
   * The server closes idle connections; between two requests that does no harm. Concurrent requests share the next
   * connection.
   */
  async #connected(): Promise<Connection> {
    if (!this.#connection.ended) return this.#connection
    this.#opening ??= openConnection(this.#place).finally(() => {
      this.#opening = undefined
    })
    this.#connection = await this.#opening
    // A client closed while it was connecting must not keep the process alive.
    if (this.#closed) this.#connection.destroy()
    return this.#connection
  }
}

const lostBeforeReply = (op: Op, cause: Error): HermesError =>
  reading.has(op)
    ? new HermesError('NO_SUPERVISOR', `the supervisor ended twice before it answered "${op}"`, {
        next: START_IT,
        cause,
      })
    : new HermesError('FAILED', `the supervisor ended before it answered "${op}": it may or may not have done it`, {
        detail: 'REPLY_LOST',
        next: 'check with "hermes status"',
        cause,
      })
