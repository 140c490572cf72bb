import { createParser } from 'eventsource-parser'
import { AgentError } from './agent.ts'

/** Longest event that is taken from an endpoint. */
export const MAX_EVENT_CHARS = 4 * 1024 * 1024

export interface ServerEvent {
  /** Empty: a message, as most are. */
  readonly type: string
  readonly data: string
}

/**
 * Cuts a server-sent event stream into its events (https://html.spec.whatwg.org/multipage/server-sent-events.html); comments, other
 * fields and events without data are dropped.
 */
export class EventSplitter {
  readonly #decoder = new TextDecoder()
  readonly #events: ServerEvent[] = []
  /** Characters since the last event or comment, whatever lines they are in. */
  #size = 0
  readonly #parser = createParser({
    onEvent: ({ event = '', data }) => {
      this.#size = 0
      if (data.trim() !== '') this.#events.push({ type: event, data })
    },
    onComment: () => {
      this.#size = 0
    },
  })

  /** @throws AgentError too-long when an event passes {@link MAX_EVENT_CHARS} */
  push(chunk: Uint8Array): readonly ServerEvent[] {
    const text = this.#decoder.decode(chunk, { stream: true })
    this.#size += text.length
    if (this.#size > MAX_EVENT_CHARS)
      throw new AgentError('too-long', `the endpoint sent an event of more than ${MAX_EVENT_CHARS} characters`)
    return this.#feed(text)
  }

  /** Ends the stream. @returns an event whose final empty line is missing: some servers omit it */
  end(): readonly ServerEvent[] {
    return this.#feed('\n\n')
  }

  #feed(text: string): readonly ServerEvent[] {
    this.#parser.feed(text)
    return this.#events.splice(0)
  }
}
