import { createConnection, type Socket } from 'node:net'
import {
  CONTROL_PROTOCOL_VERSION,
  type ControlError,
  type LogEventMessage,
  type Op,
  type Operations,
  type SlotEventMessage,
} from '../protocol/control.ts'
import { type Clock, pause, systemClock } from '../system/clock.ts'
import { HermesError, isErrorCode } from '../system/errors.ts'

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
/** Time that a connection may wait for a place in the socket's queue. */
const CONNECT_MS = 5000
const CONNECT_AGAIN_MS = 20
const DEFAULT_WAITING_EVENTS = 256

/** Requests that may be repeated: if the connection dies, they may be sent to the next supervisor. */
const reading: ReadonlySet<Op> = new Set<Op>(['ping', 'status', 'deaths', 'job-result', 'register', 'unregister'])

/**
 * Connects to the supervisor. While it is being restarted, init holds the listening socket, and the next one answers.
 * @param path the control socket
 * @param home the volume, by which users know an instance; default: messages show the path
 * @throws HermesError NO_SUPERVISOR when nothing listens at `path`; REFUSED without permission to connect
 */
export async function connectControl(
  path: string,
  clock: Clock = systemClock(),
  home?: string,
): Promise<ControlClient> {
  return new Client(path, clock, await openConnection(path, clock, DEFAULT_WAITING_EVENTS, home))
}

class Client implements ControlClient {
  readonly #path: string
  readonly #clock: Clock
  #connection: Connection
  /** The one that takes its place, while it connects. */
  #opening: Promise<Connection> | undefined
  #closed = false

  constructor(path: string, clock: Clock, connection: Connection) {
    this.#path = path
    this.#clock = clock
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
    { signal, onStart, maxWaiting = DEFAULT_WAITING_EVENTS }: FollowOptions = {},
  ): AsyncGenerator<Followed[O], void, undefined> {
    if (signal?.aborted) return
    const connection = await openConnection(this.#path, this.#clock, maxWaiting)
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
        throw new HermesError('NO_SUPERVISOR', 'the supervisor closed the connection', { next: NEXT, cause: error })
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
    this.#opening ??= openConnection(this.#path, this.#clock).finally(() => {
      this.#opening = undefined
    })
    this.#connection = await this.#opening
    // A client closed while it was connecting must not keep the process alive.
    if (this.#closed) this.#connection.destroy()
    return this.#connection
  }
}

/** Internal: the connection ended before what was waited for. */
class ConnectionLost extends Error {}

interface PendingReply {
  resolve(result: unknown): void
  reject(error: Error): void
}

class Connection {
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #maxWaiting: number
  readonly #replies = new Map<number, PendingReply>()
  readonly #events: unknown[] = []
  #eventWaiting: PendingReply | undefined
  #nextId = 1
  #unfinished = ''
  ended = false

  constructor(socket: Socket, clock: Clock, maxWaiting: number) {
    this.#socket = socket
    this.#clock = clock
    this.#maxWaiting = maxWaiting
    socket.setEncoding('utf8')
    socket.on('data', (chunk: Buffer | string) => this.#read(String(chunk)))
    // The error that ended the connection, if any, is the cause; `close` always follows.
    let cause: Error | undefined
    socket.on('error', (error) => {
      cause = error
    })
    socket.on('close', () => this.#end(new ConnectionLost('the connection ended', { cause })))
  }

  async ask(op: Op, body: object, untilMs: number): Promise<unknown> {
    if (this.ended) throw new ConnectionLost('the connection has ended')
    const id = this.#nextId++
    const reply = Promise.withResolvers<unknown>()
    this.#replies.set(id, reply)
    const cancel = this.#clock.at(untilMs, () =>
      reply.reject(
        new HermesError('TIMED_OUT', `the supervisor did not answer "${op}" in time`, {
          next: 'check it with "hermes healthcheck"; see "hermes logs supervisor" and the container\'s own output',
        }),
      ),
    )
    this.#socket.write(`${JSON.stringify({ ...body, v: CONTROL_PROTOCOL_VERSION, id, op })}\n`)
    try {
      return await reply.promise
    } finally {
      cancel()
      this.#replies.delete(id)
    }
  }

  nextEvent(): Promise<unknown> {
    if (this.#events.length > 0) {
      const event = this.#events.shift()
      if (this.#events.length === 0) this.#socket.resume()
      return Promise.resolve(event)
    }
    if (this.ended) return Promise.reject(new ConnectionLost('the connection has ended'))
    const waiting = Promise.withResolvers<unknown>()
    this.#eventWaiting = waiting
    return waiting.promise
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #read(chunk: string): void {
    let from = 0
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', from)) {
      this.#take(this.#unfinished + chunk.slice(from, end))
      this.#unfinished = ''
      from = end + 1
    }
    this.#unfinished += chunk.slice(from)
  }

  #take(line: string): void {
    let message: { id: number | null; ok?: boolean; result?: unknown; error?: ControlError; event?: unknown }
    try {
      message = JSON.parse(line)
      if (message === null) throw new Error('null is not a message')
    } catch (error) {
      // Not our protocol: the listener is not a hermes supervisor.
      this.#socket.destroy(error as Error)
      return
    }
    if (message.event !== undefined) this.#takeEvent(message.event)
    else if (message.ok === true) this.#replies.get(message.id ?? 0)?.resolve(message.result)
    else this.#takeError(message)
  }

