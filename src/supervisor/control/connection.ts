import type { Socket } from 'node:net'
import {
  type ControlError,
  type Event,
  MAX_REQUEST_BYTES,
  type Op,
  type Operations,
  type Reply,
  type Request,
} from '../../protocol/control.ts'
import { LineSplitter } from '../../protocol/lines.ts'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { type Follower, RequestFollower } from './follower.ts'
import type { ControlLimits } from './limits.ts'

/**
 * One per operation. A thrown HermesError becomes the client's error; anything else is a bug: reported, and FAILED for
 * the client.
 */
export type Handlers = {
  readonly [O in Op]: (
    request: Request<O>,
    connection: Follower,
  ) => Promise<Operations[O]['result']> | Operations[O]['result']
}

/** State shared by all connections of one server. */
export interface ConnectionContext {
  readonly limits: ControlLimits
  readonly handlers: Handlers
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** An operation is over. @param error its answer, if it failed */
  readonly record: (request: Request, error?: ControlError) => void
  /** Followed operations of all connections. */
  followers(): number
  /** The unfinished line of this connection grew or went. */
  unfinished(addedBytes: number): void
}

/** Amount that a refused client may still send before it is cut off: it needs time to read the reason. */
const MAX_IGNORED_BYTES = 64_000_000

/** One client. */
export class ControlConnection {
  readonly #socket: Socket
  readonly #context: ConnectionContext
  readonly #splitter = new LineSplitter(MAX_REQUEST_BYTES)
  readonly #followers = new Set<RequestFollower>()
  #queue: string[] = []
  #scheduled = false
  #underWay = 0
  #following = 0
  #ended = false
  #closed = false
  #refused = false
  #ignoredBytes = 0
  #unfinishedBytes = 0
  #unfinishedSinceMs: number | undefined
  #unreadSinceMs: number | undefined
  #lastActiveMs: number

