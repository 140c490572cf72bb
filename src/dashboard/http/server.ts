import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { getRequestListener, RequestError } from '@hono/node-server'
import { limitConnections } from '../../system/net/connection-limit.ts'
import { badRequest, refusalOf } from '../gate/refusals.ts'
import { refuse } from './answers.ts'
import { type AppFacts, dashboardApp } from './app.ts'
import { wantsTerminal } from './upgrade.ts'

// Limits for one client. Streams are answers: limits on requests do not apply to them.
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16_384,
} as const
const MAX_CONNECTIONS = 1000

export function dashboardServer(app: AppFacts): Server {
  const hono = dashboardApp(app)
  const listener = getRequestListener((request, env) => hono.fetch(request, env), {
    hostname: 'localhost',
    // It would reset the connection of a refused upload after half a second; Node itself throws the rest away.
    autoCleanupIncoming: false,
    // Errors outside the routes: an invalid Host or path, or a bug of the adapter.
    errorHandler: (error) =>
      refuse(
        app,
        error instanceof RequestError
          ? badRequest('invalid request address or Host header')
          : refusalOf(error, app.bug),
      ),
  })
  // Listeners of 'upgrade' get only these requests.
  const shouldUpgradeCallback = (incoming: IncomingMessage): boolean => app.page.terminal && wantsTerminal(incoming)
  const server = createServer(
    { ...LIMITS, shouldUpgradeCallback },
    (incoming: IncomingMessage, outgoing: ServerResponse) => {
      // It answers its own errors.
      void listener(incoming, outgoing)
    },
  )
  limitConnections(server, MAX_CONNECTIONS, app.admitted)
  return server
}
