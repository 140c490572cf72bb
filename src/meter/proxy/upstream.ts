import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { request as requestTls } from 'node:https'
import { passesOn } from '../../system/net/hop-by-hop.ts'
import type { ProfileEndpoint } from './endpoints.ts'

export interface UpstreamRequest {
  readonly method: string
  /** Below the base URL, with the query. */
  readonly path: string
  /** As the client has sent them. */
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** An endpoint that sends nothing for so long has hung; an answer of a large model may take minutes to begin. */
const SILENCE_MS = 15 * 60_000

/** Headers of the client's own log-in, of encodings that could not be counted, and those that are written here. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'accept-encoding',
  'authorization',
  'content-length',
  'cookie',
  'expect',
  'host',
])

/** @returns the answer as soon as its head is there. @throws the error of the network; {@link wasSent} judges it */
export function sendUpstream(
  endpoint: ProfileEndpoint,
  sent: UpstreamRequest,
  mayRepeat = true,
): Promise<IncomingMessage> {
  const { baseUrl, key, agent } = endpoint
  const { method, path, headers, body } = sent
  const url = new URL(`${baseUrl.origin}${baseUrl.pathname}/${path}`)
  const options: RequestOptions = {
    method,
    agent,
    timeout: SILENCE_MS,
    headers: {
      ...forwarded(headers),
      'accept-encoding': 'identity',
      ...((body.length > 0 || method === 'POST') && { 'content-length': body.length }),
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
  }
  return new Promise((resolve, reject) => {
    const outgoing = (baseUrl.protocol === 'https:' ? requestTls : request)(url, options, resolve)
    outgoing.once('timeout', () => outgoing.destroy(new Error(`it sent nothing for ${SILENCE_MS / 60_000} minutes`)))
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      // The endpoint closed an idle connection while our request was on its way: nothing of it was answered.
      if (mayRepeat && outgoing.reusedSocket && error.code === 'ECONNRESET')
        sendUpstream(endpoint, sent, false).then(resolve, reject)
      else reject(error)
    })
    outgoing.end(body)
  })
}

const forwarded = (headers: IncomingHttpHeaders): IncomingHttpHeaders => {
  const passes = passesOn(headers, NOT_FORWARDED)
  return Object.fromEntries(Object.entries(headers).filter(([name]) => passes(name)))
}

/** Errors before a connection: the endpoint has not seen the request. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Whether the endpoint may have worked on the request, and so may bill it. */
export const wasSent = (error: unknown): boolean => {
  const codes = error instanceof AggregateError ? error.errors : [error]
  return !codes.every((one) => NOT_CONNECTED.has((one as NodeJS.ErrnoException).code ?? ''))
}
