import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'
import { holderOf, type MeterHolder } from '../../profile/environment/metered.ts'
import { HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import { idleConnections } from '../../system/net/idle-connections.ts'
import { meteredPath, meteredQuestion } from '../question.ts'
import { brokeOff, type Refusal, refusalBody, refused } from '../refusals.ts'
import { passAnswer } from './answer.ts'
import { Asking, type UpstreamAnswer } from './asking.ts'
import type { Counter, Ticket } from './counter.ts'
import type { Endpoints, ProfileEndpoint } from './endpoints.ts'
import type { PriceFile } from './price-file.ts'
import { wasSent } from './upstream.ts'

export interface MeterServerOptions {
  /** Where the slots' directories lie, with the records of tokens. */
  readonly scanDir: string
  readonly endpoints: Endpoints
  readonly counter: Counter
  readonly prices: PriceFile
  readonly log: (level: Level, text: string) => void
}

export interface MeterServer {
  readonly server: Server
  /** Takes no new request, and resolves when those that were forwarded are over. */
  drain(): Promise<void>
}

const MAX_BODY_BYTES = 64 * 1024 * 1024
/** Clients keep connections for their next request. */
const KEEP_ALIVE_MS = 60_000

export function meterServer(options: MeterServerOptions): MeterServer {
  const running = new Set<Promise<void>>()
  const asking = new Asking()
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    const work = handle({ ...options, asking }, request, response)
      .then(() => handedOver(response))
      .catch((error: unknown) => {
        options.log('error', `a request went wrong: ${(error as Error).stack}`)
        response.destroy()
      })
    running.add(work)
    void work.finally(() => running.delete(work))
  })
  const closeIdle = idleConnections(server)
  return {
    server,
    async drain() {
      // Not that of node:http, which cuts off answers that are on their way to a slow client.
      NetServer.prototype.close.call(server)
      closeIdle()
      while (running.size > 0) await Promise.all(running)
      server.closeAllConnections()
    },
  }
}

/** The kernel has all of an answer, or its client has gone. A slow client may not have taken its last part yet. */
async function handedOver(response: ServerResponse): Promise<void> {
  if (!response.writableEnded || response.writableFinished || response.destroyed) return
  await new Promise<void>((resolve) => response.once('close', resolve))
}

async function handle(
  options: MeterServerOptions & { readonly asking: Asking },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // An error of the client's connection is seen by those who write to it.
  response.on('error', () => undefined)
  const found = await find(options, request)
  if ('code' in found) return refuse(request, response, found)
  const body = await bodyOf(request)
  if (body === undefined) return // the client has gone
  if ('code' in body) return refuse(request, response, body)
  await forward(options, { ...found, body }, request, response)
}

interface Found {
  readonly holder: MeterHolder
  readonly endpoint: ProfileEndpoint
  /** Below `/v1/`, without the query. */
  readonly path: string
}

/** Finds out who asks, and where the request is to go. */
async function find({ scanDir, endpoints }: MeterServerOptions, request: IncomingMessage): Promise<Found | Refusal> {
  const target = meteredPath(request.url ?? '')
  if (target === undefined)
    return refused(404, 'not_found', 'there is nothing here; the address of a profile is /p/NAME/v1/…')
  const { profile, path } = target
  const [, token] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  const holder = token === undefined ? undefined : holderOf(scanDir, token)
  if (holder?.profile !== profile)
    return refused(
      401,
      'invalid_token',
      `this token is not one for profile "${profile}"; use OPENAI_API_KEY as the process was started with it`,
    )
  const endpoint = await endpoints.of(profile)
  return 'code' in endpoint ? endpoint : { holder, endpoint, path }
}

async function forward(
  { counter, prices, log, asking }: MeterServerOptions & { readonly asking: Asking },
  { holder, endpoint, path, body }: Found & { readonly body: Buffer },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { budget, key } = endpoint
  const method = request.method ?? 'GET'
  const isQuestion = method === 'POST'
  const question = meteredQuestion(path, body)
  const current = await prices.current()
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  let ticket: Ticket
  try {
    const admitted = await counter.admit(holder, budget, isQuestion ? question : undefined, current, gone.signal)
    if (admitted === undefined) return
    if ('code' in admitted) return refuse(request, response, admitted)
    ticket = admitted
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    log('error', `nothing is forwarded, because it could not be counted: ${error.message}`)
    return refuse(request, response, refused(503, 'cannot_count', `the request cannot be counted: ${error.message}`))
  }
  const query = /\?[^#]*/.exec(request.url ?? '')?.[0] ?? ''
  const { origin } = endpoint.baseUrl
  let answer: UpstreamAnswer
  try {
    answer = await asking.ask(endpoint, { method, path: path + query, headers: request.headers, body, question })
  } catch (error) {
    if (wasSent(error)) ticket.finish(isQuestion)
    else ticket.drop()
    const message = `cannot reach ${origin}: ${reasonOf(error as Error)}`
    return refuse(request, response, refused(502, 'upstream_unreachable', message))
  }
  try {
    const { incoming, addsUsage, error } = answer
    await passAnswer(incoming, response, { addsUsage, isQuestion, ticket, key, path, origin, error })
  } catch {
    ticket.finish(isQuestion)
    if (!response.headersSent) return refuse(request, response, brokeOff(origin))
    // The client has a part of a document, and sees it break as it would without us.
    response.destroy()
  }
}

const reasonOf = (error: Error): string =>
  error.message ||
  (error instanceof AggregateError ? error.errors.map((one: Error) => one.message).join(', ') : error.name)

/** @returns undefined when the client has gone in the middle of it */
async function bodyOf(request: IncomingMessage): Promise<Buffer | Refusal | undefined> {
  const tooLarge = refused(413, 'too_large', `the request is larger than ${MAX_BODY_BYTES} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > MAX_BODY_BYTES) return tooLarge
      chunks.push(chunk)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(chunks)
}

function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const { status, retryAfterS } = refusal
  // The rest of a body is read and dropped: a client that is still sending would not see the refusal of a reset
  // connection.
  request.resume()
  response.writeHead(status, {
    'content-type': 'application/json',
    // Libraries would otherwise ask again, twice, before their program hears of it.
    ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS), 'x-should-retry': 'false' }),
  })
  response.end(refusalBody(refusal))
}
