import { createHash } from 'node:crypto'
import type * as OpenId from 'openid-client'
import { clientAuth } from './client-auth.ts'
import { type Grant, type Identity, LoginRefused, ProviderAway, type RedirectProvider } from './provider.ts'

export interface OidcSettings {
  readonly name: string
  /** undefined: log-in answers that it is missing. */
  readonly issuer: string | undefined
  readonly clientId: string
  readonly clientSecret: string | undefined
}

/** For each request to the provider. */
const TIMEOUT_S = 10
const CLOCK_TOLERANCE_S = 60
const SET_ISSUER = 'set HERMES_DASHBOARD_OIDC_ISSUER to the address that the provider names as its issuer'

/** @returns undefined where no client is configured */
export function oidcSettings(setting: (name: string) => string | undefined): OidcSettings | undefined {
  const clientId = setting('OAUTH_CLIENT_ID')
  if (clientId === undefined) return undefined
  const name = setting('OIDC_NAME') ?? 'nous'
  return { name, issuer: setting('OIDC_ISSUER'), clientId, clientSecret: setting('OAUTH_CLIENT_SECRET') }
}

/** OpenID Connect: authorization code, PKCE and nonce. The provider is asked about itself at the first log-in, never at start. */
export function oidcProvider(settings: OidcSettings): RedirectProvider {
  const { name, issuer, clientId } = settings
  const ending = new AbortController()
  let discovered: Promise<Client> | undefined
  const client = (): Promise<Client> => {
    // Only a success is kept: a provider that is back is found at the next log-in.
    discovered ??= discover(settings, ending.signal).catch((error: unknown) => {
      discovered = undefined
      throw error
    })
    return discovered
  }
  return {
    kind: 'oidc',
    name,
    label: name,
    fingerprint: createHash('sha256').update(`oidc\0${issuer}\0${clientId}`).digest('base64url'),
    async begin(redirectUri) {
      const { openid, config } = await client()
      const verifier = openid.randomPKCECodeVerifier()
      const pending = { state: openid.randomState(), nonce: openid.randomNonce(), verifier }
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: scopeOf(config),
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      return { url, pending }
    },
    async finish(url, { state, nonce, verifier }) {
      const { openid, config } = await client()
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
      const tokens = await judged(openid, name, () => openid.authorizationCodeGrant(config, url, checks))
      return grantOf(tokens, await identityOf(openid, name, config, tokens))
    },
    async renew(refreshToken, identity) {
      const { openid, config } = await client()
      const tokens = await judged(openid, name, () => openid.refreshTokenGrant(config, refreshToken))
      const subject = tokens.claims()?.sub
      if (subject !== undefined && subject !== identity.subject) throw new LoginRefused('another subject came back')
      // A provider that does not rotate leaves the token out.
      return { refreshToken, ...grantOf(tokens, identity) }
    },
    async revoke(refreshToken) {
      const { openid, config } = await client()
      if (config.serverMetadata().revocation_endpoint === undefined) return
      await judged(openid, name, () =>
        openid.tokenRevocation(config, refreshToken, { token_type_hint: 'refresh_token' }),
      )
    },
    close: () => ending.abort(),
  }
}

interface Client {
  readonly openid: typeof OpenId
  readonly config: OpenId.Configuration
}

