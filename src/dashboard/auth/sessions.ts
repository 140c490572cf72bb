import { createHash, randomBytes } from 'node:crypto'
import * as z from 'zod/mini'
import { SCOPES, type Scope } from '../../access/scope.ts'
import type { Clock } from '../../system/clock.ts'
import { type CookiePlace, deletions, readCookie, setCookie } from './cookies.ts'
import { type IsAllowed, nameOf } from './providers/allow-list.ts'
import { type DashboardAuthProvider, type Grant, LoginRefused } from './providers/provider.ts'
import type { RevokedSessions } from './revoked.ts'
import type { Sealer } from './seal.ts'

/** Maximum lifetime of a session. */
const SESSION_MS = 12 * 3_600_000
/** Time after which the session is renewed: the provider is asked, if there is one to ask. */
const ACCESS_MS = 15 * 60_000
/** Lifetime of a session that cannot be renewed. */
const ONLY_ACCESS_MS = 3_600_000
/** Requests that were under way with the cookies from before a renewal get the result of that renewal. */
const RENEWED_MS = 60_000
/** Browsers take 4096 bytes with name and attributes. A longer refresh token is left out: the session ends sooner. */
const MAX_COOKIE_CHARS = 3700

const Sealed = z.object({
  session: z.string(),
  provider: z.string(),
  fingerprint: z.string(),
  identity: z.object({
    subject: z.string(),
    email: z.optional(z.string()),
    emailVerified: z.optional(z.boolean()),
    scope: z.enum(SCOPES),
  }),
  /** Unix ms: of the part that this is, and of the whole. */
  expiresMs: z.number(),
  endsMs: z.number(),
  refreshToken: z.optional(z.string()),
})
type Sealed = z.infer<typeof Sealed>

export interface Session {
  readonly id: string
  readonly user: string
  readonly provider: string
  readonly scope: Scope
  /** Expiry of its first part, Unix ms; then it has to be renewed. */
  readonly expiresMs: number
  readonly endsMs: number
  /** For requests that change something. */
  readonly token: string
}

export type Reading =
  | {
      readonly kind: 'anonymous'
      readonly reason: 'no_cookie' | 'invalid_or_expired_session'
      readonly cookies: readonly string[]
      /** There was a cookie that was not sealed here: made up, or with another key. */
      readonly foreign: boolean
    }
  | { readonly kind: 'user'; readonly session: Session; readonly cookies: readonly string[] }

export interface SessionFacts {
  readonly clock: Clock
  readonly sealer: Sealer
  readonly revoked: RevokedSessions
  readonly providers: readonly DashboardAuthProvider[]
  readonly isAllowed: IsAllowed
  /** A provider refused to renew a session. */
  readonly refused: (session: Session, reason: string) => void
}

interface Issued {
  readonly session: Session
  readonly refreshToken: string | undefined
  readonly cookies: readonly string[]
}

/**
 * Sessions, which browsers keep in two sealed cookies: one that opens the door for a while, and one that renews it.
 * Nothing of them is kept here but which of them were ended.
 */
export class Sessions {
  readonly #facts: SessionFacts
  /** Renewals under way and just done, by the digest of the cookie: a refresh token may be used once. */
  readonly #renewals = new Map<string, { readonly issued: Promise<Issued | undefined>; readonly untilMs: number }>()

  constructor(facts: SessionFacts) {
    this.#facts = facts
  }

  /** Starts a new session with a random id. */
  begin(provider: DashboardAuthProvider, grant: Grant, place: CookiePlace): Issued {
    const endsMs = this.#facts.clock.wallMs() + SESSION_MS
    return this.#issue(randomBytes(18).toString('base64url'), provider, grant, endsMs, place)
  }

  /** @throws ProviderAway when it has to be renewed, and the provider does not answer */
  async read(header: string | undefined, place: CookiePlace): Promise<Reading> {
    const access = readCookie(header, 'hermes_session_at', place)
    const refresh = readCookie(header, 'hermes_session_rt', place)
    if (access === undefined && refresh === undefined)
      return { kind: 'anonymous', reason: 'no_cookie', cookies: [], foreign: false }
    const living = this.#open('access', access)
    if (living !== undefined) return { kind: 'user', session: this.#sessionOf(living), cookies: [] }
    const renewed = refresh === undefined ? undefined : await this.#renew(refresh, place)
    if (renewed !== undefined) return { kind: 'user', ...renewed }
    const foreign = this.#isForeign('access', access) || this.#isForeign('refresh', refresh)
    return { kind: 'anonymous', reason: 'invalid_or_expired_session', cookies: deletions(place), foreign }
  }

  /**
   * Identifies the owner of these cookies by any part that is still valid, without asking its provider, which may be
   * unreachable.
   */
  peek(header: string | undefined, place: CookiePlace): Session | undefined {
    const sealed =
      this.#open('access', readCookie(header, 'hermes_session_at', place)) ??
      this.#open('refresh', readCookie(header, 'hermes_session_rt', place))
    return sealed === undefined ? undefined : this.#sessionOf(sealed)
  }

  /**
   * Ends a session for good. Takes effect at once; resolves when it is on the disk.
   * @returns the refresh token to revoke at its provider: known only when a pending renewal has finished
   */
  async end(
    session: Pick<Session, 'id' | 'endsMs'>,
    header: string | undefined,
    place: CookiePlace,
  ): Promise<{ readonly refreshToken: Promise<string | undefined> }> {
    const cookie = readCookie(header, 'hermes_session_rt', place)
    const sealed = this.#open('refresh', cookie)
    await this.#facts.revoked.add(session.id, session.endsMs)
    if (cookie === undefined || sealed?.session !== session.id) return { refreshToken: Promise.resolve(undefined) }
    const renewal = this.#renewals.get(digestOf(cookie))?.issued ?? Promise.resolve(undefined)
    return {
      refreshToken: renewal.then(
        // A renewed session has another token, and its browser may not have it yet.
        (renewed) => renewed?.refreshToken ?? sealed.refreshToken,
        // The request that asked for the renewal gets the reason of its failure.
        () => sealed.refreshToken,
      ),
    }
  }

  async #renew(cookie: string, place: CookiePlace): Promise<Issued | undefined> {
    const issued = await this.#renewal(cookie, place)
    // The session may have been ended in the meantime.
    return issued === undefined || this.#facts.revoked.has(issued.session.id, issued.session.endsMs)
      ? undefined
      : issued
  }

