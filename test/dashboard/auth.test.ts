import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AttemptLimit, TEN_A_MINUTE } from '../../src/dashboard/auth/attempt-limit.ts'
import { cookieName, deletions, readCookie, setCookie } from '../../src/dashboard/auth/cookies.ts'
import { dashboardKey } from '../../src/dashboard/auth/key-file.ts'
import { chooseLoginStorage, type StoredText } from '../../src/dashboard/auth/login-storage.ts'
import { parseAllowList } from '../../src/dashboard/auth/providers/allow-list.ts'
import { basicProvider } from '../../src/dashboard/auth/providers/basic.ts'
import { identityOf } from '../../src/dashboard/auth/providers/oidc.ts'
import { RevokedSessions } from '../../src/dashboard/auth/revoked.ts'
import { Sealer } from '../../src/dashboard/auth/seal.ts'
import { systemClock } from '../../src/system/clock.ts'
import { hashPassword, parsePasswordHash, passwordMatches } from '../../src/system/password-hash.ts'

function temporary(): { readonly home: string } & Disposable {
  const home = mkdtempSync(join(tmpdir(), 'hermes-auth-'))
  return { home, [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }) }
}

describe('tries', () => {
  const waits = (limit: AttemptLimit, address: string, nowMs: number): number => limit.take(address, nowMs).waitMs

  test('ten in a minute from one address, then none until the first is a minute old', () => {
    const limit = new AttemptLimit(TEN_A_MINUTE)
    for (let i = 0; i < 10; i++) expect(waits(limit, '203.0.113.1', i * 1000)).toBe(0)
    expect(limit.take('203.0.113.1', 10_000)).toEqual({ waitMs: 50_000 })
    expect(waits(limit, '203.0.113.2', 10_000)).toBe(0)
    expect(limit.take('203.0.113.1', 59_999)).toEqual({ waitMs: 1 })
    expect(waits(limit, '203.0.113.1', 60_000)).toBe(0)
    expect(limit.take('203.0.113.1', 60_001)).toEqual({ waitMs: 999 })
  })

  test('addresses of one IPv6 network are one', () => {
    const limit = new AttemptLimit(TEN_A_MINUTE)
    for (let i = 0; i < 10; i++) limit.take(`2001:db8:1:2::${i}`, 0)
    expect(waits(limit, '2001:db8:1:2:ffff::1', 0)).toBe(60_000)
    expect(waits(limit, '2001:db8:1:3::1', 0)).toBe(0)
    expect(waits(limit, '::1', 0)).toBe(0)
  })

  test('of a flood of addresses the oldest are dropped first', () => {
    const limit = new AttemptLimit(TEN_A_MINUTE)
    const address = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
    for (let round = 0; round < 10; round++) limit.take(address(0), 0)
    for (let i = 1; i < 30_000; i++) limit.take(address(i), 0)
    expect(waits(limit, address(0), 0)).toBe(0)
    for (let round = 0; round < 9; round++) limit.take(address(29_999), 0)
    expect(waits(limit, address(29_999), 0)).toBe(60_000)
  })
})

describe('cookies', () => {
  const mark = '0123abcd'
  const plain = { secure: false, path: '/', mark }
  const host = { secure: true, path: '/', mark }
  const below = { secure: true, path: '/hermes', mark }

  test('are named by where they go', () => {
    expect([plain, host, below].map((place) => cookieName('hermes_session_at', place))).toEqual([
      'hermes_session_at_0123abcd',
      '__Host-hermes_session_at_0123abcd',
      '__Secure-hermes_session_at_0123abcd',
    ])
  })

  test('are read by that one name, or the one they had before: another one was planted, or is a neighbour’s', () => {
    const header =
      'hermes_session_at=planted; x=1; __Host-hermes_session_at_0123abcd=ours; __Host-hermes_session_at=old'
    expect(readCookie(header, 'hermes_session_at', host)).toBe('ours')
    expect(readCookie('__Host-hermes_session_at=old', 'hermes_session_at', host)).toBe('old')
    expect(readCookie('hermes_session_at=planted', 'hermes_session_at', host)).toBeUndefined()
    expect(readCookie('hermes_session_at_ffffffff=other', 'hermes_session_at', plain)).toBeUndefined()
    expect(readCookie('hermes_session_at=', 'hermes_session_at', plain)).toBeUndefined()
    expect(readCookie(undefined, 'hermes_session_at', plain)).toBeUndefined()
  })

  test('have all their attributes', () => {
    expect(setCookie('hermes_session_rt', 'v', 60.9, below)).toBe(
      '__Secure-hermes_session_rt_0123abcd=v; Path=/hermes; Max-Age=60; HttpOnly; SameSite=Lax; Secure',
    )
  })

  test('are taken back under every name, each with the attributes a browser demands for it', () => {
    const all = deletions({ path: '/hermes', mark })
    expect(all).toHaveLength(16)
    for (const cookie of all) {
      expect(cookie).toContain('=; Path=/')
      expect(cookie).toContain('Max-Age=0')
      expect(cookie.endsWith('; Secure')).toBe(cookie.startsWith('__'))
      if (cookie.startsWith('__Host-')) expect(cookie).toContain('Path=/;')
    }
  })
})

