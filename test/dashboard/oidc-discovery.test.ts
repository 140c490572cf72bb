// How long what an identity provider says of itself counts: a real provider, and a clock that the test moves.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { oidcProvider } from '../../src/dashboard/auth/providers/oidc.ts'
import type { RedirectProvider } from '../../src/dashboard/auth/providers/provider.ts'
import { CLIENT, type IdentityProvider, startIdentityProvider } from '../support/dashboard/identity-provider.ts'
import { type FakeClock, fakeClock } from '../support/supervisor/fake-clock.ts'

const HOUR_MS = 3_600_000
const REDIRECT_URI = 'http://127.0.0.1:9/auth/callback'

let clock: FakeClock
let provider: IdentityProvider
let client: RedirectProvider
beforeEach(async () => {
  clock = fakeClock()
  provider = await startIdentityProvider({ redirectUri: REDIRECT_URI, accounts: { alice: {} } })
  const settings = { name: 'nous', issuer: provider.issuer, clientId: CLIENT.id, clientSecret: CLIENT.secret }
  client = oidcProvider({ ...settings, scope: 'openid' }, clock, undefined)
})
afterEach(async () => {
  client.close()
  await provider[Symbol.asyncDispose]()
})

/** How often the provider has been asked for that. */
const asked = (what: 'openid-configuration' | 'jwks'): number =>
  provider.asked.filter((url) => url.endsWith(what)).length

async function logIn(): Promise<string> {
  const { url, pending } = await client.begin(REDIRECT_URI)
  const { identity } = await client.finish(new URL(await provider.signIn(url.href, 'alice')), pending)
  return identity.subject
}

test('it is asked at the first log-in, and again by the first one after an hour, its keys included', async () => {
  expect(provider.asked).toEqual([])
  for (const waitMs of [0, 0, HOUR_MS - 1]) {
    clock.advance(waitMs)
    expect(await logIn()).toBe('alice')
    expect([asked('openid-configuration'), asked('jwks')]).toEqual([1, 1])
  }
  clock.advance(1)
  expect(await logIn()).toBe('alice')
  expect([asked('openid-configuration'), asked('jwks')]).toEqual([2, 2])
})

test('a provider that signs in another way since its description ran out costs no log-in', async () => {
  await logIn()
  provider.sign('ES256')
  clock.advance(HOUR_MS)
  expect(await logIn()).toBe('alice')
})

test('a log-in that was begun before the hour is over ends after it, by what was known', async () => {
  const { url, pending } = await client.begin(REDIRECT_URI)
  const back = await provider.signIn(url.href, 'alice')
  clock.advance(HOUR_MS)
  expect((await client.finish(new URL(back), pending)).identity.subject).toBe('alice')
  expect(asked('openid-configuration')).toBe(1)
})

test('while the provider does not answer, its answer of an hour ago counts; it is asked again two seconds later', async () => {
  await logIn()
  clock.advance(HOUR_MS)
  await provider.down()
  expect((await client.begin(REDIRECT_URI)).url.origin).toBe(provider.issuer)
  await provider.up()
  expect(await logIn()).toBe('alice')
  expect(asked('openid-configuration')).toBe(1)
  clock.advance(2000)
  expect(await logIn()).toBe('alice')
  expect(asked('openid-configuration')).toBe(2)
})