  constructor(socket: Socket, share: ConnectionContext) {
    this.#socket = socket
    this.#context = share
    this.#lastActiveMs = share.clock.nowMs()
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('drain', () => {
      for (const follower of this.#followers) follower.drained()
      this.#step()
    })
    socket.on('end', () => {
      this.#ended = true
      if (this.#unfinishedBytes > 0) this.refuse('the request does not end with a newline')
      this.#endIfDone()
    })
    // EPIPE or ECONNRESET: the client went away, which is its right; `close` follows.
    socket.on('error', () => undefined)
    socket.once('close', () => this.#close())
  }

  get unfinishedBytes(): number {
    return this.#unfinishedBytes
  }

  /** Followed operations of this connection. */
  get following(): number {
    return this.#following
  }

  get lastActiveMs(): number {
    return this.#lastActiveMs
  }

  get busy(): boolean {
    return this.#underWay > 0 || this.#following > 0 || this.#queue.length > 0
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * Sends the reason, and closes the connection. Further input is discarded, so that the client gets the reason and
   * not a reset.
   */
  refuse(message: string): void {
    if (this.#refused || this.#closed) return
    this.#refused = true
    this.#queue = []
    this.#setUnfinished(0)
    this.#write({ id: null, ok: false, error: { code: 'BAD_REQUEST', message } })
    this.#socket.end()
    this.#socket.resume()
  }

  /** Cuts what is too slow, half open or idle. */
  sweep(nowMs: number): void {
    const { requestTimeoutMs, followerTimeoutMs, idleMs } = this.#context.limits
    const readTimeoutMs = this.#following > 0 ? followerTimeoutMs : requestTimeoutMs
    if (nowMs - (this.#unreadSinceMs ?? nowMs) >= readTimeoutMs) this.destroy()
    else if (this.#refused && nowMs - this.#lastActiveMs >= requestTimeoutMs) this.destroy()
    else if (nowMs - (this.#unfinishedSinceMs ?? nowMs) >= requestTimeoutMs)
      this.refuse(`the request was not complete after ${requestTimeoutMs} ms`)
    else if (!this.#refused && !this.busy && nowMs - this.#lastActiveMs >= idleMs)
      this.#socket.end(() => this.destroy())
  }

  #read(chunk: Buffer): void {
    if (this.#refused) {
      this.#ignoredBytes += chunk.length
      if (this.#ignoredBytes > MAX_IGNORED_BYTES) this.destroy()
      return
    }
    this.#lastActiveMs = this.#context.clock.nowMs()
    const { lines, tooLong } = this.#splitter.push(chunk)
    this.#queue.push(...lines)
    this.#setUnfinished(this.#splitter.heldBytes, lines.length > 0)
    if (tooLong) this.refuse(`the request is longer than ${MAX_REQUEST_BYTES} bytes`)
    else if (!this.#scheduled) this.#step()
  }

  /** One request per turn of the loop, so that a client with thousands of requests does not delay the others. */
  #step(): void {
    const { requests, unreadBytes } = this.#context.limits
    if (this.#closed || this.#refused) return
    const next = this.#queue[0]
    if (next === undefined) {
      this.#socket.resume()
      this.#endIfDone()
      return
    }
    // Data that has been read waits here; nothing more is read from the socket.
    this.#socket.pause()
    if (this.#underWay >= requests || this.#socket.writableLength > unreadBytes) return
    this.#queue.shift()
    void this.#answer(next)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#step()
    })
  }

  async #answer(line: string): Promise<void> {
    this.#underWay++
    try {
      const { parseRequest } = await import('./schema.ts')
      const parsed = parseRequest(line)
      if (parsed.ok) await this.#perform(parsed.request)
      else this.#write({ id: parsed.id, ok: false, error: parsed.error })
    } catch (error) {
      this.#context.warn(
        `a bug: a request could not be answered: ${error instanceof Error ? error.stack : String(error)}`,
      )
      this.destroy()
    } finally {
      this.#underWay--
      this.#lastActiveMs = this.#context.clock.nowMs()
      this.#schedule()
    }
  }

  async #perform(request: Request): Promise<void> {
    const { limits, handlers } = this.#context
    const follows = request.op === 'events' || request.op === 'logs'
    const follower = new RequestFollower(request.id, limits.unreadBytes, this.#socket, (message) =>
      this.#write(message),
    )
    this.#followers.add(follower)
    let answered = false
    try {
      if (follows) this.#admitFollower()
      // The table is typed per operation; which one it is, is known at run time only.
      const handler = handlers[request.op] as (r: Request, f: Follower) => Promise<Operations[Op]['result']>
      const result = await handler(request, follower)
      this.#context.record(request)
      this.#write({ id: request.id, ok: true, result })
      answered = true
      if (follows) follower.begin()
    } catch (cause) {
      const error = this.#errorOf(request, cause)
      this.#context.record(request, error)
      this.#write({ id: request.id, ok: false, error })
    }
    if (follows && answered) this.#following++
    else this.#followers.delete(follower)
  }

  #admitFollower(): void {
    if (this.#context.followers() < this.#context.limits.followers) return
    throw new HermesError('REFUSED', `${this.#context.limits.followers} clients follow the supervisor already`, {
      next: 'end one of them, or read the log files',
    })
  }

  #errorOf(request: Request, error: unknown): ControlError {
    if (error instanceof HermesError) {
      const { code, detail, message, next } = error
      return { code, ...(detail && { detail }), message, ...(next !== undefined && { next }) }
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#context.warn(`a bug: the request "${request.op}" failed: ${stack}`)
    return {
      code: 'FAILED',
      detail: 'INTERNAL',
      message: `the supervisor failed at "${request.op}": ${error instanceof Error ? error.message : String(error)}`,
      next: 'its log has the details: hermes logs supervisor',
    }
  }

  #write(message: Reply | Event): void {
    if (this.#closed || this.#socket.writableEnded) return
    this.#unreadSinceMs ??= this.#context.clock.nowMs()
    this.#socket.write(`${JSON.stringify(message)}\n`, () => {
      // The kernel took one more: this reader moves.
      this.#unreadSinceMs = this.#socket.writableLength > 0 ? this.#context.clock.nowMs() : undefined
    })
  }

  #setUnfinished(bytes: number, begunAnew = true): void {
    const added = bytes - this.#unfinishedBytes
    this.#unfinishedBytes = bytes
    if (bytes === 0) this.#unfinishedSinceMs = undefined
    else if (begunAnew || this.#unfinishedSinceMs === undefined) this.#unfinishedSinceMs = this.#context.clock.nowMs()
    if (added !== 0) this.#context.unfinished(added)
  }

  /**
   * The client has closed its half, or is gone: reading ends the same way in both cases. Requests under way are
   * answered; following ends here, or a dead follower would keep its place until the next event.
   */
  #endIfDone(): void {
    if (this.#ended && this.#underWay === 0 && this.#queue.length === 0) this.#socket.end()
  }

  #close(): void {
    this.#closed = true
    this.#queue = []
    this.#setUnfinished(0)
    for (const follower of this.#followers) follower.close()
    this.#followers.clear()
  }
}