describe('a sealed text', () => {
  const sealer = new Sealer(Buffer.alloc(32, 7))

  test('opens for its purpose, with its key, unchanged', () => {
    const sealed = sealer.seal('access', { user: 'me' })
    expect(sealer.open('access', sealed)).toEqual({ user: 'me' })
    expect(sealer.open('refresh', sealed)).toBeUndefined()
    expect(new Sealer(Buffer.alloc(32, 8)).open('access', sealed)).toBeUndefined()
    expect(sealer.seal('access', { user: 'me' })).not.toBe(sealed)
    const bytes = Buffer.from(sealed, 'base64url')
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes)
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(sealer.open('access', changed.toString('base64url'))).toBeUndefined()
    }
    for (const text of ['', 'x', '%%%', sealed.slice(0, -4), `${sealed}AAAA`])
      expect(sealer.open('access', text)).toBeUndefined()
  })
})

describe('dashboard.key', () => {
  test('is made once, for its owner only, also when two begin at the same time', async () => {
    using scratch = temporary()
    const keys = await Promise.all(Array.from({ length: 5 }, () => dashboardKey(scratch.home)))
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1)
    expect(keys[0]).toHaveLength(32)
    expect(statSync(join(scratch.home, 'dashboard.key')).mode & 0o777).toBe(0o600)
    expect((await dashboardKey(scratch.home)).equals(keys[0] ?? Buffer.alloc(0))).toBe(true)
  })

  test('that others could read is closed to them', async () => {
    using scratch = temporary()
    await dashboardKey(scratch.home)
    const file = join(scratch.home, 'dashboard.key')
    chmodSync(file, 0o644)
    await dashboardKey(scratch.home)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('as a link, or with another text, is refused with exit code 78, and left alone', async () => {
    using scratch = temporary()
    const file = join(scratch.home, 'dashboard.key')
    const elsewhere = join(scratch.home, 'elsewhere')
    symlinkSync(elsewhere, file)
    await expect(dashboardKey(scratch.home)).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining(file),
    })
    expect(() => statSync(elsewhere)).toThrow('ENOENT')
    rmSync(file)
    for (const text of ['', 'short', 'x'.repeat(5000)]) {
      writeFileSync(file, text)
      await expect(dashboardKey(scratch.home)).rejects.toMatchObject({ exitCode: 78 })
      expect(readFileSync(file, 'utf8')).toBe(text)
    }
  })
})

describe('sessions that were ended', () => {
  const inVolume = (home: string): StoredText =>
    chooseLoginStorage({
      home,
      clock: systemClock(),
      handed: undefined,
      inImage: false,
      keyFile: undefined,
      warn: (text) => expect(text).toBe(''),
    }).ended

  test('are remembered on the disk until they would be over', async () => {
    using scratch = temporary()
    let nowMs = 1000
    const open = (): RevokedSessions =>
      new RevokedSessions(
        inVolume(scratch.home),
        () => nowMs,
        (text) => expect(text).toBe(''),
      )
    const first = open()
    await Promise.all([first.add('a', 5000), first.add('b', 9000)])
    expect(['a', 'b', 'c'].map((id) => open().has(id, 9000))).toEqual([true, true, false])
    nowMs = 6000
    await first.add('c', 9000)
    expect(['a', 'b', 'c'].map((id) => open().has(id, 9000))).toEqual([false, true, true])
    expect(statSync(join(scratch.home, 'dashboard.revoked')).mode & 0o777).toBe(0o600)
  })

  test('never come back, however many they are: what is kept stays small, and sessions as old as the oldest end with them', async () => {
    let kept = ''
    const warnings: string[] = []
    const place: StoredText = {
      where: 'the list',
      read: () => ({ text: kept }),
      write: async (text) => {
        kept = text
      },
    }
    const open = (): RevokedSessions =>
      new RevokedSessions(
        place,
        () => 0,
        (text) => warnings.push(text),
      )
    const first = open()
    const ids = Array.from({ length: 30_000 }, (_, i) => `session-${String(i).padStart(16, '0')}`)
    const endsMs = (i: number): number => 1_000 + i
    await Promise.all(ids.map((id, i) => first.add(id, endsMs(i))))
    expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThan(900_000)
    expect(warnings.length).toBeGreaterThan(0)
    const second = open()
    expect(ids.every((id, i) => second.has(id, endsMs(i)))).toBe(true)
    expect(second.has('of somebody else, younger than all', endsMs(40_000))).toBe(false)
  })

  test('are all that there were where the list cannot be read, and sessions begun since are not', () => {
    const warnings: string[] = []
    const place: StoredText = {
      where: 'the list',
      read: () => ({ problem: 'is too large' }),
      write: async () => undefined,
    }
    const revoked = new RevokedSessions(
      place,
      () => 1000,
      (text) => warnings.push(text),
    )
    expect(revoked.has('an old one', 1000 + 12 * 3_600_000)).toBe(true)
    expect(revoked.has('a new one', 1001 + 12 * 3_600_000)).toBe(false)
    expect(warnings).toEqual([expect.stringContaining('the list is too large')])
  })
})

