/** Address of a listener as users write it. An IPv6 address is in brackets if a port follows (RFC 3986, 3.2.2). */
import { isIPv6 } from 'node:net'

export interface Address {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
}

/** Host in the form that sockets take: without the brackets of `[::1]`. */
export const plainHost = (text: string): string => /^\[(.*)\]$/.exec(text)?.[1] ?? text

/** `redis:6379`, `[::1]:6379`. */
export const addressText = ({ host, port }: Address): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/**
 * `6379` (on this machine), `redis:6379`, `[::1]:6379`; also `::1:6379`, where the last group is the port.
 * @returns undefined when it is none of these
 */
export function parseAddress(value: unknown): Address | undefined {
  const found = /^(?:(.+):)?(\d{1,5})$/.exec(typeof value === 'number' ? String(value) : asText(value))
  const [, where = '127.0.0.1', digits] = found ?? []
  const port = Number(digits)
  const host = plainHost(where)
  const isHost = host === where ? isIPv6(host) || /^[^\s:[\]]+$/.test(host) : isIPv6(host)
  return isHost && port >= 1 && port <= 65_535 ? { host, port } : undefined
}

const asText = (value: unknown): string => (typeof value === 'string' ? value.trim() : '')

/** An IPv4 address that a dual-stack socket reports as `::ffff:10.0.0.1`, as itself. */
export const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '')

/**
 * One customer of an IPv6 network has 2^64 addresses: they count as one (RFC 6177). IPv4 addresses count one by one,
 * also where a dual-stack socket reports them: all of those are in one IPv6 network.
 */
export function networkOf(reported: string): string {
  const address = plainAddress(reported)
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('::')
  const front = head.split(':').filter((part) => part !== '')
  const back = address.includes('::') ? tail.split(':').filter((part) => part !== '') : []
  const zeros = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0')
  return [...front, ...zeros, ...back].slice(0, 4).join(':')
}
