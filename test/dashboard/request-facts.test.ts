import { expect, test } from 'vitest'
import { forwardedFacts, parseForwarded } from '../../src/dashboard/gate/forwarded.ts'
import { nodeAddress, parseProxies } from '../../src/dashboard/gate/proxies.ts'
import { plainAddress } from '../../src/system/net/address.ts'

const isTrusted = parseProxies('10.0.0.0/8, 127.0.0.1 fd00::/8')

test.each([
  ['10.1.2.3', true],
  ['11.1.2.3', false],
  ['127.0.0.1', true],
  ['127.0.0.2', false],
  ['fd00::1', true],
  ['2001:db8::1', false],
  ['', false],
  ['proxy.example', false],
])('%s is a trusted proxy: %s', (address, expected) => {
  expect(isTrusted(address)).toBe(expected)
})

test.each(['proxy', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/x', 'fd00::/129', '300.1.1.1'])(
  '%s is not a proxy',
  (text) => {
    expect(() => parseProxies(text)).toThrow(`"${text}" is neither an address nor a network`)
  },
)

test('a proxy is trusted only if it is named', () => {
  expect(parseProxies(undefined)('127.0.0.1')).toBe(false)
})

test.each([
  // No proxy of ours: what it says of others is its own word.
  ['203.0.113.1', '198.51.100.1', '203.0.113.1'],
  ['10.0.0.1', undefined, '10.0.0.1'],
  ['10.0.0.1', '198.51.100.1', '198.51.100.1'],
  // The client itself wrote the entries to the left of its own address.
  ['10.0.0.1', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
  ['10.0.0.1', '1.1.1.1, 198.51.100.1, 10.0.0.2', '198.51.100.1'],
  ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['10.0.0.1', 'unknown', '10.0.0.1'],
  ['10.0.0.1', '::ffff:198.51.100.1', '198.51.100.1'],
])('from %s with X-Forwarded-For %s: %s', (peer, header, expected) => {
  const headers = header === undefined ? {} : { 'x-forwarded-for': header }
  expect(forwardedFacts(headers, peer, isTrusted).address).toBe(expected)
})

test('an IPv4 address on a dual-stack socket is itself', () => {
  expect(plainAddress('::ffff:10.0.0.1')).toBe('10.0.0.1')
  expect(plainAddress('::1')).toBe('::1')
  expect(plainAddress(undefined)).toBe('')
})

test.each([
  ['203.0.113.7:51000', '203.0.113.7'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['2001:db8::1', '2001:db8::1'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['unknown', 'unknown'],
  ['_hidden:80', '_hidden:80'],
])('a proxy that writes %s means %s', (text, address) => {
  expect(nodeAddress(text)).toBe(address)
})

test('the elements of Forwarded, as RFC 7239 writes them', () => {
  const header = 'For="[2001:db8:cafe::17]:4711", for=192.0.2.43;proto=http;by=203.0.113.43, for="_a;b,c\\"d"'
  expect(parseForwarded(header).map((element) => Object.fromEntries(element))).toEqual([
    { for: '[2001:db8:cafe::17]:4711' },
    { for: '192.0.2.43', proto: 'http', by: '203.0.113.43' },
    { for: '_a;b,c"d' },
  ])
})

test('of a chain counts what the outermost trusted proxy has written', () => {
  const forwarded =
    'for=1.1.1.1;host=made.up;proto=http, for="198.51.100.1:81";host=hermes.example;proto=https, for=10.0.0.2;host=in'
  expect(forwardedFacts({ forwarded }, '10.0.0.1', isTrusted)).toEqual({
    address: '198.51.100.1',
    host: 'hermes.example',
    secure: true,
  })
  expect(forwardedFacts({ forwarded }, '203.0.113.1', isTrusted)).toEqual({ address: '203.0.113.1' })
  // A proxy that writes the other kind has handed this one on as it came from the client.
  const both = {
    forwarded: 'for=1.1.1.1;host=made.up',
    'x-forwarded-for': '198.51.100.1',
    'x-forwarded-proto': 'https',
  }
  expect(forwardedFacts(both, '10.0.0.1', isTrusted)).toEqual({ address: '198.51.100.1', secure: true })
})
