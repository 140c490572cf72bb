/** The two gates, and what must hold for a request that changes something. Pure. */
import { isIP } from 'node:net'
import { TOKEN_PREFIX } from '../../access/token.ts'
import { sameText } from '../../system/text/same-text.ts'
import { type Gate, hostName, isLoopback } from './gate.ts'
import { meansApi, safeNext } from './next-path.ts'
import { isPublic, loginList, type PublicList } from './public-paths.ts'
import { forbidden, misdirected, RefusedRequest } from './refusals.ts'
import { METRICS_PATH, type RequestFacts } from './request-facts.ts'

export type OpenGate = Exclude<Gate, { kind: 'refused' }>

export interface GuardRules {
  readonly gate: OpenGate
  readonly list: PublicList
  /** HERMES_DASHBOARD_PUBLIC_API. */
  readonly publicApi: boolean
  /** Host of HERMES_DASHBOARD_PUBLIC_URL, without its port. */
  readonly publicHost?: string | undefined
}

/** The caller, if a log-in is needed. */
export type Caller =
  | { readonly kind: 'anonymous'; readonly reason: 'no_cookie' | 'invalid_or_expired_session' }
  /** `token`: of the session, for requests that change something. */
  | { readonly kind: 'user'; readonly token: string }
  /** Has the token for `/api/metrics`. */
  | { readonly kind: 'scraper' }
  /** The dashboard of another node: has the token for `/api/node/…`. */
  | { readonly kind: 'node' }
  /** A program with an API token. */
  | { readonly kind: 'token' }

/** Tools for programs, over the Model Context Protocol. */
export const MCP_PATH = '/mcp'
const NODE_PATHS = '/api/node/'
const READING: readonly string[] = ['GET', 'HEAD', 'OPTIONS']
/** Its password is the proof, and there is no session yet that could have a token. */
const NEEDS_NO_TOKEN = '/auth/password-login'

/**
 * Prevents DNS rebinding: a page whose name now resolves to our address still sends its own name. Where a log-in is
 * needed, it has no session.
 * @throws Refused 421
 */
export function checkHost({ gate, publicHost }: GuardRules, { host }: Pick<RequestFacts, 'host'>): void {
  const name = hostName(host)
  if (gate.kind === 'loopback' && !isLoopback(name))
    throw misdirected('a loopback name', 'open http://127.0.0.1 or http://localhost')
  if (gate.kind === 'insecure' && !isPrivateName(name) && name.toLowerCase() !== publicHost)
    throw misdirected(
      'an address, localhost or a name without dots; without a log-in, any web page could make its name resolve to this address',
      `open the dashboard by its address, or set HERMES_DASHBOARD_PUBLIC_URL to http://${name.slice(0, 200)}`,
    )
}

/** A host that cannot belong to a page on the internet: an address, or one label. */
const isPrivateName = (name: string): boolean => isIP(name) !== 0 || /^[a-z0-9_-]+$/i.test(name)

/** A path for other nodes, which only the node token opens: no session, and no token of a page. */
export const isForNodes = ({ path }: Pick<RequestFacts, 'path'>): boolean => path.startsWith(NODE_PATHS)

export const bearer = ({ headers }: Pick<RequestFacts, 'headers'>): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]

/**
 * The API token of a request. Other bearers are ignored, because a proxy may add one of its own. A token counts for the
 * API and for tools only: it opens no page.
 */
export function givenApiToken(facts: Pick<RequestFacts, 'headers' | 'path'>): string | undefined {
  const given = facts.path.startsWith('/api/') || facts.path === MCP_PATH ? bearer(facts) : undefined
  return given?.startsWith(TOKEN_PREFIX) ? given : undefined
}

/**
 * The gate of those paths. A Host or an Origin proves nothing here: no browser knows the token.
 * @param token undefined: this node has none, and nothing opens
 * @throws Refused 401
 */
