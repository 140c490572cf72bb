import { beforeEach, describe, expect, test } from 'vitest'
import { PasswordTries } from '../../src/dashboard/auth/password-tries.ts'
import { Sealer } from '../../src/dashboard/auth/seal.ts'
import { type FakeClock, fakeClock } from '../support/supervisor/fake-clock.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const place = { secure: false, path: '/', mark: '0123abcd' }

let clock: FakeClock
let tries: PasswordTries
beforeEach(() => {
  clock = fakeClock()
  tries = new PasswordTries({ clock, sealer: new Sealer(Buffer.alloc(32, 7)) })
})

const tryFrom = (address: string, cookie?: string) =>
  tries.of({ address, headers: cookie === undefined ? {} : { cookie } }, place)

/** @returns how many of so many wrong passwords were checked, one every ten seconds */
function guess(count: number, addressOf: (index: number) => string, cookie?: string): number {
  let checked = 0
  for (let i = 0; i < count; i++) {
    clock.advance(10_000)
    const attempt = tryFrom(addressOf(i), cookie)
    if (attempt.waitMs > 0) continue
    attempt.count()
    checked++
  }
  return checked
}

const manyAddresses = (index: number): string => `10.0.${index >> 8}.${index & 255}`

/** Guesses from a thousand addresses at once. @returns how many were checked */
function useUp(): number {
  let checked = 0
  for (let i = 0; i < 1000; i++) {
    const attempt = tryFrom(manyAddresses(i))
    if (attempt.waitMs > 0) continue
    attempt.count()
    checked++
  }
  return checked
}

/** The cookie of a browser that logs in now. */
function logIn(address: string, cookie?: string): string {
  const attempt = tryFrom(address, cookie)
  attempt.count()
  return attempt.passed().split(';')[0] ?? ''
}

describe('wrong passwords', () => {
  test('of one address: twenty an hour', () => {
    expect(guess(3 * 360, () => '203.0.113.1')).toBe(60)
  })

  test('of all strangers together: four hundred an hour, from however many addresses', () => {
    expect(useUp()).toBe(400)
    expect(tryFrom('192.0.2.1').waitMs).toBe(HOUR_MS)
  })
})

test('right passwords count for the ten tries of a minute only', () => {
  for (let i = 0; i < 1000; i++) {
    clock.advance(7000)
    expect(tryFrom('203.0.113.1').waitMs).toBe(0)
    logIn('203.0.113.1')
  }
  for (let i = 0; i < 3; i++) logIn('203.0.113.1')
  expect(tryFrom('203.0.113.1').waitMs).toBeGreaterThan(0)
})

describe('a browser that has logged in', () => {
  test('gets in while strangers have used up their tries, its own address included', () => {
    const cookie = logIn('203.0.113.1')
    guess(20, () => '203.0.113.1')
    useUp()
    expect(tryFrom('203.0.113.1').waitMs).toBeGreaterThan(0)
    expect(tryFrom('198.51.100.1').waitMs).toBeGreaterThan(0)
    expect(tryFrom('203.0.113.1', cookie)).toMatchObject({ waitMs: 0, isKnown: true })
    expect(tryFrom('198.51.100.1', cookie)).toMatchObject({ waitMs: 0, isKnown: true })
  })

  test('has twenty wrong passwords an hour, from however many addresses', () => {
    const cookie = logIn('203.0.113.1')
    expect(guess(360, manyAddresses, cookie)).toBe(20)
  })

  test('stays the same one when it logs in again', () => {
    const first = logIn('203.0.113.1')
    const second = logIn('203.0.113.1', first)
    expect(guess(30, () => '203.0.113.1', first)).toBe(20)
    expect(tryFrom('203.0.113.1', second).waitMs).toBeGreaterThan(0)
  })

  test.each([
    ['half a year after', () => clock.advance(181 * DAY_MS)],
    [
      'after a change of the key',
      () => {
        tries = new PasswordTries({ clock, sealer: new Sealer(Buffer.alloc(32, 8)) })
      },
    ],
  ])('is a stranger %s', (_, change) => {
    const cookie = logIn('203.0.113.1')
    change()
    expect(tryFrom('203.0.113.1', cookie).isKnown).toBe(false)
  })
})
