/** Facts that proxies add to a request: `X-Forwarded-*`, or `Forwarded` (RFC 7239). Pure. */
import type { IncomingHttpHeaders } from 'node:http'
import { clientOf, type IsTrusted } from './proxies.ts'

/** The request as the browser sent it, as far as the proxies report it. */
export interface Forwarded {
  readonly address: string
  readonly host?: string
  readonly secure?: boolean
  readonly prefix?: string
}

/** @param peer address that has connected to us */
export function forwardedFacts(headers: IncomingHttpHeaders, peer: string, isTrusted: IsTrusted): Forwarded {
  if (!isTrusted(peer)) return { address: peer }
  const all = (name: string): readonly string[] => listOf(headers[name])
  const chain = all('x-forwarded-for')
  const host = all('x-forwarded-host')[0]
  const proto = all('x-forwarded-proto')[0]
  const prefix = all('x-forwarded-prefix')[0]
  // A proxy that writes these hands on what a client has sent as Forwarded.
  const others = chain.length > 0 || host !== undefined || proto !== undefined
  if (!others && headers.forwarded !== undefined)
    return { ...standardFacts(headers.forwarded, peer, isTrusted), ...(prefix === undefined ? {} : { prefix }) }
  // Azure's gateway, if it uses another name for us.
  const asked = host ?? all('x-original-host')[0]
  return {
    address: clientOf(peer, chain, isTrusted).address,
    ...(asked === undefined ? {} : { host: asked }),
    ...(proto === undefined ? {} : { secure: isSecure(proto) }),
    ...(prefix === undefined ? {} : { prefix }),
  }
}

/** Traefik sends `wss` for a WebSocket. */
const isSecure = (proto: string): boolean => ['https', 'wss'].includes(proto.toLowerCase())

function listOf(header: string | readonly string[] | undefined): readonly string[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(',')
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** Each proxy adds an element at the end: what the outermost trusted one saw is in the client's. */
function standardFacts(header: string, peer: string, isTrusted: IsTrusted): Forwarded {
  const elements = parseForwarded(header)
  const { address, index } = clientOf(
    peer,
    elements.map((element) => element.get('for') ?? ''),
    isTrusted,
  )
  const element = elements[index] ?? elements.at(-1)
  const host = element?.get('host')
  const proto = element?.get('proto')
  return {
    address,
    ...(host === undefined ? {} : { host }),
    ...(proto === undefined ? {} : { secure: isSecure(proto) }),
  }
}

/** `for="[2001:db8::1]:4711";proto=https, for=10.0.0.1`: names in small letters, values without their quotes. */
export function parseForwarded(header: string): readonly ReadonlyMap<string, string>[] {
  const elements: Map<string, string>[] = [new Map()]
  for (const [, name, quoted, token, comma] of header.matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))|(,)/g)) {
    if (comma !== undefined) elements.push(new Map())
    else elements.at(-1)?.set((name ?? '').toLowerCase(), token ?? (quoted ?? '').replaceAll(/\\(.)/g, '$1'))
  }
  return elements
}
