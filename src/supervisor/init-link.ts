import { Socket } from 'node:net'
import {
  encodeMessage,
  INIT_PROTOCOL_VERSION,
  MAX_LINE_BYTES,
  parseToSupervisor,
  type ToInit,
  type ToSupervisor,
} from '../protocol/init.ts'
import { LineSplitter } from '../protocol/lines.ts'
import type { MachineClock } from '../system/clock.ts'

export interface InitListener {
  readonly receive: (message: ToSupervisor) => void
  /** Our clock goes by init's. */
  readonly adopt: MachineClock['adopt']
  /** init is gone, or the connection to it, which means the same. */
  readonly ended: () => void
}

/** The line to init. Pings are answered here; what has been received is acknowledged once it has been dealt with. */
export class InitLink {
  readonly #socket: Socket
  readonly #warn: (text: string) => void
  readonly #splitter = new LineSplitter(MAX_LINE_BYTES)
  #listener: InitListener | undefined
  #ended = false

  /**
   * Sends `hello`.
   * @param fd the inherited socket. It is read once there is a listener.
   */
  constructor(fd: number, warn: (text: string) => void) {
    this.#warn = warn
    this.#socket = new Socket({ fd, readable: true, writable: true })
    this.send({ type: 'hello', v: INIT_PROTOCOL_VERSION })
  }

  /** Passes on what init sends, beginning with its answer to `hello`. */
  listen(listener: InitListener): void {
    this.#listener = listener
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk, listener))
    this.#socket.on('error', () => this.#end()) // ECONNRESET, EPIPE: as good as an end
    this.#socket.on('close', () => this.#end())
  }

  readonly send = (message: ToInit): void => {
    if (!this.#ended) this.#socket.write(encodeMessage(message))
  }

  close(): void {
    this.#ended = true
    this.#socket.destroy()
  }

  #take(chunk: Buffer, { adopt, receive }: InitListener): void {
    const { lines, tooLong } = this.#splitter.push(chunk)
    let dealtWith: number | undefined
    for (const line of lines) {
      const message = this.#parse(line)
      if (message === undefined) continue
      if ('frozen' in message) adopt(message.frozen)
      if (message.type === 'ping') this.send({ type: 'pong', n: message.n })
      else receive(message)
      // One acknowledgement for a chunk: what it covers has been written to the slots' files by then.
      if ('seq' in message) dealtWith = message.seq
    }
    if (dealtWith !== undefined) this.send({ type: 'ack', seq: dealtWith })
    if (tooLong) {
      this.#warn(`init sent a line of more than ${MAX_LINE_BYTES} bytes; the line to it is given up`)
      this.#end()
    }
  }

  #parse(line: string): ToSupervisor | undefined {
    try {
      return parseToSupervisor(line)
    } catch (error) {
      this.#warn(`init sent what is not a message (${(error as Error).message}): ${line.slice(0, 80)}`)
      return undefined
    }
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.destroy()
    this.#listener?.ended()
  }
}
