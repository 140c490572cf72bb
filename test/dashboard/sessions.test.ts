import { describe, expect, test } from 'vitest'
import type { IsAllowed } from '../../src/dashboard/auth/providers/allow-list.ts'
import { type DashboardAuthProvider, LoginRefused, ProviderAway } from '../../src/dashboard/auth/providers/provider.ts'
import type { RevokedSessions } from '../../src/dashboard/auth/revoked.ts'
import { Sealer } from '../../src/dashboard/auth/seal.ts'
import { Sessions } from '../../src/dashboard/auth/sessions.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'

const PLACE = { secure: false, path: '/', mark: '0123abcd' }
const HOUR_MS = 3_600_000
const password: DashboardAuthProvider = {
  kind: 'password',
  name: 'basic',
  label: '',
  fingerprint: 'one',
  check: async () => undefined,
}

/** A provider whose answer to a renewal is the test's. */
function redirecting(renew: (token: string) => Promise<string>): DashboardAuthProvider & { readonly tokens: string[] } {
  const tokens: string[] = []
  return {
    tokens,
    kind: 'oidc',
    name: 'corp',
    label: '',
    fingerprint: 'two',
    begin: () => Promise.reject(new Error('not asked here')),
    finish: () => Promise.reject(new Error('not asked here')),
    revoke: async () => undefined,
    close: () => undefined,
    async renew(token, identity) {
      tokens.push(token)
      return { identity, refreshToken: await renew(token), expiresInS: 300 }
    },
  }
}

function world(providers: readonly DashboardAuthProvider[], isAllowed: IsAllowed = () => true) {
  const clock = fakeClock()
  const ended = new Set<string>()
  const refused: string[] = []
  const revoked = {
    has: (id: string) => ended.has(id),
    add: async (id: string) => void ended.add(id),
  } as unknown as RevokedSessions
  const sealer = new Sealer(Buffer.alloc(32, 1))
  const sessions = new Sessions({
    clock,
    sealer,
    revoked,
    providers,
    isAllowed,
    refused: (_, why) => refused.push(why),
  })
  return { clock, sessions, ended, refused, sealer }
}

/** As a browser keeps them. */
const jar = (cookies: readonly string[]): string => cookies.map((cookie) => cookie.split(';')[0]).join('; ')

describe('a session by password', () => {
  test('opens for a quarter of an hour, is renewed by itself, and is over after twelve hours', async () => {
    const { clock, sessions } = world([password])
    const begun = sessions.begin(password, { identity: { subject: 'me', scope: 'admin' } }, PLACE)
    let cookie = jar(begun.cookies)
    expect(await sessions.read(cookie, PLACE)).toMatchObject({ kind: 'user', cookies: [] })
    clock.advance(15 * 60_000)
    for (let ms = 15 * 60_000; ms < 12 * HOUR_MS; ms += 15 * 60_000) {
      const read = await sessions.read(cookie, PLACE)
      expect(read).toMatchObject({ kind: 'user', session: { id: begun.session.id, endsMs: begun.session.endsMs } })
      expect(read.cookies).toHaveLength(2)
      cookie = jar(read.cookies)
      clock.advance(15 * 60_000)
    }
    expect(await sessions.read(cookie, PLACE)).toMatchObject({
      kind: 'anonymous',
      reason: 'invalid_or_expired_session',
    })
  })

  test('is over when it was ended, the password changed, or the user was taken off the list', async () => {
    const allowed = { now: true }
    const { sessions, sealer, ended } = world([password], () => allowed.now)
    const { cookies, session } = sessions.begin(password, { identity: { subject: 'me', scope: 'admin' } }, PLACE)
    allowed.now = false
    expect((await sessions.read(jar(cookies), PLACE)).kind).toBe('anonymous')
    allowed.now = true
    const other = world([{ ...password, fingerprint: 'another' }])
    expect((await other.sessions.read(jar(cookies), PLACE)).kind).toBe('anonymous')
    await sessions.end(session, jar(cookies), PLACE)
    expect(ended.has(session.id)).toBe(true)
    expect((await sessions.read(jar(cookies), PLACE)).kind).toBe('anonymous')
    expect(session.token).toBe(sealer.tokenOf(session.id))
  })

  test('without cookies there is no session, and no cookie is deleted', async () => {
    const { sessions } = world([password])
    for (const header of [undefined, '', 'other=1'])
      expect(await sessions.read(header, PLACE)).toEqual({
        kind: 'anonymous',
        reason: 'no_cookie',
        cookies: [],
        foreign: false,
      })
  })
})

