import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import type { Change } from '../../access/audit-entry.ts'
import { NOTHING, type Rights, sees } from '../../access/scope.ts'
import { sameText } from '../../system/text/same-text.ts'
import { expectationText } from '../contract/expectation.ts'
import type { AnyAnswer, Call, Handlers, SignedIn } from '../contract/handler.ts'
import type { HistoryOfProfile } from '../contract/history.ts'
import { ROUTES, type Route } from '../contract/routes.ts'
import {
  bearer,
  type Caller,
  checkChange,
  checkEntry,
  checkHost,
  checkNode,
  checkStream,
  type GuardRules,
  givenApiToken,
  givenToken,
  isForNodes,
  MCP_PATH,
} from '../gate/guard.ts'
import { type SecurityHeaders, STREAM_HEADERS } from '../gate/headers.ts'
import { isPublic, loginList } from '../gate/public-paths.ts'
import { badRequest, notAllowed, notFound, RefusedRequest, refusalOf, withCookies } from '../gate/refusals.ts'
import { METRICS_PATH, type Outside, type RequestFacts, rawPath, requestFacts } from '../gate/request-facts.ts'
import { checkProfile, checkScope, hidingOthers } from '../gate/rights.ts'
import { answerMcp, checkMcpCaller } from '../mcp/mcp.ts'
import { isReader, refuse, refuseReader, respond } from './answers.ts'
import { MAX_BODY_BYTES, MAX_STRANGER_BYTES, readJson } from './body.ts'
import { methodsOf } from './matcher.ts'
import { isPage, pageText, profileOfPage, staticFile } from './page.ts'
import { recording } from './recorded.ts'

/** Owner of the session cookies. `cookies`: to send back with any answer. */
export type Recognized =
  | {
      readonly kind: 'anonymous'
      readonly reason: 'no_cookie' | 'invalid_or_expired_session'
      readonly cookies: readonly string[]
    }
  | {
      readonly kind: 'user'
      readonly token: string
      readonly viewer: SignedIn
      readonly rights: Rights
      readonly cookies: readonly string[]
    }

/** The holder of a valid API token. */
export interface TokenOwner {
  readonly viewer: SignedIn
  readonly rights: Rights
}

export interface AppFacts {
  readonly rules: GuardRules
  readonly outside: Outside
  readonly headers: SecurityHeaders
  readonly handlers: Handlers
  /** Token of this start's page; undefined where a log-in is needed. */
  readonly pageToken: string | undefined
  readonly metricsToken: string | undefined
  /** Shared by all nodes; undefined: this node answers no other one. */
  readonly nodeToken: string | undefined
  /** @throws Refused 503 when the provider must be asked and does not answer */
  readonly recognize: (facts: RequestFacts) => Promise<Recognized>
  /** Finds the owner of an API token. @throws Refused 401, 429, 503 */
  readonly ownerOf: (token: string, facts: RequestFacts) => Promise<TokenOwner>
  /** Connections of callers with a session or a token. They keep their place when all connections are taken. */
  readonly admitted: WeakSet<Socket>
  readonly page: {
    readonly dir: string
    readonly terminal: boolean
    readonly nodes: boolean
    readonly build: string | undefined
    readonly host: string
    /** The last day of a profile's gateway; undefined: there is no such profile. */
    readonly historyOf: (profile: string) => HistoryOfProfile | undefined
  }
  readonly version: string
  /** Receives the changes that requests have made or tried. */
  readonly record: (change: Change) => void
  /** Receives unexpected errors. */
  readonly bug: (error: unknown) => void
}

interface Env {
  Bindings: { incoming: IncomingMessage; outgoing: ServerResponse }
  Variables: { facts: RequestFacts; entered: Entered }
}

/** A request that has passed the gates. */
export interface Entered {
  readonly caller: Caller
  readonly viewer: SignedIn | undefined
  readonly trusted: boolean
  /** undefined: a stranger. */
  readonly rights: Rights | undefined
  readonly cookies: readonly string[]
}

/** Of everybody where no log-in is needed. */
const EVERYTHING: Rights = { scope: 'admin', profiles: undefined }
const METRICS: Rights = { scope: 'read', profiles: undefined }

/** Identifies the caller of a request on a connection and applies the gates. @throws Refused */
export async function enter(app: AppFacts, facts: RequestFacts, connection: Socket): Promise<Entered> {
  const entered = await passGates(app, facts)
  const hasPageToken = app.pageToken !== undefined && sameText(givenToken(facts), app.pageToken)
  if (entered.caller.kind !== 'anonymous' || hasPageToken) app.admitted.add(connection)
  return entered
}

