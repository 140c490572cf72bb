import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener, RequestError } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import type { Clock } from '../../system/clock.ts'
import { networkOf } from '../../system/net/address.ts'
import { limitConnections } from '../../system/net/connection-limit.ts'
import { idleConnections } from '../../system/net/idle-connections.ts'
import { ThrottledWriter } from '../../system/throttled-writer.ts'
import { type AskFacts, ask, modelsOf } from './answers/ask.ts'
import { chatRequest } from './answers/completions.ts'
import { accessCheck } from './http/access.ts'
import { readJson } from './http/body.ts'
import { type ApiContext, logFields } from './http/context.ts'
import { corsHeaders, isListed, type Origins, preflightHeaders } from './http/cors.ts'
import { answerInvalidRequests } from './http/invalid-requests.ts'
import { LIMITS, MAX_CONNECTIONS } from './http/limits.ts'
import { badRequest, draining, notFound, type Refusal, refusalOf } from './http/refusals.ts'
import { REQUEST_ID, requestIdOf } from './http/request-id.ts'
import type { OpenRequestList } from './open-requests.ts'
import { responsesRequest } from './responses/responses.ts'

export interface ServerFacts extends Omit<AskFacts, 'bodies' | 'answers'> {
  readonly key: string | null
  readonly origins: Origins
  readonly version: string
  readonly requests: Pick<OpenRequestList, 'opened'>
  /** Puts a task on the board. Throws Refused. */
  createTask(body: Readonly<Record<string, unknown>>): Promise<{ readonly created: boolean; readonly task: object }>
}

export interface ApiServer {
  readonly server: Server
  /**
   * Refuses what comes from now on with 503, lets what is at work finish, then closes.
   * @param timeoutMs after so long what is left is given up
   */
  drain(timeoutMs: number): Promise<void>
  close(): void
}

/** Cancelled answers get their last event before the connections are closed. */
const FINAL_REPLY_MS = 300

/** A refusal for the log. */
interface LoggedRefusal {
  readonly fields: object
  readonly text: string
}

export function createApiServer(facts: ServerFacts): ApiServer {
  const state = { draining: false, active: 0, idle: (): void => undefined }
  const answers = new Set<AbortController>()
  // Any client can cause these: a line for each would flood the logs.
  const strangers = new ThrottledWriter<LoggedRefusal>(facts.clock, ({ fields, text }, more) =>
    facts.log.warn(fields, more === 0 ? text : `${text} (and ${more} more of this kind in the last minute)`),
  )
  const admitted = new WeakSet<Socket>()
  const app = routes({ ...facts, bodies: { heldBytes: 0 }, answers }, facts, strangers, admitted, () => state.draining)
  const listener = getRequestListener(app.fetch, {
    hostname: 'localhost',
    // It would reset the connection of a refused upload after half a second; Node itself throws the rest away.
    autoCleanupIncoming: false,
    errorHandler: (error) => refuse(strange(error, facts)),
  })
  const server = createServer(LIMITS, (incoming: IncomingMessage, outgoing: ServerResponse) => {
    // Before anything answers: node:http adds it to whatever head is written, also to that of an invalid request.
    outgoing.setHeader(REQUEST_ID, requestIdOf(incoming))
    state.active += 1
    const closed = facts.requests.opened()
    outgoing.once('close', () => {
      closed()
      state.active -= 1
      if (state.active === 0) state.idle()
    })
    // It answers its own errors.
    void listener(incoming, outgoing)
  })
  answerInvalidRequests(server)
  limitConnections(server, MAX_CONNECTIONS, admitted)
  const closeIdle = idleConnections(server)
  const allDone = (clock: Clock, timeoutMs: number): Promise<boolean> =>
    new Promise((resolve) => {
      if (state.active === 0) return resolve(true)
      const cancel = clock.at(clock.nowMs() + timeoutMs, () => resolve(false))
      state.idle = () => {
        cancel()
        resolve(true)
      }
    })
  const giveUp = (): void => {
    for (const answer of answers) answer.abort()
  }
  const close = (): void => {
    giveUp()
    strangers.flush()
    server.close()
    server.closeAllConnections()
  }
  return {
    server,
    close,
    async drain(timeoutMs) {
      state.draining = true
      closeIdle()
      if (!(await allDone(facts.clock, Math.max(0, timeoutMs - FINAL_REPLY_MS)))) {
        facts.log.warn({}, `${state.active} requests did not end in time and were cancelled`)
        giveUp()
        await allDone(facts.clock, FINAL_REPLY_MS)
      }
      close()
    },
  }
}

