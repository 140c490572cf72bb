import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, request as send } from 'node:http'
import { hasCode } from '../../system/error-code.ts'
import { addressText } from '../../system/net/address.ts'
import { passesOn } from '../../system/net/hop-by-hop.ts'
import type { Refusal } from '../api/http/refusals.ts'
import { REQUEST_ID } from '../api/http/request-id.ts'
import { brokeOff, notRunning } from './refusals.ts'
import type { Target } from './target.ts'

/** Written here: the gateway has another address, and `expect` was answered. */
const OF_REQUEST: ReadonlySet<string> = new Set(['expect', 'host'])

/**
 * Sends a request to a gateway and its answer back, each as it comes: nothing is held, and the slower side sets the
 * pace. A client that goes away takes its request with it. An answer that breaks off breaks off for the client, too.
 * @returns why there is no answer; undefined: one has begun, or the client has gone
 */
export function forward(
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
): Promise<Refusal | undefined> {
  const { host, port, path, profile } = target
  return new Promise((resolve) => {
    // A connection for each request: a kept one may close while a request is on its way, and what has a body cannot be
    // sent again. Not announced as one that closes, because the gateway would then reset it under a body that it
    // refuses.
    const headers = { ...forwarded(request), host: addressText(target), connection: 'keep-alive', [REQUEST_ID]: id }
    const outgoing = send({ host, port, path, method: request.method, agent: false, headers })
    response.once('close', () => outgoing.destroy())
    outgoing.once('response', (incoming) => {
      response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, answered(incoming))
      // An event stream begins before its first event.
      response.flushHeaders()
      incoming.once('error', () => response.destroy())
      incoming.pipe(response)
      resolve(undefined)
    })
    outgoing.on('error', (error) => {
      // Also a gateway that has answered and takes no more of a body: the answer counts.
      if (response.headersSent || response.destroyed) resolve(undefined)
      else resolve(hasCode(error, 'ECONNREFUSED') ? notRunning(profile) : brokeOff(profile))
    })
    outgoing.once('close', () => {
      request.unpipe(outgoing)
      // A client that is still sending would not see an answer on a reset connection.
      request.resume()
      if (!response.headersSent) resolve(response.destroyed ? undefined : brokeOff(profile))
    })
    // The gateway may refuse an upload before its first byte.
    outgoing.flushHeaders()
    request.pipe(outgoing)
  })
}

/** The length of a body stays what it was: two opinions about it would make two requests of one. */
function forwarded({ headers, method }: IncomingMessage): OutgoingHttpHeaders {
  const passes = passesOn(headers, OF_REQUEST)
  const passed = Object.entries(headers).filter(([name]) => passes(name))
  const isChunked = headers['transfer-encoding'] !== undefined
  const isEmpty = !isChunked && headers['content-length'] === undefined && method !== 'GET' && method !== 'HEAD'
  return {
    ...Object.fromEntries(passed),
    ...(isChunked && { 'transfer-encoding': 'chunked' }),
    ...(isEmpty && { 'content-length': '0' }),
  }
}

/** Names and values in turn, as they came: a header may come twice. */
function answered({ rawHeaders, headers }: IncomingMessage): string[] {
  const passes = passesOn(headers)
  return rawHeaders.filter((_, at) => passes((rawHeaders[at - (at % 2)] ?? '').toLowerCase()))
}
