/** Longest event that is taken from an endpoint. */
export const MAX_EVENT_CHARS = 4 * 1024 * 1024

/**
 * Cuts a server-sent event stream into the `data` of its events (https://html.spec.whatwg.org/multipage/server-sent-events.html);
 * comments and other fields are dropped.
 */
export class EventSplitter {
  readonly #decoder = new TextDecoder()
  #held = ''
  #data: string[] = []
  #size = 0

  /** @throws RangeError when an event passes {@link MAX_EVENT_CHARS} */
  push(chunk: Uint8Array): readonly string[] {
    const events: string[] = []
    const lines = (this.#held + this.#decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/)
    this.#held = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0) events.push(this.#data.join('\n'))
        this.#data = []
        this.#size = 0
      } else if (line.startsWith('data:')) {
        this.#data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
        this.#size += line.length
      }
    }
    if (this.#size + this.#held.length > MAX_EVENT_CHARS) throw new RangeError('an event is too long')
    return events
  }
}
