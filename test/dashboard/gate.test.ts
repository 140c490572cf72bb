import { expect, test } from 'vitest'
import { decideGate, hostName, isLoopback } from '../../src/dashboard/gate/gate.ts'

const decide = (host: string, settings: Record<string, string> = {}, insecure = false) =>
  decideGate({ host, port: 9119, insecure, setting: (name) => settings[name] })

const password = { BASIC_AUTH_USERNAME: 'me', BASIC_AUTH_PASSWORD: 'secret' }

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.0.0.1.example.com', false],
  ['192.168.1.5', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})

test('a loopback address needs no log-in, whatever is configured', () => {
  expect(decide('127.0.0.1')).toEqual({ kind: 'loopback' })
  expect(decide('127.0.0.1', password)).toEqual({ kind: 'loopback' })
})

test('another address with a provider asks for a log-in', () => {
  expect(decide('0.0.0.0', password)).toEqual({ kind: 'login', providers: ['basic'] })
  expect(decide('0.0.0.0', { OAUTH_CLIENT_ID: 'x' })).toEqual({ kind: 'login', providers: ['nous'] })
  expect(decide('0.0.0.0', { ...password, OAUTH_CLIENT_ID: 'x', OIDC_NAME: 'corp' })).toEqual({
    kind: 'login',
    providers: ['corp', 'basic'],
  })
})

test.each([{}, { BASIC_AUTH_USERNAME: 'me' }, { BASIC_AUTH_PASSWORD: 'x' }, { OIDC_ISSUER: 'https://x' }])(
  'another address without a whole provider (%o) is refused, naming the address and what would help',
  (settings) => {
    expect(decide('0.0.0.0', settings)).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('0.0.0.0:9119'),
      next: expect.stringContaining('HERMES_DASHBOARD_BASIC_AUTH_USERNAME'),
    })
  },
)

test('where profiles can be walled, it needs a log-in on every address, whatever the switch says', () => {
  const walled = (host: string, settings: Record<string, string>, insecure = false) =>
    decideGate({ host, port: 9119, insecure, hasWalls: true, setting: (name) => settings[name] })
  for (const host of ['127.0.0.1', 'localhost', '0.0.0.0'])
    for (const insecure of [false, true]) {
      expect(walled(host, password, insecure)).toEqual({ kind: 'login', providers: ['basic'] })
      expect(walled(host, {}, insecure)).toMatchObject({
        kind: 'refused',
        why: expect.stringContaining('HERMES_PROFILE_UIDS'),
        next: expect.stringContaining('HERMES_DASHBOARD_BASIC_AUTH_USERNAME'),
      })
    }
})

test('only the switch opens it', () => {
  expect(decide('0.0.0.0', {}, true)).toEqual({ kind: 'insecure' })
})

test.each([
  ['localhost:9119', 'localhost'],
  ['[::1]:9119', '::1'],
  ['127.0.0.1', '127.0.0.1'],
  [undefined, ''],
])('the name in the Host header %o is %o', (header, name) => {
  expect(hostName(header)).toBe(name)
})
