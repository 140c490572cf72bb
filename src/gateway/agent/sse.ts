import { AgentError } from './agent.ts'

/** Longest event that is taken from an endpoint. */
export const MAX_EVENT_CHARS = 4 * 1024 * 1024

/** What may end an event: an empty line, with any of the three line ends. */
const BLANK_LINES = ['\n\n', '\n\r\n', '\r\r']
const NOTHING = Buffer.alloc(0)

/** Cuts a server-sent event stream, as bytes, into runs of whole events. */
export class EventRuns {
  #unfinished: Buffer[] = []

  /** @returns everything up to the end of the last event that is complete; it may be nothing */
  push(chunk: Buffer): Buffer {
    this.#unfinished.push(chunk)
    // Without the end of a line no event ends, and joining would copy a long one again with each chunk.
    if (!chunk.includes('\n') && !chunk.includes('\r')) return NOTHING
    const bytes = this.rest()
    const end = Math.max(0, ...BLANK_LINES.map((blank) => endOfLast(bytes, blank)))
    this.#unfinished = [bytes.subarray(end)]
    return bytes.subarray(0, end)
  }

  /** What follows the last whole event. */
  rest(): Buffer {
    return Buffer.concat(this.#unfinished)
  }
}

function endOfLast(bytes: Buffer, blank: string): number {
  const at = bytes.lastIndexOf(blank)
  return at === -1 ? 0 : at + blank.length
}

/**
 * Cuts a server-sent event stream into the `data` of its events (https://html.spec.whatwg.org/multipage/server-sent-events.html);
 * comments and other fields are dropped.
 */
export class EventSplitter {
  readonly #decoder = new TextDecoder()
  /** The beginning of a line whose end has not come. */
  #held: string[] = []
  #data: string[] = []
  /** Characters since the last event, whatever lines they are in. */
  #size = 0

  /** @throws AgentError too-long when an event passes {@link MAX_EVENT_CHARS} */
  push(chunk: Uint8Array): readonly string[] {
    const text = this.#decoder.decode(chunk, { stream: true })
    this.#held.push(text)
    this.#size += text.length
    if (this.#size > MAX_EVENT_CHARS)
      throw new AgentError('too-long', `the endpoint sent an event of more than ${MAX_EVENT_CHARS} characters`)
    return /[\r\n]/.test(text) ? this.#cut() : []
  }

  #cut(): readonly string[] {
    const events: string[] = []
    const lines = this.#held.join('').split(/\r\n|\n|\r(?!$)/)
    const last = lines.pop() ?? ''
    this.#held = [last]
    for (const line of lines) {
      if (line.startsWith('data:')) this.#data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
      if (line !== '') continue
      if (this.#data.length > 0) events.push(this.#data.join('\n'))
      this.#data = []
    }
    const end = lines.lastIndexOf('')
    if (end !== -1) this.#size = lines.slice(end + 1).reduce((sum, { length }) => sum + length, last.length)
    return events
  }
}