  #takeError(message: { id: number | null; error?: ControlError }): void {
    const {
      code,
      detail,
      message: text = 'an error without a message',
      next,
    }: Partial<ControlError> = message.error ?? {}
    // A newer supervisor may have codes that we do not know.
    const error = new HermesError(isErrorCode(code) ? code : 'FAILED', text, {
      ...(detail !== undefined && { detail }),
      ...(next !== undefined && { next }),
    })
    // A reply without an id concerns the connection: no pending request will be answered.
    const waiting = message.id === null ? [...this.#replies.values()] : [this.#replies.get(message.id)]
    for (const one of waiting) one?.reject(error)
  }

  #takeEvent(event: unknown): void {
    const waiting = this.#eventWaiting
    this.#eventWaiting = undefined
    if (waiting === undefined) this.#events.push(event)
    else waiting.resolve(event)
    if (this.#events.length >= this.#maxWaiting) this.#socket.pause()
  }

  #end(lost: ConnectionLost): void {
    this.ended = true
    for (const waiting of this.#replies.values()) waiting.reject(lost)
    this.#eventWaiting?.reject(lost)
  }
}

async function openConnection(
  path: string,
  clock: Clock,
  maxWaiting = DEFAULT_WAITING_EVENTS,
  home?: string,
): Promise<Connection> {
  const untilMs = clock.nowMs() + CONNECT_MS
  while (true) {
    const connected = await tryConnect(path)
    if (!(connected instanceof Error)) return new Connection(connected, clock, maxWaiting)
    // EAGAIN: the queue of connections not yet accepted is full (unix(7)); the supervisor is away or very busy.
    if (connected.code !== 'EAGAIN' || clock.nowMs() >= untilMs) throw cannotConnect(path, home ?? path, connected)
    await pause(clock, CONNECT_AGAIN_MS)
  }
}

function tryConnect(path: string): Promise<Socket | NodeJS.ErrnoException> {
  const { promise, resolve } = Promise.withResolvers<Socket | NodeJS.ErrnoException>()
  const socket = createConnection(path)
  socket.once('error', resolve)
  socket.once('connect', () => {
    socket.off('error', resolve)
    resolve(socket)
  })
  return promise
}

const NEXT = 'start it with npm start or docker start NAME; if it uses another HERMES_HOME, set that here too'

/** @param where name of the place, as users know it */
function cannotConnect(path: string, where: string, cause: NodeJS.ErrnoException): HermesError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM')
    return new HermesError('REFUSED', `no permission to connect to the supervisor at ${path} (${cause.code})`, {
      next: 'run it as root, or as the runtime user with its own group (in a container: docker exec -u hermes)',
      cause,
    })
  return new HermesError('NO_SUPERVISOR', `Hermes is not running here (${where})`, {
    next: NEXT,
    cause,
  })
}

const lostBeforeReply = (op: Op, cause: Error): HermesError =>
  reading.has(op)
    ? new HermesError('NO_SUPERVISOR', `the supervisor ended twice before it answered "${op}"`, { next: NEXT, cause })
    : new HermesError('FAILED', `the supervisor ended before it answered "${op}": it may or may not have done it`, {
        detail: 'REPLY_LOST',
        next: 'check with "hermes status"',
        cause,
      })
