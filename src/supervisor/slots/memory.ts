import { encodeMessage, type KeptName, MAX_LINE_BYTES, type ToInit } from '../../protocol/init.ts'

/**
 * Keeps everything for the next supervisor of this container's life: with init, out of reach of the slots' processes.
 */
export class Memory {
  readonly #send: (message: ToInit) => void
  readonly #warn: (text: string) => void

  constructor(send: (message: ToInit) => void, warn: (text: string) => void) {
    this.#send = send
    this.#warn = warn
  }

  /** init writes it down before it does anything that is sent after this. */
  keep(name: KeptName, text: string): void {
    const message: ToInit = { type: 'keep', name, text }
    // A line that is too long would cost us the line to init. JSON makes at most six characters of one.
    const bytes = text.length < MAX_LINE_BYTES / 7 ? 0 : Buffer.byteLength(encodeMessage(message))
    if (bytes > MAX_LINE_BYTES)
      this.#warn(
        `${name} takes ${bytes} bytes to remember, at most ${MAX_LINE_BYTES}; the next supervisor will not know it`,
      )
    else this.#send(message)
  }
}