export function checkNode(given: string | undefined, token: string | undefined): void {
  if (token !== undefined && sameText(given, token)) return
  const body = { error: 'unauthenticated', detail: 'these paths need the node token as bearer token' }
  throw new RefusedRequest(401, body, { headers: { 'WWW-Authenticate': 'Bearer realm="hermes-node"' } })
}

/**
 * The log-in gate, or where there is none the page-token gate.
 * @param pageToken what the page of this start was given; undefined where a log-in is needed
 * @throws Refused 401 or 302
 */
export function checkEntry(
  rules: GuardRules,
  facts: RequestFacts,
  caller: Caller,
  pageToken: string | undefined,
): void {
  const { gate, list, publicApi } = rules
  if (gate.kind === 'login') {
    if (isPublic(facts.path, loginList(list, publicApi))) return
    if (caller.kind === 'user' || (caller.kind === 'scraper' && facts.path === METRICS_PATH)) return
    throw unauthenticated(facts, caller.kind === 'anonymous' ? caller.reason : 'no_cookie')
  }
  if (isPublic(facts.path, list) || !facts.path.startsWith('/api/')) return
  if (caller.kind === 'scraper' && facts.path === METRICS_PATH) return
  if (pageToken !== undefined && sameText(givenToken(facts), pageToken)) return
  throw new RefusedRequest(401, {
    error: 'unauthenticated',
    detail: 'the X-Hermes-Token of the page is missing or old; reload the page',
    reason: 'no_cookie',
    login_url: `${facts.prefix}/login`,
  })
}

/**
 * Checks a request that changes something: it must send our own origin, and the token that only our page can know.
 * @throws Refused 403
 */
export function checkChange(facts: RequestFacts, caller: Caller): void {
  // No page elsewhere can make a browser send a bearer of ours, so a program need not pretend to be our page.
  if (READING.includes(facts.method) || caller.kind === 'node' || caller.kind === 'token') return
  checkOrigin(facts)
  if (caller.kind === 'user' && facts.path !== NEEDS_NO_TOKEN && !sameText(givenToken(facts), caller.token))
    throw forbidden('bad_token', 'the X-Hermes-Token of the session is missing or old', 'reload the page')
}

/** @throws Refused 403 */
function checkOrigin({ origin, headers }: RequestFacts): void {
  if (headers.origin === origin) return
  throw forbidden(
    'bad_origin',
    `the request comes from ${(headers.origin ?? 'no origin').slice(0, 200)}, this is ${origin}`,
    'behind a proxy: HERMES_DASHBOARD_PUBLIC_URL says where browsers find the dashboard',
  )
}

/**
 * A stream is opened by GET, for which a browser may leave out our own origin, but never another one. @throws Refused
 * 403
 */
export function checkStream(facts: RequestFacts): void {
  if (facts.headers.origin !== undefined) checkOrigin(facts)
}

/** From the header, or from a WebSocket's sub-protocols. */
export function givenToken({ headers }: RequestFacts): string | undefined {
  const header = headers['x-hermes-token']
  if (typeof header === 'string') return header
  const protocols = headers['sec-websocket-protocol']?.split(',').map((protocol) => protocol.trim())
  return protocols?.find((protocol) => protocol.startsWith(TOKEN_PROTOCOL))?.slice(TOKEN_PROTOCOL.length)
}

export const TOKEN_PROTOCOL = 'hermes.token.'

function unauthenticated(facts: RequestFacts, reason: 'no_cookie' | 'invalid_or_expired_session'): RefusedRequest {
  const loginUrl = `${facts.prefix}/login`
  const isPage = (facts.method === 'GET' || facts.method === 'HEAD') && !meansApi(facts.path)
  const error = reason === 'no_cookie' ? 'unauthenticated' : 'session_expired'
  const body = { error, detail: 'Unauthorized', reason, login_url: loginUrl }
  if (!isPage) return new RefusedRequest(401, body)
  const next = safeNext(`${facts.path}${facts.search}`)
  return new RefusedRequest(302, body, { headers: { Location: `${loginUrl}?next=${encodeURIComponent(next)}` } })
}
