import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { forwardedFacts } from './forwarded.ts'
import { type IsTrusted, plainAddress } from './proxies.ts'

/** A request as the gates judge it. */
export interface RequestFacts {
  readonly method: string
  /** {@link rawPath} */
  readonly path: string
  /** With its `?`, or empty. */
  readonly search: string
  readonly host: string
  /** Where the browser sees us: `https://hermes.example`. */
  readonly origin: string
  /** What the browser has before our paths: empty, or `/hermes`. */
  readonly prefix: string
  readonly secure: boolean
  readonly address: string
  readonly headers: IncomingHttpHeaders
}

export interface Outside {
  /** HERMES_DASHBOARD_PUBLIC_URL; it wins over what any proxy says. */
  readonly publicUrl: URL | undefined
  readonly isTrusted: IsTrusted
}

const PREFIX = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/

/** As it stands in the request line, without the query. */
export const rawPath = ({ url = '' }: Pick<IncomingMessage, 'url'>): string => url.split('?')[0] ?? ''

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

/** As a browser writes it, which leaves out the scheme's own port. */
function originOf(secure: boolean, host: string): string {
  const text = `${secure ? 'https' : 'http'}://${host.toLowerCase()}`
  return URL.canParse(text) ? new URL(text).origin : text
}
