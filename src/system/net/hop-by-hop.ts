import type { IncomingHttpHeaders } from 'node:http'

/** Headers about one connection (RFC 9110, 7.6.1), which a proxy does not pass on. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Tells which headers of a message a proxy passes on. Names are in small letters.
 * @param others headers that the proxy writes itself
 */
export function passesOn(
  { connection = '' }: Pick<IncomingHttpHeaders, 'connection'>,
  others: ReadonlySet<string> = new Set(),
): (name: string) => boolean {
  const named = connection.split(',').map((name) => name.trim().toLowerCase())
  return (name) => !OF_CONNECTION.has(name) && !others.has(name) && !named.includes(name)
}
