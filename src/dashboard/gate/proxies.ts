import { BlockList, isIP } from 'node:net'
import { plainAddress, plainHost } from '../../system/net/address.ts'

/** Addresses of proxies whose `X-Forwarded-*` headers are trusted. */
export type IsTrusted = (address: string) => boolean

/**
 * @param text addresses and networks with commas: `10.0.0.2, 172.16.0.0/12, fd00::/8`
 * @throws Error naming the part that is neither
 */
export function parseProxies(text: string | undefined): IsTrusted {
  const list = new BlockList()
  for (const part of (text ?? '').split(/[\s,]+/).filter((one) => one !== '')) add(list, part)
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

/**
 * An address as proxies write it, which may have a port: `203.0.113.7:51000` (Azure, IIS), `[2001:db8::1]:443` (RFC
 * 7239, 6).
 * @returns the text itself where it is not an address (`unknown`, `_hidden`)
 */
export function nodeAddress(text: string): string {
  const node = text.trim()
  const [, v6] = /^\[([^\]]*)\](?::\d+)?$/.exec(node) ?? []
  const [, v4] = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(node) ?? []
  return plainAddress(v6 ?? v4 ?? node)
}

/**
 * Finds the real client: from the right, the first address of a chain that is not a trusted proxy. The addresses to
 * its left were written by that client.
 * @param chain addresses in the order of the header
 * @returns `index`: its position in the chain; -1: none
 */
export function clientOf(
  peer: string,
  chain: readonly string[],
  isTrusted: IsTrusted,
): { readonly address: string; readonly index: number } {
  let client = { address: peer, index: -1 }
  for (let index = chain.length - 1; index >= 0 && isTrusted(client.address); index -= 1) {
    const address = nodeAddress(chain[index] ?? '')
    if (isIP(address) === 0) break
    client = { address, index }
  }
  return client
}
