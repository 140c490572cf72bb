// A real HTTP server that speaks OpenAI's shapes, and fails in every way that one does.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The server's behaviour for one request. */
export type Behaviour =
  | { readonly do: 'answer'; readonly pieces: readonly string[]; readonly whole?: boolean }
  /** Answers like a server that is older than `stream_options`: it refuses a request with it. */
  | { readonly do: 'know-no-stream-options'; readonly pieces: readonly string[] }
  /** An error status with OpenAI's envelope. */
  | {
      readonly do: 'refuse'
      readonly status: number
      readonly error: Readonly<Record<string, unknown>>
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Any status and body. */
  | { readonly do: 'say'; readonly status: number; readonly type: string; readonly body: string }
  /**
   * A stream of these events, or texts as they are; `held`: the second and each later one only after `release`;
   * `torn`: the socket is closed in the middle of the next one.
   */
  | {
      readonly do: 'stream'
      readonly events: readonly (string | object)[]
      readonly held?: boolean
      readonly torn?: boolean
    }
  /** Begins the answer and closes the socket after so many pieces; `torn`: in the middle of the next one. */
  | { readonly do: 'hang-up'; readonly pieces: readonly string[]; readonly torn?: boolean }
  /** Ends the stream properly, but without a finish reason or [DONE]. */
  | { readonly do: 'end-early'; readonly pieces: readonly string[] }
  /** An error inside the stream. */
  | { readonly do: 'fail-inside'; readonly pieces: readonly string[]; readonly message: string }
  /** Accepts the request and answers only after `release`, which may never come. */
  | { readonly do: 'wait'; readonly pieces: readonly string[]; readonly begin?: boolean }
  /** Streams pieces for as long as it has a reader. */
  | { readonly do: 'flood' }
  /** One event without end. */
  | { readonly do: 'endless-event' }
  /** Closes the socket without an answer. */
  | { readonly do: 'drop' }

export interface Received {
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Readonly<Record<string, unknown>> & { readonly messages: readonly Record<string, unknown>[] }
  /** The client closed the connection before the answer was complete. */
  gaveUp: boolean
  /** Bytes of the answer that the sockets took. */
  sent: number
}

export interface Upstream extends AsyncDisposable {
  /** As config.yaml wants it, ending in /v1. */
  readonly baseUrl: string
  readonly requests: readonly Received[]
  /** For all requests from now on. */
  behave(behaviour: Behaviour): void
  /** Lets every waiting answer go on. */
  release(): void
}

export async function startUpstream(
  first: Behaviour = { do: 'answer', pieces: ['Hello', ', ', 'world'] },
): Promise<Upstream> {
  let behaviour = first
  const requests: Received[] = []
  let held = Promise.withResolvers<void>()
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const received: Received = {
        url: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}'),
        gaveUp: false,
        sent: 0,
      }
      requests.push(received)
      response.on('close', () => {
        received.gaveUp = !response.writableFinished
      })
      void perform(behaviour, received, response, () => held.promise)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    behave: (next) => {
      behaviour = next
    },
    release: () => {
      held.resolve()
      held = Promise.withResolvers<void>()
    },
    async [Symbol.asyncDispose]() {
      held.resolve()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function perform(
  behaviour: Behaviour,
  received: Received,
  response: ServerResponse,
  released: () => Promise<void>,
): Promise<void> {
  const { body } = received
  const streams = body.stream === true
  if (behaviour.do === 'know-no-stream-options' && body.stream_options !== undefined) {
    response.writeHead(400, { 'content-type': 'application/json' })
    const message = 'Unrecognized request argument supplied: stream_options'
    return void response.end(JSON.stringify({ error: { message, type: 'invalid_request_error' } }))
  }
  if (behaviour.do === 'drop') return void response.socket?.destroy()
  if (behaviour.do === 'say')
    return void response.writeHead(behaviour.status, { 'content-type': behaviour.type }).end(behaviour.body)
  if (behaviour.do === 'stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const [first = '', ...more] = behaviour.events.map((one) => (typeof one === 'string' ? one : event(one)))
    if (behaviour.torn === true) {
      response.write(`${[first, ...more].join('')}data: {"choi`)
      return void setImmediate(() => response.socket?.destroy())
    }
    if (behaviour.held !== true) return void response.end([first, ...more].join(''))
    response.write(first)
    for (const text of more) {
      await released()
      response.write(text)
    }
    return void response.end()
  }
  if (behaviour.do === 'refuse') {
    response.writeHead(behaviour.status, { 'content-type': 'application/json', ...behaviour.headers })
    return void response.end(JSON.stringify({ error: behaviour.error }))
  }
  if (behaviour.do === 'wait') {
    if (behaviour.begin === true && streams) begin(response, body)
    await released()
  }
  const pieces = 'pieces' in behaviour ? behaviour.pieces : []
  if (!streams || (behaviour.do === 'answer' && behaviour.whole === true)) {
    if (behaviour.do === 'hang-up') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
      response.write('{"id":"half')
      return void setImmediate(() => response.socket?.destroy())
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    return void response.end(JSON.stringify(completion(body, pieces.join(''))))
  }
  if (!response.headersSent) begin(response, body)
  for (const piece of pieces) response.write(event(chunk(body, { content: piece })))
  if (behaviour.do === 'flood') return flood(received, response, event(chunk(body, { content: LONG })))
  if (behaviour.do === 'endless-event') return flood(received, response, LONG)
  if (behaviour.do === 'hang-up') {
    if (behaviour.torn === true) response.write('data: {"id":"chatcmpl-up1","choices":[{"delta":{"con')
    return void setImmediate(() => response.socket?.destroy())
  }
  if (behaviour.do === 'fail-inside')
    response.write(event({ error: { message: behaviour.message, type: 'server_error' } }))
  else if (behaviour.do !== 'end-early') {
    response.write(event(chunk(body, {}, 'stop')))
    // As OpenAI does it: in an event of its own, for those who ask.
    if ((body.stream_options as { include_usage?: unknown } | undefined)?.include_usage === true)
      response.write(event({ ...(chunk(body, {}) as object), choices: [], usage: USAGE }))
    response.write('data: [DONE]\n\n')
  }
  response.end()
}

function begin(response: ServerResponse, body: Received['body']): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(event(chunk(body, { role: 'assistant', content: '' })))
}

function flood(received: Received, response: ServerResponse, piece: string): void {
  const more = (): void => {
    while (!response.destroyed) {
      received.sent += piece.length
      if (!response.write(piece)) return void response.once('drain', more)
    }
  }
  more()
}

const LONG = '0123456789'.repeat(800)

const event = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

const chunk = (body: Received['body'], delta: unknown, finish: string | null = null): unknown => ({
  id: 'chatcmpl-up1',
  object: 'chat.completion.chunk',
  created: 1_795_000_000,
  model: body.model,
  choices: [{ index: 0, delta, finish_reason: finish }],
})

const completion = (body: Received['body'], content: string): unknown => ({
  id: 'chatcmpl-up1',
  object: 'chat.completion',
  created: 1_795_000_000,
  model: body.model,
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage: USAGE,
})

const USAGE = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
