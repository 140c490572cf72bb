import { join } from 'node:path'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { truthy } from '../../../system/markers.ts'
import { plainHost } from '../../../system/net/address.ts'
import type { Origins } from './cors.ts'

export interface ApiSettings {
  readonly host: string
  readonly port: number
  /** null: no key is required; only on a loopback address. */
  readonly key: string | null
  /** Origins of web pages that may use the API. */
  readonly origins: Origins
}

/** Owner of the settings: messages say whose settings to change, and where. */
export interface Owner {
  readonly profile: string
  readonly dir: string
}

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = 8642
const SHORTEST_KEY = 8

/**
 * The API server's settings; null when it is not enabled.
 * @throws HermesError with exit code 78 for a setting that cannot be meant
 */
export function apiSettings(
  environment: Readonly<Record<string, string | undefined>>,
  owner: Owner,
): ApiSettings | null {
  if (!truthy(environment.API_SERVER_ENABLED)) return null
  const host = plainHost(environment.API_SERVER_HOST?.trim() || DEFAULT_HOST)
  const port = portOf(environment.API_SERVER_PORT, owner)
  const key = environment.API_SERVER_KEY?.trim() || null
  if (key !== null && key.length < SHORTEST_KEY) {
    throw misconfigured(
      `API_SERVER_KEY has ${key.length} characters, it needs at least ${SHORTEST_KEY}`,
      keyHint(owner),
    )
  }
  if (key !== null && !/^[\x21-\x7e]+$/.test(key)) {
    throw misconfigured('API_SERVER_KEY contains characters that are not allowed in an HTTP header', keyHint(owner))
  }
  if (key === null && !isLoopback(host)) {
    throw misconfigured(
      `API_SERVER_HOST ${host} can be reached from other machines, so API_SERVER_KEY must be set`,
      keyHint(owner),
    )
  }
  if (key === null && environment.HERMES_PROFILE_UIDS) {
    throw misconfigured(
      'API_SERVER_KEY must be set where profiles can be walled (HERMES_PROFILE_UIDS): each of them reaches this address',
      keyHint(owner),
    )
  }
  return { host, port, key, origins: parseOrigins(environment.API_SERVER_CORS_ORIGINS, key !== null, owner) }
}

function portOf(text: string | undefined, owner: Owner): number {
  const wanted = text?.trim()
  if (wanted === undefined || wanted === '') return DEFAULT_PORT
  const port = /^\d{1,5}$/.test(wanted) ? Number(wanted) : 0
  if (port >= 1 && port <= 65_535) return port
  throw misconfigured(
    `API_SERVER_PORT: expected a whole number from 1 to 65535, got ${JSON.stringify(wanted.slice(0, 40))}`,
    `correct it in ${placeOf(owner)}`,
  )
}

/**
 * @param text API_SERVER_CORS_ORIGINS: origins separated by commas, or `*`; unset: none
 * @throws HermesError with exit code 78 naming the invalid origin
 */
function parseOrigins(text: string | undefined, hasKey: boolean, owner: Owner): Origins {
  const origins = (text ?? '').split(/[\s,]+/).filter((origin) => origin !== '')
  if (!origins.includes('*')) return origins.map((origin) => parseOrigin(origin, owner))
  if (hasKey) return '*'
  throw misconfigured(
    'API_SERVER_CORS_ORIGINS=* lets every web page use this server, so API_SERVER_KEY must be set',
    `set a key, or name the pages, in ${placeOf(owner)}`,
  )
}

/** The origin as a browser writes it: without a path, and without the scheme's default port. */
function parseOrigin(origin: string, owner: Owner): string {
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  const whole = url?.host !== '' && url?.search === '' && url.hash === '' && url.username === ''
  if (url !== undefined && whole && ['', '/'].includes(url.pathname)) {
    // URL schemes outside the web (app:, tauri:, chrome-extension:) have no `origin`.
    return url.origin === 'null' ? `${url.protocol}//${url.host}` : url.origin
  }
  throw misconfigured(
    `API_SERVER_CORS_ORIGINS: expected origins such as https://app.example, got ${JSON.stringify(origin.slice(0, 80))}`,
    `correct it in ${placeOf(owner)}`,
  )
}

/** Exit code 78 parks the slot: starting again would not help. */
export const misconfigured = (message: string, next: string): HermesError =>
  new HermesError('FAILED', message, { exitCode: EXIT.configuration, next })

/** Place where a profile's variables are set: a named profile reads them only from its own `.env`. */
export const placeOf = ({ profile, dir }: Owner): string =>
  profile === 'default' ? `the container's environment, or ${join(dir, '.env')}` : join(dir, '.env')

const keyHint = (owner: Owner): string => `generate one with "openssl rand -hex 32" and set it in ${placeOf(owner)}`

export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)
