import * as z from 'zod/mini'
import type { Clock } from '../../system/clock.ts'
import type { SignedIn } from '../contract/handler.ts'
import { ROUTES } from '../contract/routes.ts'
import { safeNext } from '../gate/next-path.ts'
import { badRequest, forbidden, notFound, RefusedRequest, tooManyTries, unavailable } from '../gate/refusals.ts'
import type { RequestFacts } from '../gate/request-facts.ts'
import type { Recognized } from '../http/app.ts'
import { AttemptLimit, TEN_A_MINUTE } from './attempt-limit.ts'
import type { AuditEntry, AuditLog } from './audit.ts'
import { type CookiePlace, deleteCookie, deletions, readCookie, setCookie } from './cookies.ts'
import { type Login, me } from './none.ts'
import { PasswordTries } from './password-tries.ts'
import { type IsAllowed, nameOf } from './providers/allow-list.ts'
import {
  type DashboardAuthProvider,
  type Grant,
  LoginRefused,
  NoRole,
  type PasswordProvider,
  ProviderAway,
  type RedirectProvider,
} from './providers/provider.ts'
import type { TokenRevocations } from './providers/token-revocations.ts'
import type { Sealer } from './seal.ts'
import type { Session, Sessions } from './sessions.ts'

export interface LoginFacts {
  readonly clock: Clock
  readonly providers: readonly DashboardAuthProvider[]
  readonly sessions: Sessions
  readonly sealer: Sealer
  readonly audit: Pick<AuditLog, 'write' | 'count'>
  readonly isAllowed: IsAllowed
  readonly revocations: Pick<TokenRevocations, 'revoke'>
  /** Ends what a session has open. */
  readonly closeOf: (session: string) => void
}

/** At the provider. */
const PENDING_MS = 10 * 60_000
/** Passwords that are looked at one after the other: a hash costs 32 MB. */
const MAX_WAITING = 8
/** Of these, strangers may be so many: the others are for browsers that have logged in before. */
const MAX_STRANGERS = 4