describe('a session by a provider', () => {
  const grant = {
    identity: { subject: 'x', email: 'x@example.com', scope: 'admin' as const },
    refreshToken: 'r0',
    expiresInS: 60,
  }

  test('uses each refresh token once, however many requests come with it at the same time and shortly after', async () => {
    const provider = redirecting(async (token) => `r${Number(token.slice(1)) + 1}`)
    const { clock, sessions } = world([provider])
    const first = jar(sessions.begin(provider, grant, PLACE).cookies)
    clock.advance(61_000)
    const reads = await Promise.all(Array.from({ length: 5 }, () => sessions.read(first, PLACE)))
    expect(reads.every(({ kind }) => kind === 'user')).toBe(true)
    expect(new Set(reads.map(({ cookies }) => jar(cookies))).size).toBe(1)
    clock.advance(10_000)
    expect((await sessions.read(first, PLACE)).kind).toBe('user')
    expect(provider.tokens).toEqual(['r0'])
    clock.advance(301_000)
    const second = jar(reads[0]?.cookies ?? [])
    expect((await sessions.read(second, PLACE)).kind).toBe('user')
    expect(provider.tokens).toEqual(['r0', 'r1'])
  })

  test('asks again after the provider was away, and is over after it refused', async () => {
    const answers = [new ProviderAway('away'), new LoginRefused('invalid_grant')]
    const provider = redirecting(async () => {
      throw answers.shift() ?? new Error('asked too often')
    })
    const { clock, sessions, refused } = world([provider])
    const cookie = jar(sessions.begin(provider, grant, PLACE).cookies)
    clock.advance(61_000)
    await expect(sessions.read(cookie, PLACE)).rejects.toBeInstanceOf(ProviderAway)
    expect(await sessions.read(cookie, PLACE)).toMatchObject({
      kind: 'anonymous',
      reason: 'invalid_or_expired_session',
    })
    expect(refused).toEqual(['invalid_grant'])
  })

  test('without a refresh token, or with one that no cookie could hold, lasts an hour', async () => {
    const provider = redirecting(async () => 'none')
    for (const refreshToken of [undefined, 'x'.repeat(5000)]) {
      const { clock, sessions } = world([provider])
      const { identity, expiresInS } = grant
      const long = { identity, expiresInS, ...(refreshToken === undefined ? {} : { refreshToken }) }
      const { cookies } = sessions.begin(provider, long, PLACE)
      for (const cookie of cookies) expect(cookie.length).toBeLessThan(4096)
      clock.advance(HOUR_MS - 1)
      expect((await sessions.read(jar(cookies), PLACE)).kind).toBe('user')
      clock.advance(1)
      expect((await sessions.read(jar(cookies), PLACE)).kind).toBe('anonymous')
    }
    expect(provider.tokens).toEqual([])
  })

  test('gives back its refresh token when it is ended', async () => {
    const provider = redirecting(async () => 'none')
    const { sessions } = world([provider])
    const { cookies, session } = sessions.begin(provider, grant, PLACE)
    expect(await (await sessions.end(session, jar(cookies), PLACE)).refreshToken).toBe('r0')
  })

  test('that is ended is known without asking the provider, after its access has expired too', async () => {
    const provider = redirecting(() => Promise.reject(new ProviderAway('away')))
    const { clock, sessions } = world([provider])
    const { cookies, session } = sessions.begin(provider, grant, PLACE)
    clock.advance(61_000)
    expect(sessions.peek(jar(cookies), PLACE)).toMatchObject({ id: session.id, endsMs: session.endsMs })
    await sessions.end(session, jar(cookies), PLACE)
    expect(sessions.peek(jar(cookies), PLACE)).toBeUndefined()
    expect(await sessions.read(jar(cookies), PLACE)).toMatchObject({ kind: 'anonymous' })
    expect(provider.tokens).toEqual([])
  })

  test('ended while it is being renewed is not renewed, and gives back the token that came of it', async () => {
    let answer: (token: string) => void = () => undefined
    const provider = redirecting(
      () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    )
    const { clock, sessions } = world([provider])
    const { cookies, session } = sessions.begin(provider, grant, PLACE)
    clock.advance(61_000)
    const reading = [sessions.read(jar(cookies), PLACE), sessions.read(jar(cookies), PLACE)]
    const ended = sessions.end(session, jar(cookies), PLACE)
    // A user who logs out does not wait for the provider.
    await ended
    answer('r1')
    for (const read of await Promise.all(reading)) expect(read.kind).toBe('anonymous')
    expect(await (await ended).refreshToken).toBe('r1')
  })

  test('ended while its renewal fails gives back the token it had', async () => {
    let fail: (error: Error) => void = () => undefined
    const provider = redirecting(
      () =>
        new Promise((_, reject) => {
          fail = reject
        }),
    )
    const { clock, sessions } = world([provider])
    const { cookies, session } = sessions.begin(provider, grant, PLACE)
    clock.advance(61_000)
    const reading = sessions.read(jar(cookies), PLACE)
    const ended = sessions.end(session, jar(cookies), PLACE)
    fail(new ProviderAway('away'))
    await expect(reading).rejects.toBeInstanceOf(ProviderAway)
    expect(await (await ended).refreshToken).toBe('r0')
  })
})