/** @throws Refused */
async function passGates(app: AppFacts, facts: RequestFacts): Promise<Entered> {
  const { rules, pageToken, metricsToken, nodeToken } = app
  if (isForNodes(facts)) {
    checkNode(bearer(facts), nodeToken)
    return { caller: { kind: 'node' }, viewer: undefined, trusted: true, rights: EVERYTHING, cookies: [] }
  }
  checkHost(rules, facts)
  const scrapes = facts.path === METRICS_PATH && metricsToken !== undefined && sameText(bearer(facts), metricsToken)
  const token = scrapes ? undefined : givenApiToken(facts)
  // Refused everywhere if it is not valid: its sender must not be taken for the owner of a cookie.
  if (token !== undefined)
    return { caller: { kind: 'token' }, trusted: true, cookies: [], ...(await app.ownerOf(token, facts)) }
  if (rules.gate.kind !== 'login') {
    const caller: Caller = scrapes ? { kind: 'scraper' } : { kind: 'anonymous', reason: 'no_cookie' }
    checkEntry(rules, facts, caller, pageToken)
    return { caller, viewer: undefined, trusted: true, rights: scrapes ? METRICS : EVERYTHING, cookies: [] }
  }
  if (scrapes) return { caller: { kind: 'scraper' }, viewer: undefined, trusted: false, rights: METRICS, cookies: [] }
  const found = await recognized(app, facts)
  try {
    checkEntry(rules, facts, found, undefined)
  } catch (error) {
    throw error instanceof RefusedRequest ? withCookies(error, found.cookies) : error
  }
  return {
    caller: found,
    viewer: found.kind === 'user' ? found.viewer : undefined,
    trusted: found.kind === 'user',
    rights: found.kind === 'user' ? found.rights : undefined,
    // A request for a public path must not delete a session cookie.
    cookies: found.kind === 'user' ? found.cookies : [],
  }
}

/** Public paths stay public when the provider is unreachable. */
async function recognized({ rules, recognize }: AppFacts, facts: RequestFacts): Promise<Recognized> {
  try {
    return await recognize(facts)
  } catch (error) {
    const open = isPublic(facts.path, loginList(rules.list, rules.publicApi))
    if (error instanceof RefusedRequest && open) return { kind: 'anonymous', reason: 'no_cookie', cookies: [] }
    throw error
  }
}

export function dashboardApp(app: AppFacts): Hono<Env> {
  const hono = new Hono<Env>({
    // From the request line: the router must see the path that the gates have checked.
    getPath: (_, options) => rawPath((options as { env: Env['Bindings'] }).env.incoming),
  })
  hono.onError((error, context) => {
    const refused = refusalOf(error, app.bug)
    // Not set if the request was too malformed to examine.
    const facts = context.var.facts as RequestFacts | undefined
    return facts !== undefined && isReader(facts) ? refuseReader(app, refused, facts) : refuse(app, refused)
  })
  hono.use('*', async (context, next) => {
    const facts = requestFacts(context.env.incoming, app.outside)
    context.set('facts', facts)
    context.set('entered', await enter(app, facts, context.env.incoming.socket))
    await next()
    // Also with an error: a session that was renewed on the way must not get lost. A stream has sent its own.
    if (context.res === RESPONSE_ALREADY_SENT) return
    // Set before the handler's own cookies: a log-in or a log-out takes precedence.
    const own = context.res.headers.getSetCookie()
    context.res.headers.delete('Set-Cookie')
    for (const cookie of [...context.var.entered.cookies, ...own]) context.res.headers.append('Set-Cookie', cookie)
  })
  hono.use('*', async (context, next) => {
    const { facts, entered } = context.var
    const methods = isPage(facts.path) ? ['GET', 'HEAD'] : facts.path === MCP_PATH ? ['POST'] : methodsOf(facts.path)
    if (methods.length > 0 && !methods.includes(facts.method)) throw notAllowed(facts.method, methods)
    checkChange(facts, entered.caller)
    await next()
  })
  for (const name of Object.keys(app.handlers) as HandledRoute[]) {
    const route: Route = ROUTES[name]
    hono.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (context) => {
      const { facts, entered } = context.var
      const { incoming, outgoing } = context.env
      checkScope(route, entered.caller, entered.rights)
      if (route.events !== undefined) checkStream(facts)
      const query = Object.fromEntries(new URLSearchParams(facts.search))
      const body = route.body === undefined ? undefined : await readJson(incoming, maxBodyBytes(app, entered))
      const call = { ...entered, facts, incoming, outgoing, params: context.req.param(), query, body }
      return respond(app, await perform(app, name, call))
    })
  }
  hono.post(MCP_PATH, async ({ var: { facts, entered }, env: { incoming, outgoing } }) => {
    checkMcpCaller(entered.caller)
    const message = await readJson(incoming, MAX_BODY_BYTES)
    const response = await answerMcp(message, {
      facts,
      ...entered,
      version: app.version,
      perform: ({ route }, { path: params, query, body }) =>
        perform(app, route as HandledRoute, { ...entered, facts, incoming, outgoing, params, query, body }),
      refusalOf: (error) => refusalOf(error, app.bug),
    })
    for (const [name, value] of Object.entries(app.headers)) response.headers.set(name, value)
    return response
  })
  hono.get('*', ({ var: { facts, entered } }) => servePage(app, facts, entered))
  hono.notFound(() => {
    throw notFound('no such path')
  })
  return hono
}