describe('the list of users', () => {
  test.each([
    [undefined, { subject: 'x' }, true],
    ['', { subject: 'x' }, true],
    ['x', { subject: 'x' }, true],
    ['x', { subject: 'X' }, false],
    ['me@example.com', { subject: 'x', email: 'Me@Example.com', emailVerified: true }, true],
    ['me@example.com', { subject: 'x', email: 'me@example.com' }, false],
    ['me@example.com', { subject: 'x', email: 'me@example.com', emailVerified: true }, true],
    ['me@example.com', { subject: 'x', email: 'me@example.com', emailVerified: false }, false],
    ['me@example.com', { subject: 'me@example.com' }, false],
    ['me@example.com', { subject: 'me@example.com', email: 'you@example.com', emailVerified: true }, false],
    ['a, b  c', { subject: 'c' }, true],
    ['a, b', { subject: 'c', email: 'a' }, false],
  ])('%o lets %o in: %s', (list, identity, expected) => {
    expect(parseAllowList(list, false)(identity)).toBe(expected)
  })

  test('where the operator allows it, an address counts although the provider has not verified it', () => {
    const isAllowed = parseAllowList('me@example.com', true)
    expect(isAllowed({ subject: 'x', email: 'me@example.com' })).toBe(true)
    expect(isAllowed({ subject: 'x', email: 'me@example.com', emailVerified: false })).toBe(true)
    expect(isAllowed({ subject: 'me@example.com' })).toBe(false)
  })

  test('the user of the password log-in may be named by an address', async () => {
    const all: Record<string, string> = { BASIC_AUTH_USERNAME: 'me@example.com', BASIC_AUTH_PASSWORD: 'secret' }
    const identity = await basicProvider((name) => all[name])?.check('me@example.com', 'secret')
    expect(identity && parseAllowList('me@example.com', false)(identity)).toBe(true)
  })

  test.each([
    [{ email: 'a@x', email_verified: true }, {}, true],
    [{ email: 'a@x', email_verified: 'true' }, {}, false],
    [{ email: 'a@x', email_verified: 'false' }, {}, false],
    [{ email: 'a@x' }, { email: 'a@x', email_verified: true }, true],
    [{ email: 'a@x' }, { email: 'b@x', email_verified: true }, undefined],
    [{}, { email: 'a@x', email_verified: 1 }, false],
    [{}, { email: 'a@x' }, undefined],
  ])('an ID token with %o and userinfo with %o: verified %s', (claims, told, verified) => {
    const identity = identityOf({ sub: 's', ...claims }, told)
    expect([identity.email, identity.emailVerified]).toEqual(['a@x', verified])
  })
})

describe('passwords', () => {
  test('a hash is of its password only, has a salt, and no sign that a shell or Compose would read', async () => {
    const text = await hashPassword('correct horse')
    expect(text).toMatch(/^scrypt:15:8:1:[\w-]+:[\w-]+$/)
    const hash = parsePasswordHash(text)
    expect(hash && (await passwordMatches('correct horse', hash))).toBe(true)
    expect(hash && (await passwordMatches('correct hors', hash))).toBe(false)
    expect(await hashPassword('correct horse')).not.toBe(text)
  })

  test.each(['', 'scrypt', 'scrypt:30:8:1:AAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAA', '$2b$10$abcdefghijklmnopqrstuv'])(
    '%o is not a hash',
    (text) => {
      expect(parsePasswordHash(text)).toBeUndefined()
    },
  )

  test('are checked against the password, or its hash, which wins', async () => {
    const hash = await hashPassword('secret')
    for (const settings of [
      { BASIC_AUTH_PASSWORD: 'secret' },
      { BASIC_AUTH_PASSWORD_HASH: hash },
      { BASIC_AUTH_PASSWORD: 'x', BASIC_AUTH_PASSWORD_HASH: hash },
    ]) {
      const all: Record<string, string> = { BASIC_AUTH_USERNAME: 'me', ...settings }
      const provider = basicProvider((name) => all[name])
      expect(await provider?.check('me', 'secret')).toEqual({ subject: 'me', scope: 'admin' })
      for (const [name, password] of [
        ['me', 'Secret'],
        ['me', ''],
        ['Me', 'secret'],
        ['', 'secret'],
      ] as const)
        expect(await provider?.check(name, password)).toBeUndefined()
    }
  })

  test('an invalid hash ends the start with 78', () => {
    const settings: Record<string, string> = { BASIC_AUTH_USERNAME: 'me', BASIC_AUTH_PASSWORD_HASH: 'secret' }
    expect(() => basicProvider((name) => settings[name])).toThrow(expect.objectContaining({ exitCode: 78 }))
  })
})