const Pending = z.object({
  provider: z.string(),
  next: z.string(),
  untilMs: z.number(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
})

/** The log-in by the providers that are configured. */
export function login(facts: LoginFacts): Omit<Login, 'close'> {
  const { clock, providers, sessions, sealer, isAllowed } = facts
  const tries = new PasswordTries(facts)
  // Each way on its own: a log-in by redirect is there and back.
  const [leaving, returning] = [new AttemptLimit(TEN_A_MINUTE), new AttemptLimit(TEN_A_MINUTE)]
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()

  const placeOf = ({ secure, prefix }: RequestFacts): CookiePlace => ({
    secure,
    path: prefix === '' ? '/' : prefix,
    mark: sealer.mark,
  })

  const note = ({ address }: RequestFacts, entry: Omit<AuditEntry, 'address'>): void =>
    facts.audit.write({ ...entry, address })

  /** Counts actions that anyone can repeat at will. */
  const count = ({ address }: RequestFacts, entry: Omit<AuditEntry, 'address'>): void =>
    facts.audit.count({ ...entry, address })

  /** Limits log-ins by redirect, each of which may ask the provider. @throws Refused 429 */
  function limited(tries: AttemptLimit, request: RequestFacts): void {
    const { waitMs } = tries.take(request.address, clock.nowMs())
    if (waitMs === 0) return
    count(request, { event: 'login_refused', reason: 'too many tries' })
    throw tooManyTries(waitMs)
  }

  /** @throws Refused 400 */
  function turnBack(request: RequestFacts, reason: string, detail: string, next: string, provider?: string): never {
    count(request, { event: 'login_refused', ...(provider === undefined ? {} : { provider }), reason })
    throw badRequest(detail, next)
  }

  /** @throws Refused 403 for a user who is not allowed */
  function enter(provider: DashboardAuthProvider, grant: Grant, request: RequestFacts): readonly string[] {
    const user = nameOf(grant.identity)
    if (!isAllowed(grant.identity)) {
      note(request, { event: 'login_refused', provider: provider.name, user, reason: 'not on the list' })
      throw forbidden(
        'not_allowed',
        `${user} is not allowed to log in`,
        'HERMES_DASHBOARD_ALLOWED_USERS lists the allowed users',
      )
    }
    note(request, { event: 'login', provider: provider.name, user })
    return sessions.begin(provider, grant, placeOf(request)).cookies
  }

  /** Converts a provider's error to an answer. */
  async function asked<T>(provider: RedirectProvider, request: RequestFacts, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof ProviderAway || error instanceof LoginRefused)) throw error
      const event = error instanceof ProviderAway ? 'provider_away' : 'login_refused'
      count(request, { event, provider: provider.name, reason: error.message })
      if (error instanceof NoRole)
        throw forbidden('not_allowed', error.message, 'ask the operator for a role, then log in again')
      throw error instanceof ProviderAway ? providerAway(error) : badRequest(`the log-in failed: ${error.message}`)
    }
  }

  async function checkInTurn(provider: PasswordProvider, username: string, password: string) {
    waiting++
    try {
      const check = last.then(() => provider.check(username, password))
      last = check.catch(() => undefined)
      return await check
    } finally {
      waiting--
    }
  }

  return {
    recognize: async (request) => {
      const { cookie } = request.headers
      const place = placeOf(request)
      const leaving = request.path === ROUTES.logout.path ? sessions.peek(cookie, place) : undefined
      // Renewed only to be ended, it would have to wait for its provider.
      if (leaving !== undefined) return recognized({ session: leaving, cookies: [] })
      try {
        const found = await sessions.read(cookie, place)
        if (found.kind === 'user') return recognized(found)
        if (found.foreign) count(request, { event: 'session_refused', reason: 'with a cookie that is not ours' })
        return found
      } catch (error) {
        throw error instanceof ProviderAway ? providerAway(error) : error
      }
    },
    handlers: {
      providers: () => ({
        status: 200,
        body: { providers: providers.map(({ name, kind, label }) => ({ name, kind, label })) },
      }),
      me,
      beginLogin: async ({ query, facts: request }) => {
        const redirecting = providers.filter((provider) => provider.kind === 'oidc')
        const wished = query.provider ?? redirecting[0]?.name ?? ''
        const provider = redirecting.find(({ name }) => name === wished)
        if (provider === undefined) throw notFound(`no provider ${JSON.stringify(wished)}`)
        limited(leaving, request)
        const { url, pending } = await asked(provider, request, () => provider.begin(callbackOf(request)))
        const next = safeNext(query.next)
        const untilMs = clock.wallMs() + PENDING_MS
        const sealed = sealer.seal('pkce', { provider: provider.name, next, untilMs, ...pending })
        const cookie = setCookie('hermes_session_pkce', sealed, PENDING_MS / 1000, placeOf(request))
        return { status: 302, headers: { Location: url.href }, cookies: [cookie] }
      },
      endLogin: async ({ facts: request }) => {
        const place = placeOf(request)
        const cookie = readCookie(request.headers.cookie, 'hermes_session_pkce', place)
        limited(returning, request)
        const { data: pending } = Pending.safeParse(cookie && sealer.open('pkce', cookie))
        const provider = providers.find((one) => one.kind === 'oidc' && one.name === pending?.provider)
        if (pending === undefined || clock.wallMs() >= pending.untilMs || provider?.kind !== 'oidc') {
          const reason =
            cookie === undefined
              ? 'without the cookie of a log-in'
              : pending === undefined
                ? 'with a cookie that is not ours'
                : 'begun too long ago'
          const detail = 'this browser has not started a log-in, or started it too long ago'
          turnBack(request, reason, detail, 'start again at the log-in page', provider?.name)
        }
        const given = new URLSearchParams(request.search).get('state')
        if (given !== pending.state)
          turnBack(request, 'the state is another', 'the state belongs to another log-in', 'begin again', provider.name)
        const url = new URL(`${callbackOf(request)}${request.search}`)
        const grant = await asked(provider, request, () => provider.finish(url, pending))
        return {
          status: 302,
          headers: { Location: `${request.prefix}${pending.next}` },
          cookies: [...enter(provider, grant, request), deleteCookie('hermes_session_pkce', place)],
        }
      },
      passwordLogin: async ({ body, facts: request }) => {
        const provider = providers.find((one) => one.kind === 'password')
        if (provider?.kind !== 'password') throw notFound('log-in by name and password is not configured')
        const attempt = tries.of(request, placeOf(request))
        const noted = { event: 'login_refused', provider: provider.name, user: body.username } as const
        if (attempt.waitMs > 0) {
          count(request, { ...noted, reason: 'too many tries' })
          throw tooManyTries(attempt.waitMs)
        }
        if (waiting >= (attempt.isKnown ? MAX_WAITING : MAX_STRANGERS))
          throw unavailable('busy', 'too many log-ins at once', 'try again')
        attempt.count()
        const identity = await checkInTurn(provider, body.username, body.password)
        if (identity === undefined) {
          note(request, { ...noted, reason: 'wrong name or password' })
          throw new RefusedRequest(401, { error: 'invalid_credentials', detail: 'the name or the password is wrong' })
        }
        const cookies = [...enter(provider, { identity }, request), attempt.passed()]
        return { status: 200, body: { next: `${request.prefix}${safeNext(body.next)}` }, cookies }
      },
      logout: async ({ viewer, facts: request }) => {
        const place = placeOf(request)
        if (viewer !== undefined) await leave(viewer, request, place)
        return { status: 204, cookies: deletions(place) }
      },
    },
  }

  async function leave(viewer: SignedIn, request: RequestFacts, place: CookiePlace): Promise<void> {
    const session = { id: viewer.session, endsMs: viewer.endsAtMs }
    const ended = sessions.end(session, request.headers.cookie, place)
    facts.closeOf(viewer.session)
    note(request, { event: 'logout', provider: viewer.provider, user: viewer.user })
    const { refreshToken } = await ended
    const provider = providers.find(({ name }) => name === viewer.provider)
    if (provider?.kind !== 'oidc') return
    // Our session is over in any case; the log reports if the provider's may not be.
    facts.revocations.revoke(provider, refreshToken, (reason) =>
      note(request, { event: 'provider_away', provider: provider.name, user: viewer.user, reason }),
    )
  }
}

const recognized = ({ session, cookies }: { session: Session; cookies: readonly string[] }): Recognized => ({
  kind: 'user',
  token: session.token,
  viewer: viewerOf(session),
  rights: { scope: session.scope, profiles: undefined },
  cookies,
})

const viewerOf = ({ id, user, provider, expiresMs, endsMs }: Session): SignedIn => ({
  session: id,
  user,
  actor: `dashboard:${user}`,
  provider,
  expiresAtMs: expiresMs,
  endsAtMs: endsMs,
})

const callbackOf = ({ origin, prefix }: RequestFacts): string => `${origin}${prefix}/auth/callback`

const providerAway = (error: ProviderAway): RefusedRequest =>
  unavailable('provider_unavailable', `the identity provider ${error.message}`, error.next)