  #renewal(cookie: string, place: CookiePlace): Promise<Issued | undefined> {
    const nowMs = this.#facts.clock.nowMs()
    for (const [known, { untilMs }] of this.#renewals) if (untilMs <= nowMs) this.#renewals.delete(known)
    const key = digestOf(cookie)
    const known = this.#renewals.get(key)
    if (known !== undefined) return known.issued
    const sealed = this.#open('refresh', cookie)
    if (sealed === undefined) return Promise.resolve(undefined)
    const issued = this.#renewSealed(sealed, place)
    this.#renewals.set(key, { issued, untilMs: nowMs + RENEWED_MS })
    // The provider was unreachable: the next request asks it again.
    issued.catch(() => this.#renewals.delete(key))
    return issued
  }

  async #renewSealed(sealed: Sealed, place: CookiePlace): Promise<Issued | undefined> {
    const provider = this.#providerOf(sealed)
    if (provider === undefined) return undefined
    const { session, endsMs, refreshToken } = sealed
    const identity = plainIdentity(sealed.identity)
    if (provider.kind === 'password') return this.#issue(session, provider, { identity }, endsMs, place)
    if (refreshToken === undefined) return undefined
    try {
      return this.#issue(session, provider, await provider.renew(refreshToken, identity), endsMs, place)
    } catch (error) {
      if (!(error instanceof LoginRefused)) throw error
      this.#facts.refused(this.#sessionOf(sealed), error.message)
      return undefined
    }
  }

  #issue(id: string, provider: DashboardAuthProvider, grant: Grant, endsMs: number, place: CookiePlace): Issued {
    const { sealer, clock } = this.#facts
    const nowMs = clock.wallMs()
    const { identity, refreshToken, expiresInS = Number.POSITIVE_INFINITY } = grant
    const base = { session: id, provider: provider.name, fingerprint: provider.fingerprint, identity, endsMs }
    const whole = sealer.seal('refresh', { ...base, expiresMs: endsMs, refreshToken })
    const fits = whole.length <= MAX_COOKIE_CHARS
    const renewable = provider.kind === 'password' || (fits && refreshToken !== undefined)
    const accessMs = renewable ? Math.min(ACCESS_MS, expiresInS * 1000) : ONLY_ACCESS_MS
    const access = { ...base, expiresMs: Math.min(endsMs, nowMs + accessMs) }
    const maxAgeS = (endsMs - nowMs) / 1000
    return {
      session: this.#sessionOf(access),
      refreshToken,
      cookies: [
        setCookie('hermes_session_at', sealer.seal('access', access), maxAgeS, place),
        setCookie(
          'hermes_session_rt',
          fits ? whole : sealer.seal('refresh', { ...base, expiresMs: endsMs }),
          maxAgeS,
          place,
        ),
      ],
    }
  }

  #isForeign(purpose: 'access' | 'refresh', cookie: string | undefined): boolean {
    return cookie !== undefined && this.#facts.sealer.open(purpose, cookie) === undefined
  }

  /** Opens a sealed text if it is still valid; nothing in it counts that today's settings do not allow. */
  #open(purpose: 'access' | 'refresh', cookie: string | undefined): Sealed | undefined {
    const { data } = Sealed.safeParse(cookie === undefined ? undefined : this.#facts.sealer.open(purpose, cookie))
    if (data === undefined) return undefined
    const { clock, revoked, isAllowed } = this.#facts
    const holds =
      clock.wallMs() < data.expiresMs &&
      !revoked.has(data.session, data.endsMs) &&
      this.#providerOf(data) !== undefined &&
      isAllowed(plainIdentity(data.identity))
    return holds ? data : undefined
  }

  #providerOf({ provider, fingerprint }: Sealed): DashboardAuthProvider | undefined {
    return this.#facts.providers.find((one) => one.name === provider && one.fingerprint === fingerprint)
  }

  #sessionOf({ session, provider, identity, expiresMs, endsMs }: Omit<Sealed, 'fingerprint'>): Session {
    const user = nameOf(plainIdentity(identity))
    const { scope } = identity
    return { id: session, user, provider, scope, expiresMs, endsMs, token: this.#facts.sealer.tokenOf(session) }
  }
}

const digestOf = (cookie: string): string => createHash('sha256').update(cookie).digest('base64url')

/** Without keys whose value is undefined. */
const plainIdentity = ({ subject, email, emailVerified, scope }: Sealed['identity']): Grant['identity'] => ({
  subject,
  scope,
  ...(email === undefined ? {} : { email }),
  ...(emailVerified === undefined ? {} : { emailVerified }),
})
