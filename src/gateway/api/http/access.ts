import type { IncomingMessage } from 'node:http'
import { sameText } from '../../../system/text/same-text.ts'
import { isListed, type Origins } from './cors.ts'
import { forbidden, wrongKey } from './refusals.ts'
import { isLoopback } from './settings.ts'

/** Throws Refused for a request that may not use the API. */
export type CheckAccess = (request: Pick<IncomingMessage, 'headers'>) => void

/**
 * @param key null: everybody on this machine may, but no web page that a browser on it has open
 * @param origins of web pages that may all the same
 */
export function accessCheck(key: string | null, origins: Origins): CheckAccess {
  if (key === null) return refuseWebPages(origins)
  return ({ headers: { authorization } }) => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
    if (!sameText(given, key)) throw wrongKey(given !== undefined)
  }
}

/**
 * Without a key, the loopback address is the only protection, and a browser crosses it for any page: by a request to
 * another origin (visible in Origin), or by a name that now resolves to 127.0.0.1 (visible in Host).
 */
const refuseWebPages =
  (origins: Origins): CheckAccess =>
  ({ headers: { origin, host } }) => {
    if (
      origin !== undefined &&
      !isListed(origins, origin) &&
      !(URL.canParse(origin) && isLoopback(new URL(origin).hostname))
    ) {
      throw forbidden(
        'requests from web pages need an API key (API_SERVER_KEY), or an origin that API_SERVER_CORS_ORIGINS names',
      )
    }
    if (!isLoopback((host ?? '').replace(/:\d+$/, ''))) {
      throw forbidden('without an API key, only requests to localhost are answered; set API_SERVER_KEY')
    }
  }