type HandledRoute = keyof Handlers

/** Parameters of a route as they came, and everything else that its handler gets. */
type Unchecked = Omit<Call, 'query' | 'body'> & {
  readonly caller: Caller
  readonly query: unknown
  readonly body: unknown
}

/** Runs the handler of a route whose scope was checked. @throws Refused, and errors of the handler */
async function perform(app: AppFacts, name: HandledRoute, call: Unchecked): Promise<AnyAnswer> {
  const route: Route = ROUTES[name]
  const query = parsed(route.query, call.query, 'query')
  const body = parsed(route.body, call.body, 'body')
  checkProfile(route, call.rights, { path: call.params, query, body })
  if (call.facts.method === 'HEAD' && route.events !== undefined)
    return { status: 200, text: '', type: STREAM_HEADERS['Content-Type'], headers: STREAM_HEADERS }
  // Which route it is, is known at run time only; the table is typed per route.
  const handler = app.handlers[name] as (call: unknown) => Promise<AnyAnswer>
  try {
    const whole = { ...call, query, body }
    return await recording(route.change, app.record, whole, () => handler(whole))
  } catch (error) {
    throw hidingOthers(error, call.rights)
  }
}

const maxBodyBytes = ({ rules }: AppFacts, { caller }: Entered): number =>
  rules.gate.kind === 'login' && caller.kind === 'anonymous' ? MAX_STRANGER_BYTES : MAX_BODY_BYTES

function servePage(app: AppFacts, facts: RequestFacts, { caller, rights }: Entered): Response {
  const { page, rules, pageToken } = app
  if (isPage(facts.path)) {
    const profile = profileOfPage(facts.path)
    const isKnown = caller.kind === 'user' || pageToken !== undefined
    const html = pageText(page.dir, {
      token: caller.kind === 'user' ? caller.token : pageToken,
      scope: rights?.scope,
      insecure: rules.gate.kind === 'insecure',
      terminal: page.terminal,
      nodes: page.nodes,
      build: isKnown ? page.build : undefined,
      host: isKnown ? page.host : undefined,
      history: profile === undefined || !sees(rights ?? NOTHING, profile) ? undefined : page.historyOf(profile),
      prefix: facts.prefix,
    })
    return new Response(html, { headers: { ...app.headers, 'Content-Type': 'text/html; charset=utf-8' } })
  }
  if (facts.path !== '/favicon.ico' && !facts.path.startsWith('/assets/')) throw notFound('no such path')
  const gzip = /\bgzip\b/.test(String(facts.headers['accept-encoding'] ?? ''))
  const { bytes, type, gzipped } = staticFile(page.dir, facts.path, gzip)
  return new Response(new Uint8Array(bytes), {
    headers: {
      ...app.headers,
      'Content-Type': type,
      // The name of a file below /assets/ changes with what is in it.
      'Cache-Control': facts.path.startsWith('/assets/')
        ? 'public, max-age=31536000, immutable'
        : 'public, max-age=3600',
      Vary: 'Accept-Encoding',
      ...(gzipped ? { 'Content-Encoding': 'gzip' } : {}),
    },
  })
}

function parsed(schema: Route['body'], value: unknown, what: string): unknown {
  if (schema === undefined) return undefined
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw badRequest(expectationText(what, result.error.issues[0]), 'see /api/openapi.json')
}
