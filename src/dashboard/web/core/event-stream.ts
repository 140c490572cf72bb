import { createParser } from 'eventsource-parser'

export interface ServerEvent {
  readonly name: string
  readonly data: string
}

/**
 * Reads server-sent events out of text that comes in pieces. @returns takes a piece, gives the events that are complete
 * with it
 */
export function eventReader(): (text: string) => readonly ServerEvent[] {
  const heard: ServerEvent[] = []
  const parser = createParser({ onEvent: ({ event = 'message', data }) => heard.push({ name: event, data }) })
  return (text) => {
    parser.feed(text)
    return heard.splice(0)
  }
}
