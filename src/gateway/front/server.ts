import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import type { HelperServer } from '../../control/helper-program.ts'
import { limitConnections } from '../../system/net/connection-limit.ts'
import { idleConnections } from '../../system/net/idle-connections.ts'
import { answerInvalidRequests } from '../api/http/invalid-requests.ts'
import { LIMITS, MAX_CONNECTIONS } from '../api/http/limits.ts'
import type { Refusal } from '../api/http/refusals.ts'
import { REQUEST_ID, requestIdOf } from '../api/http/request-id.ts'
import { forward } from './forward.ts'
import { internalError } from './refusals.ts'
import { findTarget } from './target.ts'

export interface FrontServerOptions {
  /** The volume. */
  readonly home: string
  /** A request that met a bug. */
  readonly failed: (error: unknown) => void
}

/** One port for the APIs of all profiles. Their gateways check the keys. */
export function frontServer(options: FrontServerOptions): HelperServer {
  const running = new Set<Promise<void>>()
  const admitted = new WeakSet<Socket>()
  const state = { isDraining: false }
  const server = createServer(LIMITS, (request, response) => {
    if (state.isDraining) response.shouldKeepAlive = false
    const work = handle(options, request, response).then(() => {
      // Only a gateway that has accepted its key answers a POST with success.
      if (request.method === 'POST' && response.statusCode < 400) admitted.add(request.socket)
    })
    running.add(work)
    void work.finally(() => running.delete(work))
  })
  answerInvalidRequests(server)
  limitConnections(server, MAX_CONNECTIONS, admitted)
  const closeIdle = idleConnections(server)
  return {
    server,
    async drain() {
      state.isDraining = true
      // Not that of node:http, which cuts off answers that are on their way to a slow client.
      NetServer.prototype.close.call(server)
      closeIdle()
      while (running.size > 0) await Promise.all(running)
      server.closeAllConnections()
    },
  }
}

async function handle(
  { home, failed }: FrontServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // An error of the client's connection ends the answer, which its "close" shows.
  response.on('error', () => undefined)
  const id = requestIdOf(request)
  const closed = new Promise<void>((resolve) => response.once('close', resolve))
  try {
    if (request.method === 'GET' && request.url === '/health') health(response, id)
    else {
      const target = findTarget(home, request.url ?? '')
      const refusal = 'error' in target ? target : await forward(target, request, response, id)
      if (refusal !== undefined) refuse(request, response, refusal, id)
    }
  } catch (error) {
    failed(error)
    if (response.headersSent) response.destroy()
    else refuse(request, response, internalError(), id)
  }
  await closed
}

/** For load balancers: the port is served, whatever the gateways do. */
function health(response: ServerResponse, id: string): void {
  response.writeHead(200, { 'content-type': 'application/json', [REQUEST_ID]: id })
  response.end('{"status":"ok"}\n')
}

function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal, id: string): void {
  const { status, error, headers } = refusal
  request.resume()
  response.writeHead(status, { 'content-type': 'application/json', ...headers, [REQUEST_ID]: id })
  response.end(`${JSON.stringify({ error })}\n`)
}
