import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { gatewayStateOf } from '../profile/state.ts'
import type { StatusResult } from '../protocol/control.ts'
import { type Gate, hostName, isLoopback } from './gate.ts'

export interface DashboardServerOptions {
  readonly gate: Exclude<Gate, { kind: 'refused' }>
  /** What the supervisor says; undefined: none answers. */
  readonly status: () => Promise<StatusResult | undefined>
  readonly version: string
}

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}
const REQUEST_MS = 10_000

/**
 * A plain status page and `/api/status`. With a log-in required only `/api/status` is answered, without anything sensitive in it:
 * everything else is refused, not shown.
 */
export function dashboardServer(options: DashboardServerOptions): Server {
  const server = createServer((request, response) => {
    answer(options, request, response).catch(() => send(response, 500, { error: 'internal' }))
  })
  server.headersTimeout = REQUEST_MS
  server.requestTimeout = REQUEST_MS
  server.maxConnections = 200
  return server
}

async function answer(
  options: DashboardServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { gate } = options
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, { error: 'method_not_allowed' })
  if (gate.kind === 'loopback' && !isLoopback(hostName(request.headers.host)))
    return send(response, 421, { error: 'misdirected', detail: 'the Host header must be a loopback name' })
  // The raw path, exactly: a path that only means the same after decoding is another one.
  const path = (request.url ?? '').split('?')[0]
  if (path === '/api/status') return send(response, 200, publicStatus(options, await options.status()))
  if (gate.kind === 'login') {
    if (path?.startsWith('/api/')) {
      return send(response, 401, {
        error: 'unauthenticated',
        detail: 'Unauthorized',
        reason: 'no_cookie',
        login_url: '/login',
      })
    }
    return text(
      response,
      401,
      'This version has no log-in page yet. /api/status is open; hermes status shows the rest.\n',
    )
  }
  if (path === '/') return page(response, options, await options.status())
  return send(response, 404, { error: 'not_found' })
}

/** Safe for an uptime probe, for anyone with curl. */
function publicStatus({ gate, version }: DashboardServerOptions, status: StatusResult | undefined): object {
  const gateways = (status?.slots ?? []).filter(({ profile }) => profile !== undefined)
  const main = gateways.find(({ profile }) => profile === 'default')
  return {
    version,
    auth_required: gate.kind === 'login',
    auth_providers: gate.kind === 'login' ? gate.providers : [],
    gateway_running: main?.state === 'up',
    ...(main && { gateway_state: gatewayStateOf[main.state], gateway_updated_at: main.since }),
    profiles: {
      total: gateways.length,
      running: gateways.filter(({ state }) => state === 'up').length,
      parked: gateways.filter(({ state }) => state === 'parked').length,
    },
  }
}

function page(response: ServerResponse, { gate }: DashboardServerOptions, status: StatusResult | undefined): void {
  const rows = (status?.slots ?? []).map(
    ({ slot, state, pid, restarts, reason }) =>
      `<tr><td>${escaped(slot)}<td>${state}<td>${pid ?? ''}<td>${restarts}<td>${escaped(reason ?? '')}`,
  )
  const banner = gate.kind === 'insecure' ? '<p><strong>Open to anyone: HERMES_DASHBOARD_INSECURE is set.</strong>' : ''
  const body =
    status === undefined
      ? '<p>The supervisor does not answer.'
      : `<table><tr><th>slot<th>state<th>pid<th>restarts<th>reason${rows.join('')}</table>`
  response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/html; charset=utf-8' })
  response.end(
    `<!doctype html><html lang="en"><title>hermes</title><style>body{font:1rem sans-serif;margin:2rem}td,th{text-align:left;padding:.2rem 1rem .2rem 0}</style><h1>hermes</h1>${banner}${body}`,
  )
}

const escaped = (value: string): string => value.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`)

function send(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { ...HEADERS, 'Content-Type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}

function text(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8' })
  response.end(body)
}
