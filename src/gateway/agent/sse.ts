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
  /** The beginning of a line whose end has not come. */
  #held: string[] = []
  #type = ''
  #data: string[] = []
  /** Characters since the last event, whatever lines they are in. */
  #size = 0

  /** @throws AgentError too-long when an event passes {@link MAX_EVENT_CHARS} */
  push(chunk: Uint8Array): readonly ServerEvent[] {
    const text = this.#decoder.decode(chunk, { stream: true })
    this.#held.push(text)
    this.#size += text.length
    if (this.#size > MAX_EVENT_CHARS)
      throw new AgentError('too-long', `the endpoint sent an event of more than ${MAX_EVENT_CHARS} characters`)
    return /[\r\n]/.test(text) ? this.#cut() : []
  }

  /** The stream has ended. @returns an event whose empty line has not come: some servers leave the last one out */
  end(): readonly ServerEvent[] {
    this.#held.push('\n\n')
    return this.#cut()
  }

  #cut(): readonly ServerEvent[] {
    const events: ServerEvent[] = []
    const lines = this.#held.join('').split(/\r\n|\n|\r(?!$)/)
    const last = lines.pop() ?? ''
    this.#held = [last]
    for (const line of lines) {
      if (line.startsWith('data:')) this.#data.push(fieldValue(line))
      else if (line.startsWith('event:')) this.#type = fieldValue(line)
      if (line !== '') continue
      const data = this.#data.join('\n')
      if (data.trim() !== '') events.push({ type: this.#type, data })
      this.#data = []
      this.#type = ''
    }
    const end = lines.lastIndexOf('')
    if (end !== -1) this.#size = lines.slice(end + 1).reduce((sum, { length }) => sum + length, last.length)
    return events
  }
}

function fieldValue(line: string): string {
  const value = line.slice(line.indexOf(':') + 1)
  return value.startsWith(' ') ? value.slice(1) : value
}
