import { encodeMessage, type KeptName, MAX_LINE_BYTES, type ToInit } from '../../protocol/init.ts'

/**
 * Hands the supervisor's state to init, which stores it for the next supervisor of this container's life, out of reach
 * of the slots' processes.
 */
export class StateStore {
  readonly #send: (message: ToInit) => void
  readonly #warn: (text: string) => void

  constructor(send: (message: ToInit) => void, warn: (text: string) => void) {
    this.#send = send
    this.#warn = warn
  }

  /** init writes it before it acts on any message that is sent after this one. */
  keep(name: KeptName, text: string): void {
    const message: ToInit = { type: 'keep', name, text }
    // init ends the connection at a line that is too long. JSON makes at most six characters of one.
    const bytes = text.length < MAX_LINE_BYTES / 7 ? 0 : Buffer.byteLength(encodeMessage(message))
    if (bytes > MAX_LINE_BYTES)
      this.#warn(
        `the state ${name} takes ${bytes} bytes, at most ${MAX_LINE_BYTES} can be stored; the next supervisor will not have it`,
      )
    else this.#send(message)
  }
}
