import { join } from 'node:path'
import { plainHost } from '../../system/address.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { truthy } from '../../system/markers.ts'

export interface ApiSettings {
  readonly host: string
  readonly port: number
  /** null: none is asked for; only on a loopback address. */
  readonly key: string | null
}

/** Whose settings they are: for messages that say who should change what. */
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
    throw misconfigured('API_SERVER_KEY has characters that no HTTP header can carry', keyHint(owner))
  }
  if (key === null && !isLoopback(host)) {
    throw misconfigured(
      `API_SERVER_HOST ${host} can be reached from other machines, so API_SERVER_KEY must be set`,
      keyHint(owner),
    )
  }
  return { host, port, key }
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

/** Exit code 78 parks the slot: starting again would not help. */
export const misconfigured = (message: string, next: string): HermesError =>
  new HermesError('FAILED', message, { exitCode: EXIT.configuration, next })

/** Where the variables of a profile are set: a named profile has them from its own `.env` only. */
export const placeOf = ({ profile, dir }: Owner): string =>
  profile === 'default' ? `the container's environment, or ${join(dir, '.env')}` : join(dir, '.env')

const keyHint = (owner: Owner): string => `make one with "openssl rand -hex 32" and set it in ${placeOf(owner)}`

export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)
