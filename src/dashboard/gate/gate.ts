/** Decides at start, once, who may use the dashboard: from the bind address and the configured providers. Pure. */
import { isIP } from 'node:net'
import { addressText } from '../../system/net/address.ts'

export type Gate =
  /**
   * Loopback: every user of the machine. The Host header must be loopback too; otherwise a web page could send
   * requests in the user's name.
   */
  | { readonly kind: 'loopback' }
  /** Log-in needed for everything but the public paths. */
  | { readonly kind: 'login'; readonly providers: readonly string[] }
  /** Switched off by the one variable and the one option that do this. */
  | { readonly kind: 'insecure' }
  | { readonly kind: 'refused'; readonly why: string; readonly next: string }

export interface GateFacts {
  readonly host: string
  readonly port: number
  readonly insecure: boolean
  /** The container has ids for walled profiles: users of the machine who may not do everything. */
  readonly hasWalls?: boolean
  /** Value of a `HERMES_DASHBOARD_…` setting by what follows the prefix; empty counts as unset. */
  readonly setting: (name: string) => string | undefined
}

/** 127.0.0.0/8, ::1 and `localhost`; an address that only might be local is not. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/** Names of the providers that are configured. */
export function providersOf(setting: GateFacts['setting']): readonly string[] {
  const hasPassword = setting('BASIC_AUTH_PASSWORD') !== undefined || setting('BASIC_AUTH_PASSWORD_HASH') !== undefined
  const hasUser =
    (setting('BASIC_AUTH_USERNAME') !== undefined && hasPassword) || setting('BASIC_AUTH_USERS') !== undefined
  return [
    ...(setting('OAUTH_CLIENT_ID') === undefined ? [] : [setting('OIDC_NAME') ?? 'nous']),
    ...(hasUser ? ['basic'] : []),
  ]
}

export function decideGate({ host, port, insecure, hasWalls = false, setting }: GateFacts): Gate {
  if (isLoopback(host) && !hasWalls) return { kind: 'loopback' }
  if (insecure && !hasWalls) return { kind: 'insecure' }
  const providers = providersOf(setting)
  if (providers.length > 0) return { kind: 'login', providers }
  if (hasWalls)
    return {
      kind: 'refused',
      why: 'the dashboard needs a password where profiles can be walled (HERMES_PROFILE_UIDS), on every address: a walled profile could use it, too',
      next: 'set HERMES_DASHBOARD_BASIC_AUTH_USERNAME and HERMES_DASHBOARD_BASIC_AUTH_PASSWORD and recreate the container; or HERMES_DASHBOARD_OAUTH_CLIENT_ID for a provider',
    }
  return {
    kind: 'refused',
    why: `the dashboard needs a password before it opens ${addressText({ host, port })}: no log-in is configured`,
    next: 'set HERMES_DASHBOARD_BASIC_AUTH_USERNAME and HERMES_DASHBOARD_BASIC_AUTH_PASSWORD and recreate the container; or HERMES_DASHBOARD_OAUTH_CLIENT_ID for a provider, or HERMES_DASHBOARD_HOST=127.0.0.1; HERMES_DASHBOARD_INSECURE=1 opens it to anyone',
  }
}

/** A Host header as a browser sends it, without its port. */
export const hostName = (header: string | undefined): string =>
  (header ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
