import { CONTROL_PROTOCOL_VERSION, type ControlError, type Op, RECORDED_OPS } from '../protocol/control.ts'
import { type Clock, pause } from '../system/clock.ts'
import { hasCode } from '../system/error-code.ts'
import { HermesError, isErrorCode } from '../system/errors.ts'
import { type ConnectUnix, connectByNet, type UnixStream } from '../system/net/unix-stream.ts'

/** Time that a connection may wait for a place in the socket's queue. */
const CONNECT_MS = 5000
const CONNECT_AGAIN_MS = 20
const DEFAULT_WAITING_EVENTS = 256

/** The connection ended before what was waited for. */
export class ConnectionLost extends Error {}

interface PendingReply {
  resolve(result: unknown): void
  reject(error: Error): void
}

/** One connection to a supervisor: requests with their replies, and the events of a follower. */
export class Connection {
  readonly #stream: UnixStream
  readonly #clock: Clock
  readonly #maxWaiting: number
  /** Part of each request. */
  readonly #head: object
  readonly #by: (() => string) | undefined
  readonly #replies = new Map<number, PendingReply>()
  readonly #events: unknown[] = []
  #eventWaiting: PendingReply | undefined
  #nextId = 1
  #unfinished = ''
  ended = false

  constructor(
    stream: UnixStream,
    { clock, maxWaiting = DEFAULT_WAITING_EVENTS, belowInit = false, by }: Omit<ConnectionPlace, 'path'>,
  ) {
    this.#stream = stream
    this.#clock = clock
    this.#maxWaiting = maxWaiting
    this.#by = by
    this.#head = { v: CONTROL_PROTOCOL_VERSION, ...(belowInit && { belowInit }) }
    stream.read({
      text: (chunk) => this.#read(chunk),
      closed: (cause) => this.#end(new ConnectionLost('the connection ended', { cause })),
    })
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
    const by = RECORDED_OPS.has(op) ? this.#by?.() : undefined
    this.#stream.write(`${JSON.stringify({ ...body, ...this.#head, ...(by !== undefined && { by }), id, op })}\n`)
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
      if (this.#events.length === 0) this.#stream.resume()
      return Promise.resolve(event)
    }
    if (this.ended) return Promise.reject(new ConnectionLost('the connection has ended'))
    const waiting = Promise.withResolvers<unknown>()
    this.#eventWaiting = waiting
    return waiting.promise
  }

  destroy(): void {
    this.#stream.destroy()
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
      this.#stream.destroy(error as Error)
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
    if (this.#events.length >= this.#maxWaiting) this.#stream.pause()
  }

  #end(lost: ConnectionLost): void {
    this.ended = true
    for (const waiting of this.#replies.values()) waiting.reject(lost)
    this.#eventWaiting?.reject(lost)
  }
}

export interface ConnectionPlace {
  readonly path: string
  readonly clock: Clock
  /** Events that may wait for a slow consumer before reading stops. */
  readonly maxWaiting?: number | undefined
  /** The volume, by which users know an instance; default: messages show the path. */
  readonly home?: string | undefined
  /** Default: by node:net. */
  readonly connect?: ConnectUnix | undefined
  /** This program is one of the container itself, for which the boot may wait (RequestHead). */
  readonly belowInit?: boolean
  /** Name of the person or program whose changes these are (RequestHead); absent: they record them themselves. */
  readonly by?: (() => string) | undefined
}

/** @throws HermesError NO_SUPERVISOR when nothing listens at `path`; REFUSED without permission to connect */
export async function openConnection(place: ConnectionPlace): Promise<Connection> {
  const { path, clock, home = path, connect = connectByNet } = place
  const untilMs = clock.nowMs() + CONNECT_MS
  while (true) {
    try {
      return new Connection(await connect(path), place)
    } catch (error) {
      // EAGAIN: the queue of connections not yet accepted is full (unix(7)); the supervisor is away or very busy.
      if (!hasCode(error, 'EAGAIN') || clock.nowMs() >= untilMs)
        throw cannotConnect(path, home, error as NodeJS.ErrnoException)
    }
    await pause(clock, CONNECT_AGAIN_MS)
  }
}

/** Where no supervisor answers. */
export const START_IT =
  'start it with hermes start or docker start NAME; if it uses another HERMES_HOME, set that here too'

/** @param where name of the place, as users know it */
function cannotConnect(path: string, where: string, cause: NodeJS.ErrnoException): HermesError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM')
    return new HermesError('REFUSED', `no permission to connect to the supervisor at ${path} (${cause.code})`, {
      next: 'run it as root, or as the runtime user with its own group (in a container: docker exec -u hermes)',
      cause,
    })
  return new HermesError('NO_SUPERVISOR', `Hermes is not running here (${where})`, {
    next: START_IT,
    cause,
  })
}
