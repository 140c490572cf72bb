/** Reads server-sent events out of text that comes in pieces (WHATWG HTML, "Interpreting an event stream"). */

export interface ServerEvent {
  readonly name: string
  readonly data: string
}

export class EventStreamReader {
  #rest = ''
  #name = ''
  #data: string[] = []

  /** @returns the events that are complete with this piece */
  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = []
    const lines = `${this.#rest}${text}`.split(/\r\n|\n/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line !== '') {
        this.#field(line)
        continue
      }
      if (this.#data.length > 0) events.push({ name: this.#name || 'message', data: this.#data.join('\n') })
      this.#name = ''
      this.#data = []
    }
    return events
  }

  #field(line: string): void {
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') this.#name = value
    if (name === 'data') this.#data.push(value)
  }
}
