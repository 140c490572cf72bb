import { expect, test } from 'vitest'
import { clientAddress, parseProxies, plainAddress } from '../../src/dashboard/http/proxies.ts'

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
  '%s is no proxy',
  (text) => {
    expect(() => parseProxies(text)).toThrow(`"${text}" is neither an address nor a network`)
  },
)

test('nobody is trusted unless named', () => {
  expect(parseProxies(undefined)('127.0.0.1')).toBe(false)
})

test.each([
  // No proxy of ours: what it says of others is its own word.
  ['203.0.113.1', '198.51.100.1', '203.0.113.1'],
  ['10.0.0.1', undefined, '10.0.0.1'],
  ['10.0.0.1', '198.51.100.1', '198.51.100.1'],
  // What stands left of the client was written by the client.
  ['10.0.0.1', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
  ['10.0.0.1', '1.1.1.1, 198.51.100.1, 10.0.0.2', '198.51.100.1'],
  ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['10.0.0.1', 'unknown', '10.0.0.1'],
  ['10.0.0.1', '::ffff:198.51.100.1', '198.51.100.1'],
])('from %s with X-Forwarded-For %s: %s', (peer, header, expected) => {
  expect(clientAddress(peer, header, isTrusted)).toBe(expected)
})

test('an IPv4 address on a dual-stack socket is itself', () => {
  expect(plainAddress('::ffff:10.0.0.1')).toBe('10.0.0.1')
  expect(plainAddress('::1')).toBe('::1')
  expect(plainAddress(undefined)).toBe('')
})
