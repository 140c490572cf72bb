/** Cuts a server-sent event stream into its events without changing a byte of them. Pure. */

/** Longest event that is looked at; a longer one passes unread. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024
const LF = 0x0a
const CR = 0x0d

export class EventCutter {
  #rest: Buffer = Buffer.alloc(0)

  /** @returns the whole events, each with the empty line that ends it */
  push(chunk: Buffer): readonly Buffer[] {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const events: Buffer[] = []
    // The bytes that were searched before end at most three bytes before a boundary that the new bytes complete.
    let from = Math.max(0, this.#rest.length - 3)
    for (;;) {
      const end = endOfEvent(bytes, from)
      if (end === undefined) break
      events.push(bytes.subarray(0, end))
      bytes = bytes.subarray(end)
      from = 0
    }
    if (bytes.length > MAX_EVENT_BYTES) {
      events.push(bytes)
      bytes = Buffer.alloc(0)
    }
    this.#rest = bytes
    return events
  }

  /** The rest, which has no empty line at its end. */
  end(): Buffer {
    const rest = this.#rest
    this.#rest = Buffer.alloc(0)
    return rest
  }
}

/** Index behind the first empty line: `\n\n`, `\r\n\r\n` or `\n\r\n`. */
function endOfEvent(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3
  }
  return undefined
}

/** The JSON of an event; undefined for `[DONE]`, comments and anything else. */
export function jsonOf(event: Buffer): unknown {
  const data = event
    .toString('utf8')
    .split(/\r?\n/)
    .flatMap((line) => (line.startsWith('data:') ? [line.slice('data:'.length).trimStart()] : []))
    .join('\n')
  if (!data.startsWith('{')) return undefined
  try {
    return JSON.parse(data) as unknown
  } catch {
    return undefined
  }
}

/** The event that ends a stream of chat. The same text inside an answer ends nothing. */
export const isDone = (event: Buffer): boolean =>
  event.includes('[DONE]') && /^data: ?\[DONE\]\r?$/m.test(event.toString('utf8'))

/** Whether it is worth reading: most events of a stream have no usage. */
export const mayHaveUsage = (event: Buffer): boolean => event.includes('"usage"')

/** The event that exists only to say what was used: it has no choices. */
export const isOnlyUsage = (value: unknown): boolean => {
  const choices = (value as { choices?: unknown } | null)?.choices
  return Array.isArray(choices) && choices.length === 0
}
