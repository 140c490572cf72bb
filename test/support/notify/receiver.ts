/** A real web server that keeps what was posted to it. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly atMs: number
}

export interface Receiver extends AsyncDisposable {
  readonly url: string
  /** In the order in which they came. */
  readonly requests: readonly Received[]
}

/** @param answer default: 200 @param count of the requests so far, with this one */
export async function startReceiver(
  answer: (response: ServerResponse, count: number) => void = (response) => void response.end(),
): Promise<Receiver> {
  const requests: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      requests.push({ path: request.url ?? '', headers: request.headers, body, atMs: Date.now() })
      answer(response, requests.length)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}
