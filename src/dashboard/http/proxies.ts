import { BlockList, isIP } from 'node:net'
import { plainHost } from '../../system/address.ts'

/** Addresses of proxies whose `X-Forwarded-*` is believed. */
export type IsTrusted = (address: string) => boolean

/**
 * @param text addresses and networks with commas: `10.0.0.2, 172.16.0.0/12, fd00::/8`
 * @throws Error naming the part that is none
 */
export function parseProxies(text: string | undefined): IsTrusted {
  const list = new BlockList()
  for (const part of (text ?? '').split(/[\s,]+/).filter((word) => word !== '')) add(list, part)
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function add(list: BlockList, part: string): void {
  const [written = '', bits, more] = part.split('/')
  const address = plainHost(written)
  const family = isIP(address)
  const longest = family === 6 ? 128 : 32
  const length = bits === undefined ? longest : Number(bits)
  if (family === 0 || more !== undefined || !/^\d{1,3}$/.test(bits ?? '0') || length > longest)
    throw new Error(`"${part}" is neither an address nor a network such as 10.0.0.0/8`)
  list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4')
}

/** An IPv4 address that a dual-stack socket reports as `::ffff:10.0.0.1`, as itself. */
export const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '')

/**
 * Who really asks: from the right, the first address of `X-Forwarded-For` that is no trusted proxy. What stands left of it was
 * written by that client.
 */
export function clientAddress(peer: string, forwardedFor: string | undefined, isTrusted: IsTrusted): string {
  if (!isTrusted(peer)) return peer
  const chain = (forwardedFor ?? '').split(',').map((part) => plainAddress(part.trim()))
  let client = peer
  for (const address of chain.reverse()) {
    if (isIP(address) === 0) return client
    client = address
    if (!isTrusted(address)) return client
  }
  return client
}
