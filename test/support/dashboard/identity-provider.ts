import { generateKeyPairSync } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import Provider, { type ClientAuthMethod, type Configuration } from 'oidc-provider'
import { freePort } from '../port.ts'

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string
  /** Requests it has had. */
  readonly asked: readonly string[]
  /** How the client showed who it is, each time that it was given tokens. */
  readonly shown: readonly ClientAuthMethod[]
  /** Grants that a client gave back. */
  readonly revoked: readonly string[]
  /** Forgets every grant: no session can be renewed any more. */
  forget(): void
  /** Signs ID tokens in that way from now on, and says so. */
  sign(algorithm: Algorithm): void
  /** Takes every request from now on, and answers none. */
  hang(): void
  down(): Promise<void>
  up(): Promise<void>
  /**
   * A browser at the provider: signs in as that account and agrees.
   * @returns where it is sent back to, not asked for yet
   */
  signIn(url: string, account: string): Promise<string>
  /** The same, but it cancels. */
  cancel(url: string): Promise<string>
}

export interface Account {
  /** The subject, where it is not the name of the account. */
  readonly sub?: string
  readonly email?: string
  readonly email_verified?: boolean | string
  readonly groups?: readonly string[]
}

type Algorithm = 'RS256' | 'ES256'

const signingKey = (algorithm: Algorithm) => {
  const { privateKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), alg: algorithm, use: 'sig', kid: algorithm }
}

export const CLIENT = { id: 'hermes', secret: 'the secret of the client' }

/** A real identity provider (oidc-provider) on this machine. */
export async function startIdentityProvider(options: {
  readonly redirectUri: string
  readonly accounts: Readonly<Record<string, Account>>
  /** Of access tokens. */
  readonly ttlS?: number
  /** false: no session can be renewed. */
  readonly refreshTokens?: boolean
  /**
   * Ways in which a client may show that it is the one, announced as they stand here; ours is registered with the
   * first.
   */
  readonly clientAuthMethods?: readonly ClientAuthMethod[]
}): Promise<IdentityProvider> {
  const { redirectUri, accounts, ttlS = 3600, refreshTokens = true, clientAuthMethods } = options
  const asked: string[] = []
  const shown: ClientAuthMethod[] = []
  const revoked: string[] = []
  const grants = new Set<string>()
  let handler: RequestListener | undefined
  let server: Server = await listen(await freePort(), (request, response) => handler?.(request, response))
  const { port } = server.address() as { port: number }
  const issuer = `http://127.0.0.1:${port}`
  const configuration = (algorithm: Algorithm): Configuration => ({
    jwks: { keys: [signingKey(algorithm)] },
    enabledJWA: { idTokenSigningAlgValues: [algorithm] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        id_token_signed_response_alg: algorithm,
        ...(clientAuthMethods?.[0] && { token_endpoint_auth_method: clientAuthMethods[0] }),
      },
    ],
    ...(clientAuthMethods && { clientAuthMethods: [...clientAuthMethods] }),
    claims: { email: ['email', 'email_verified'], profile: ['groups'] },
    features: { revocation: { enabled: true } },
    findAccount: (_, id) => ({ accountId: accounts[id]?.sub ?? id, claims: () => ({ sub: id, ...accounts[id] }) }),
    issueRefreshToken: () => refreshTokens,
    rotateRefreshToken: true,
    ttl: { AccessToken: ttlS, IdToken: 3600, RefreshToken: 86_400, Grant: 86_400, Session: 86_400, Interaction: 600 },
    cookies: { keys: ['a key of the test'] },
  })
  const start = (algorithm: Algorithm): Provider => {
    const started = new Provider(issuer, configuration(algorithm))
    started.on('grant.success', (context) => {
      const inBody = context.oidc.body?.client_secret === undefined ? 'none' : 'client_secret_post'
      shown.push(context.headers.authorization === undefined ? inBody : 'client_secret_basic')
      const grantId = context.oidc.entities.Grant?.jti
      if (grantId !== undefined) grants.add(grantId)
    })
    started.on('grant.revoked', (_, grantId) => revoked.push(grantId))
    const callback = started.callback()
    handler = (request, response) => {
      asked.push(request.url ?? '')
      return callback(request, response)
    }
    return started
  }
  let provider = start('RS256')
  return {
    issuer,
    asked,
    shown,
    revoked,
    forget() {
      for (const grantId of grants) void provider.Grant.adapter.destroy(grantId)
      for (const grantId of grants) void provider.RefreshToken.revokeByGrantId(grantId)
    },
    sign(algorithm) {
      provider = start(algorithm)
    },
    hang() {
      handler = (request) => asked.push(request.url ?? '')
    },
    async down() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
    async up() {
      server = await listen(port, (request, response) => handler?.(request, response))
    },
    signIn: (url, account) => browse(url, redirectUri, { login: { login: account, password: 'x' }, consent: {} }),
    cancel: (url) => browse(url, redirectUri, undefined),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listen(port: number, handler: RequestListener): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(handler)
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

/** Follows redirects with cookies and fills in the forms; undefined instead of answers: takes the way out. */
async function browse(
  start: string,
  until: string,
  answers: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined,
): Promise<string> {
  const jar = new Map<string, string>()
  let url = start
  let body: URLSearchParams | undefined
  for (let step = 0; step < 20; step++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(body === undefined ? {} : { method: 'POST', body }),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }
    body = undefined
    const location = response.headers.get('location')
    if (location !== null) {
      url = new URL(location, url).href
      if (url.startsWith(until)) return url
      continue
    }
    const html = await response.text()
    const prompt = /name="prompt" value="(\w+)"/.exec(html)?.[1]
    if (prompt === undefined) throw new Error(`the provider shows ${response.status}: ${html.slice(0, 2000)}`)
    if (answers === undefined) url = `${url.replace(/\/$/, '')}/abort`
    else body = new URLSearchParams({ prompt, ...answers[prompt] })
  }
  throw new Error('the provider sends in circles')
}