async function discover({ name, issuer, clientId, clientSecret }: OidcSettings, ending: AbortSignal): Promise<Client> {
  if (issuer === undefined)
    throw new ProviderAway(`"${name}" has no issuer: HERMES_DASHBOARD_OIDC_ISSUER is not set`, { next: SET_ISSUER })
  if (!URL.canParse(issuer))
    throw new ProviderAway(`"${name}" has an issuer that is no address: "${issuer}"`, { next: SET_ISSUER })
  // Loaded here: without a log-in by OpenID Connect it would cost every dashboard its memory.
  const openid = await import('openid-client')
  const server = new URL(issuer)
  const execute = [openid.enableNonRepudiationChecks]
  // The operator has named a server without TLS: inside one machine or network there may be none.
  if (server.protocol === 'http:') execute.push(openid.allowInsecureRequests)
  const authFor = ({ token_endpoint_auth_methods_supported: methods }: OpenId.ServerMetadata): OpenId.ClientAuth =>
    clientAuth(openid, name, clientSecret, methods)
  const metadata = { [openid.clockTolerance]: CLOCK_TOLERANCE_S }
  let config: OpenId.Configuration
  try {
    config = await openid.discovery(
      server,
      clientId,
      metadata,
      // Which it is the provider says, and it is asked just now.
      (provider, ...request) => authFor(provider)(provider, ...request),
      { execute, timeout: TIMEOUT_S, [openid.customFetch]: fetchUntil(ending) },
    )
  } catch (error) {
    throw new ProviderAway(`"${name}" does not answer as an OpenID provider: ${reasonOf(error)}`, { cause: error })
  }
  // Said before anybody is sent there in vain.
  authFor(config.serverMetadata())
  return { openid, config }
}

const fetchUntil =
  (ending: AbortSignal): OpenId.CustomFetch =>
  (url, options) =>
    fetch(url, {
      ...options,
      body: options.body ?? null,
      signal: AbortSignal.any([ending, ...(options.signal ? [options.signal] : [])]),
    })

/** Renewal wants `offline_access` where a provider knows it; one that does not may refuse a scope it has never heard of. */
function scopeOf(config: OpenId.Configuration): string {
  const known = config.serverMetadata().scopes_supported ?? []
  return ['openid', 'profile', 'email', ...(known.includes('offline_access') ? ['offline_access'] : [])].join(' ')
}

type Tokens = OpenId.TokenEndpointResponse & OpenId.TokenEndpointResponseHelpers

function grantOf(tokens: Tokens, identity: Identity): Grant {
  const expiresInS = tokens.expiresIn()
  return {
    identity,
    ...(tokens.refresh_token === undefined ? {} : { refreshToken: tokens.refresh_token }),
    ...(expiresInS === undefined ? {} : { expiresInS }),
  }
}

/** Many providers tell the address only where the claims of a user are asked for. */
async function identityOf(
  openid: typeof OpenId,
  name: string,
  config: OpenId.Configuration,
  tokens: Tokens,
): Promise<Identity> {
  const claims = tokens.claims()
  if (claims === undefined) throw new LoginRefused('the provider sent no ID token')
  const { sub: subject } = claims
  const asks = claims.email === undefined && config.serverMetadata().userinfo_endpoint !== undefined
  const told = asks
    ? await judged(openid, name, () => openid.fetchUserInfo(config, tokens.access_token, subject))
    : claims
  const { email, email_verified: verified } = told
  return {
    subject,
    ...(typeof email === 'string' ? { email } : {}),
    ...(typeof verified === 'boolean' ? { emailVerified: verified } : {}),
  }
}

/** @throws ProviderAway, LoginRefused */
async function judged<T>(openid: typeof OpenId, name: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    const answered = error instanceof openid.ResponseBodyError ? error.status < 500 : !isAway(error)
    if (answered) throw new LoginRefused(reasonOf(error), { cause: error })
    throw new ProviderAway(`"${name}" does not answer: ${reasonOf(error)}`, { cause: error })
  }
}

/** A connection that failed (fetch throws a TypeError), a time-out, an answer that is no answer of a provider. */
const isAway = (error: unknown): boolean =>
  error instanceof TypeError ||
  ['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON'].includes(
    String((error as { code?: unknown }).code),
  )

/** What the provider says went wrong, without anything it was sent. */
function reasonOf(error: unknown): string {
  const {
    error: code,
    error_description: text,
    message,
    cause,
  } = error as {
    readonly error?: unknown
    readonly error_description?: unknown
    readonly message?: string
    readonly cause?: { readonly code?: unknown }
  }
  if (typeof code === 'string') return typeof text === 'string' ? `${code}: ${text}` : code
  return typeof cause?.code === 'string' ? `${message} (${cause.code})` : String(message)
}