function routes(
  askFacts: AskFacts,
  facts: ServerFacts,
  strangers: ThrottledWriter<LoggedRefusal>,
  admitted: WeakSet<Socket>,
  isDraining: () => boolean,
): Hono<ApiContext> {
  const { agent, profile, version, clock, log } = facts
  const checkAccess = accessCheck(facts.key, facts.origins)
  const models = modelsOf(profile, agent).map((id) => ({
    id,
    object: 'model',
    created: Math.floor(clock.wallMs() / 1000),
    owned_by: 'hermes',
  }))
  const health = JSON.stringify({ status: 'ok', profile, agent: agent?.kind ?? 'not configured', version })
  const json = { 'content-type': 'application/json' }
  const app = new Hono<ApiContext>()
  app.onError((error, context) => {
    const refusal = refusalOf(error, facts.redact)
    const fields = logFields(context)
    const text = `${context.req.method} ${context.req.path} ${refusal.status}: ${refusal.error.message}`
    if (refusal.error.code === 'internal_error') log.error({ ...fields, err: error }, text)
    else if (context.var.admitted === true) log.warn(fields, text)
    else strangers.add(`${refusal.status} ${refusal.error.code} ${networkOf(addressOf(context))}`, { fields, text })
    return refuse(refusal)
  })
  app.use('*', async (context, next) => {
    const { headers, method } = context.env.incoming
    context.set('requestId', String(context.env.outgoing.getHeader(REQUEST_ID)))
    const asksFirst = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
    if (asksFirst && isListed(facts.origins, headers.origin)) context.res = preflight(headers)
    else await next()
    for (const [name, value] of Object.entries(corsHeaders(facts.origins, headers.origin)))
      context.res.headers.set(name, value)
  })
  // The second one for clients that know only the address of the API.
  for (const path of ['/health', '/v1/health'])
    app.get(path, () =>
      isDraining()
        ? new Response('{"status":"stopping"}', { status: 503, headers: { ...json, 'retry-after': '2' } })
        : new Response(health, { headers: json }),
    )
  app.use('/v1/*', async (context, next) => {
    checkAccess(context.env.incoming)
    context.set('admitted', true)
    admitted.add(context.env.incoming.socket)
    if (isDraining()) throw draining()
    const startedAtMs = clock.nowMs()
    await next()
    if (context.error !== undefined) return
    const took = `${Math.round(clock.nowMs() - startedAtMs)} ms`
    log.info(logFields(context), `${context.req.method} ${context.req.path} ${context.res.status} ${took}`)
  })
  app.get('/v1/models', () => Response.json({ object: 'list', data: models }))
  app.get('/v1/models/:id{.+}', (context) => {
    const model = models.find(({ id }) => id === context.req.param('id'))
    if (model === undefined)
      throw notFound(`there is no model ${JSON.stringify(context.req.param('id').slice(0, 100))}`)
    return Response.json(model)
  })
  app.post('/v1/chat/completions', (context) => ask(context, askFacts, chatRequest))
  app.post('/v1/responses', (context) => ask(context, askFacts, responsesRequest))
  app.post('/v1/tasks', async (context) => {
    const body = await readJson(context.env.incoming, askFacts.bodies)
    const { created, task } = await facts.createTask(body.value).finally(body.release)
    return Response.json(task, { status: created ? 201 : 200 })
  })
  // A route, not hono's notFound: what that throws passes by the headers that a page needs.
  app.all('*', (context) => {
    throw notFound(`there is no ${context.req.method} ${context.req.path.slice(0, 200)} here`)
  })
  return app
}

const addressOf = ({ env }: Context<ApiContext>): string => env.incoming.socket.remoteAddress ?? ''

const preflight = (headers: IncomingMessage['headers']): Response => {
  const wanted = headers['access-control-request-headers']
  const isPrivate = headers['access-control-request-private-network']
  return new Response(null, { status: 204, headers: preflightHeaders(String(wanted ?? ''), isPrivate === 'true') })
}

/** Errors outside the routes: an invalid Host or path, or a bug of the adapter. */
function strange(error: unknown, { redact, log }: ServerFacts): Refusal {
  if (error instanceof RequestError) return badRequest('invalid request address or Host header').refusal
  log.error({ err: error }, 'a request failed')
  return refusalOf(error, redact)
}

const refuse = ({ status, error, headers }: Refusal): Response =>
  new Response(JSON.stringify({ error }), { status, headers: { 'content-type': 'application/json', ...headers } })
