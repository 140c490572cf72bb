import type * as OpenId from 'openid-client'
import type { Clock } from '../../../system/clock.ts'
import { clientAuth } from './client-auth.ts'
import { namedIssuer, reasonOf } from './oidc-reason.ts'
import { ProviderAway } from './provider.ts'

export interface OidcSettings {
  readonly name: string
  /** undefined: log-in answers that it is missing. */
  readonly issuer: string | undefined
  readonly clientId: string
  readonly clientSecret: string | undefined
  /** Requested scopes, separated by spaces. */
  readonly scope: string
}

export interface Client {
  readonly openid: typeof OpenId
  readonly config: OpenId.Configuration
}

/** Time limit for each request to the provider. */
const TIMEOUT_S = 10
const CLOCK_TOLERANCE_S = 60
/** Time after which a provider's metadata, including its keys, is requested again. */
const KEPT_MS = 3_600_000
/** After a failure, the provider is not asked again for this time. */
const COOL_DOWN_MS = 2000
const SET_ISSUER = 'set HERMES_DASHBOARD_OIDC_ISSUER to the address that the provider names as its issuer'

/** A provider's metadata: requested at the first log-in, never at start, and again when it no longer fits. */
export class Discovery {
  readonly #settings: OidcSettings
  readonly #clock: Clock
  readonly #ending: AbortSignal
  #known: { readonly client: Client; readonly untilMs: number } | undefined
  #asking: Promise<Client> | undefined
  #failed: { readonly error: unknown; readonly untilMs: number } | undefined

  constructor(settings: OidcSettings, clock: Clock, ending: AbortSignal) {
    this.#settings = settings
    this.#clock = clock
    this.#ending = ending
  }

  /** Requests metadata that is unknown or too old. @throws ProviderAway */
  async fresh(): Promise<Client> {
    const nowMs = this.#clock.nowMs()
    if (this.#known !== undefined && nowMs < this.#known.untilMs) return this.#known.client
    if (this.#failed !== undefined && nowMs < this.#failed.untilMs) return this.#insteadOf(this.#failed.error)
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** The metadata as of the log-in's start, however old. */
  async current(): Promise<Client> {
    return this.#known?.client ?? this.fresh()
  }

  /** Something that the provider sent does not fit its metadata: the next log-in requests it again. */
  doubt(): void {
    this.#known = undefined
  }

  async #ask(): Promise<Client> {
    const atMs = this.#clock.nowMs()
    try {
      const client = await discover(this.#settings, this.#ending)
      this.#known = { client, untilMs: atMs + KEPT_MS }
      this.#failed = undefined
      return client
    } catch (error) {
      this.#failed = { error, untilMs: this.#clock.nowMs() + COOL_DOWN_MS }
      return this.#insteadOf(error)
    }
  }

  /** Metadata from an hour ago is better than none. */
  #insteadOf(error: unknown): Client {
    if (this.#known === undefined) throw error
    return this.#known.client
  }
}

async function discover(settings: OidcSettings, ending: AbortSignal): Promise<Client> {
  const { name, issuer, clientId, clientSecret } = settings
  if (issuer === undefined)
    throw new ProviderAway(`"${name}" has no issuer: HERMES_DASHBOARD_OIDC_ISSUER is not set`, { next: SET_ISSUER })
  if (!URL.canParse(issuer))
    throw new ProviderAway(`"${name}" has an issuer that is not an address: "${issuer}"`, { next: SET_ISSUER })
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
      // The provider names its method, and it has just been asked.
      (provider, ...request) => authFor(provider)(provider, ...request),
      { execute, timeout: TIMEOUT_S, [openid.customFetch]: fetchUntil(ending) },
    )
  } catch (error) {
    throw new ProviderAway(`"${name}" does not answer as an OpenID provider: ${reasonOf(error)}`, {
      next: adviceFor(error, issuer),
      cause: error,
    })
  }
  // Reported before a user is redirected in vain.
  authFor(config.serverMetadata())
  return { openid, config }
}

function adviceFor(error: unknown, issuer: string): string {
  const named = namedIssuer(error)
  if (named !== undefined) return `it names itself ${named}: set HERMES_DASHBOARD_OIDC_ISSUER=${named}`
  // There was an answer, but no provider at that address.
  const { code } = error as { code?: unknown }
  if (['OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON', 'OAUTH_PARSE_ERROR'].includes(String(code)))
    return `is HERMES_DASHBOARD_OIDC_ISSUER=${issuer} right? Its description is looked for below it, in .well-known/openid-configuration`
  return 'try again later'
}

const fetchUntil =
  (ending: AbortSignal): OpenId.CustomFetch =>
  (url, options) =>
    fetch(url, {
      ...options,
      body: options.body ?? null,
      signal: AbortSignal.any([ending, ...(options.signal ? [options.signal] : [])]),
    })
