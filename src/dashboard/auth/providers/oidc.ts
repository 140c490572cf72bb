import { createHash } from 'node:crypto'
import type * as OpenId from 'openid-client'
import type { Scope } from '../../../access/scope.ts'
import type { Clock } from '../../../system/clock.ts'
import { Discovery, type OidcSettings } from './discovery.ts'
import type { GroupRoles } from './group-roles.ts'
import { reasonOf } from './oidc-reason.ts'
import { type Grant, type Identity, LoginRefused, ProviderAway, type RedirectProvider } from './provider.ts'

/**
 * A refresh token, with which a session outlives its first hour, needs `offline_access` at many providers; others
 * refuse it.
 */
const SCOPES = 'openid profile email'

/** @returns undefined where no client is configured */
export function oidcSettings(setting: (name: string) => string | undefined): OidcSettings | undefined {
  const clientId = setting('OAUTH_CLIENT_ID')
  if (clientId === undefined) return undefined
  const name = setting('OIDC_NAME') ?? 'nous'
  // Without `openid` it would not be OpenID Connect.
  const scopes = new Set([
    'openid',
    ...(setting('OIDC_SCOPES') ?? SCOPES).split(/[\s,]+/).filter((scope) => scope !== ''),
  ])
  return {
    name,
    issuer: setting('OIDC_ISSUER'),
    clientId,
    clientSecret: setting('OAUTH_CLIENT_SECRET'),
    scope: [...scopes].join(' '),
  }
}

/** OpenID Connect: authorization code, PKCE and nonce. Metadata is requested at the first log-in, never at start. */
export function oidcProvider(settings: OidcSettings, clock: Clock, roles: GroupRoles | undefined): RedirectProvider {
  const { name, issuer, clientId, scope } = settings
  const ending = new AbortController()
  const discovery = new Discovery(settings, clock, ending.signal)
  const doubting = <T>(openid: typeof OpenId, ask: () => Promise<T>): Promise<T> =>
    judged(openid, name, ask, () => discovery.doubt())
  return {
    kind: 'oidc',
    name,
    label: name,
    fingerprint: createHash('sha256')
      .update(`oidc\0${issuer}\0${clientId}${roles === undefined ? '' : `\0${roles.print}`}`)
      .digest('base64url'),
    async begin(redirectUri) {
      const { openid, config } = await discovery.fresh()
      const verifier = openid.randomPKCECodeVerifier()
      const pending = { state: openid.randomState(), nonce: openid.randomNonce(), verifier }
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope,
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      return { url, pending }
    },
    async finish(url, { state, nonce, verifier }) {
      const { openid, config } = await discovery.current()
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
      const tokens = await doubting(openid, () => openid.authorizationCodeGrant(config, url, checks))
      const claims = tokens.claims()
      if (claims === undefined) throw new LoginRefused('the provider sent no ID token')
      const missing = claims.email === undefined || claims.email_verified === undefined || lacksGroups(roles, claims)
      const asks = missing && config.serverMetadata().userinfo_endpoint !== undefined
      const userinfo = asks
        ? await doubting(openid, () => openid.fetchUserInfo(config, tokens.access_token, claims.sub))
        : {}
      return grantOf(tokens, { ...identityOf(claims, userinfo), scope: scopeOf(roles, claims, userinfo) })
    },
    async renew(refreshToken, identity) {
      const { openid, config } = await discovery.current()
      const tokens = await doubting(openid, () => openid.refreshTokenGrant(config, refreshToken))
      const claims = tokens.claims()
      const subject = claims?.sub
      if (subject !== undefined && subject !== identity.subject) throw new LoginRefused('another subject came back')
      const asks = lacksGroups(roles, claims ?? {}) && config.serverMetadata().userinfo_endpoint !== undefined
      const userinfo = asks
        ? await doubting(openid, () => openid.fetchUserInfo(config, tokens.access_token, identity.subject))
        : {}
      // A provider that does not rotate leaves the token out.
      return { refreshToken, ...grantOf(tokens, { ...identity, scope: scopeOf(roles, claims ?? {}, userinfo) }) }
    },
    async revoke(refreshToken) {
      const { openid, config } = await discovery.current()
      if (config.serverMetadata().revocation_endpoint === undefined) return
      await doubting(openid, () => openid.tokenRevocation(config, refreshToken, { token_type_hint: 'refresh_token' }))
    },
    close: () => ending.abort(),
  }
}

type AnyClaims = Readonly<Record<string, unknown>>

const lacksGroups = (roles: GroupRoles | undefined, claims: AnyClaims): boolean =>
  roles !== undefined && claims[roles.claim] === undefined

/** @throws NoRole */
const scopeOf = (roles: GroupRoles | undefined, claims: AnyClaims, userinfo: AnyClaims): Scope =>
  roles === undefined ? 'admin' : roles.scopeOf(claims[roles.claim] ?? userinfo[roles.claim])

type Tokens = OpenId.TokenEndpointResponse & OpenId.TokenEndpointResponseHelpers

function grantOf(tokens: Tokens, identity: Identity): Grant {
  const expiresInS = tokens.expiresIn()
  return {
    identity,
    ...(tokens.refresh_token === undefined ? {} : { refreshToken: tokens.refresh_token }),
    ...(expiresInS === undefined ? {} : { expiresInS }),
  }
}

interface Claims {
  readonly email?: unknown
  readonly email_verified?: unknown
}

/**
 * Many providers send the address, or its verification, only with the user's claims. A statement about one address
 * does not apply to another, and only a literal true counts: some providers send the text "false".
 * @param userinfo claims from userinfo; empty if it was not requested
 */
export function identityOf(claims: Claims & { readonly sub: string }, userinfo: Claims): Omit<Identity, 'scope'> {
  const email = claims.email ?? userinfo.email
  const verified = claims.email_verified ?? (userinfo.email === email ? userinfo.email_verified : undefined)
  return {
    subject: claims.sub,
    ...(typeof email === 'string' ? { email } : {}),
    ...(verified === undefined ? {} : { emailVerified: verified === true }),
  }
}

/**
 * @param doubt called for what does not fit what is known of the provider; its own refusals do
 * @throws ProviderAway, LoginRefused
 */
async function judged<T>(openid: typeof OpenId, name: string, ask: () => Promise<T>, doubt: () => void): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    const refused = error instanceof openid.ResponseBodyError || error instanceof openid.AuthorizationResponseError
    if (!refused) doubt()
    const answered = error instanceof openid.ResponseBodyError ? error.status < 500 : !isAway(error)
    if (answered) throw new LoginRefused(reasonOf(error), { cause: error })
    throw new ProviderAway(`"${name}" does not answer: ${reasonOf(error)}`, { cause: error })
  }
}

/** A failed connection (fetch throws a TypeError), a time-out, or an answer that no provider would send. */
const isAway = (error: unknown): boolean =>
  error instanceof TypeError ||
  ['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON'].includes(
    String((error as { code?: unknown }).code),
  )
