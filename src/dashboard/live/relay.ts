import { createParser } from 'eventsource-parser'
import type { Viewer } from './viewer.ts'

/**
 * Sends a viewer the events of another node's stream, until one of the two ends. Reads no faster than the viewer does:
 * the node there then leaves lines out, and tells how many.
 */
export async function relay(stream: ReadableStream<Uint8Array>, viewer: Viewer): Promise<void> {
  let drained = Promise.withResolvers<void>()
  viewer.onDrain(() => {
    drained.resolve()
    drained = Promise.withResolvers()
  })
  const closed = new Promise<void>((resolve) => viewer.onClose(resolve))
  const events: Buffer[] = []
  const parser = createParser({
    // As it came, without parsing its data.
    onEvent: ({ event, data }) => {
      events.push(Buffer.from(`event: ${event ?? 'message'}\ndata: ${data}\n\n`))
    },
  })
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  const end = closed.then(() => reader.cancel().catch(() => undefined)) // it may have failed already
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      parser.feed(decoder.decode(value, { stream: true }))
      for (const event of events.splice(0)) {
        const again = drained.promise
        if (!viewer.send(event)) {
          await Promise.race([again, closed])
          viewer.send(event)
        }
      }
    }
  } catch {
    // The other node went away, or the viewer did: the page asks again, and gets the reason.
  }
  viewer.close()
  await end
}
