import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { plainAddress } from '../../system/net/address.ts'
import { forwardedFacts } from './forwarded.ts'
import type { IsTrusted } from './proxies.ts'

/** A request as the gates judge it. */
export interface RequestFacts {
  readonly method: string
  /** {@link rawPath} */
  readonly path: string
  /** Includes its `?`, or is empty. */
  readonly search: string
  readonly host: string
  /** Our origin as the browser sees it: `https://hermes.example`. */
  readonly origin: string
  /** Prefix of our paths in the browser: empty, or `/hermes`. */
  readonly prefix: string
  readonly secure: boolean
  readonly address: string
  readonly headers: IncomingHttpHeaders
}

export interface Outside {
  /** HERMES_DASHBOARD_PUBLIC_URL; it takes precedence over proxy headers. */
  readonly publicUrl: URL | undefined
  readonly isTrusted: IsTrusted
}

const PREFIX = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/

export const METRICS_PATH = '/api/metrics'
/** Where Prometheus looks if its configuration names no path. */
const METRICS_SHORT = '/metrics'

/**
 * The path from the request line, without the query. `/metrics` is another name for the path of the metrics, here, so
 * that gates and router treat both alike.
 */
export function rawPath({ url = '' }: Pick<IncomingMessage, 'url'>): string {
  const path = url.split('?')[0] ?? ''
  return path === METRICS_SHORT ? METRICS_PATH : path
}

export function requestFacts(incoming: IncomingMessage, { publicUrl, isTrusted }: Outside): RequestFacts {
  const { headers, method = 'GET', url = '' } = incoming
  const query = url.indexOf('?')
  const peer = plainAddress(incoming.socket.remoteAddress)
  const forwarded = forwardedFacts(headers, peer, isTrusted)
  const secure = forwarded.secure === true
  const given = forwarded.prefix?.replace(/\/+$/, '')
  const seen =
    publicUrl === undefined
      ? {
          origin: originOf(secure, forwarded.host ?? headers.host ?? ''),
          prefix: given !== undefined && PREFIX.test(given) ? given : '',
          secure,
        }
      : {
          origin: publicUrl.origin,
          prefix: publicUrl.pathname.replace(/\/+$/, ''),
          secure: publicUrl.protocol === 'https:',
        }
  return {
    method,
    path: rawPath(incoming),
    search: query === -1 ? '' : url.slice(query),
    host: headers.host ?? '',
    ...seen,
    address: forwarded.address,
    headers,
  }
}

/** As a browser writes it, without the scheme's default port. */
function originOf(secure: boolean, host: string): string {
  const text = `${secure ? 'https' : 'http'}://${host.toLowerCase()}`
  return URL.canParse(text) ? new URL(text).origin : text
}
