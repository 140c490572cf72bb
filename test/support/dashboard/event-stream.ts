import { type IncomingHttpHeaders, request } from 'node:http'

export interface StreamedEvent {
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: what is asserted on is not known to be anything before
  readonly data: any
}

export interface EventReader extends Disposable {
  readonly headers: IncomingHttpHeaders
  readonly events: readonly StreamedEvent[]
  readonly ended: boolean
  /** Bytes of the text so far. */
  readonly bytes: number
  pause(): void
  resume(): void
}

/** Reads server-sent events as a browser does. Rejects for anything but 200. */
export function readEvents(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventReader> {
  const events: StreamedEvent[] = []
  const state = { ended: false, bytes: 0 }
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`${path} is ${response.statusCode}`))
        response.resume()
        return
      }
      let held = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        state.bytes += chunk.length
        held += chunk
        const frames = held.split('\n\n')
        held = frames.pop() ?? ''
        for (const text of frames) {
          const found = /^event: (\w+)\ndata: (.*)$/s.exec(text)
          if (found) events.push({ event: found[1] ?? '', data: JSON.parse(found[2] ?? 'null') })
        }
      })
      const end = (): void => {
        state.ended = true
      }
      response.on('end', end)
      response.on('error', end)
      resolve({
        headers: response.headers,
        events,
        get ended() {
          return state.ended
        },
        get bytes() {
          return state.bytes
        },
        pause: () => void response.pause(),
        resume: () => void response.resume(),
        [Symbol.dispose]: () => asked.destroy(),
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}
