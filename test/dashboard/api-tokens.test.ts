import { beforeEach, expect, test } from 'vitest'
import { makeToken, type Token, type TokenWish } from '../../src/access/token.ts'
import { tokensText } from '../../src/access/token-list.ts'
import { ApiTokens } from '../../src/dashboard/auth/api-tokens.ts'
import type { RequestFacts } from '../../src/dashboard/gate/request-facts.ts'
import type { HandedText } from '../../src/protocol/handover.ts'
import { type FakeClock, fakeClock } from '../support/supervisor/fake-clock.ts'

const MINUTE_MS = 60_000

let clock: FakeClock
let stored: HandedText
let readings: number
let warnings: string[]
let audited: string[]
let open: (string | undefined)[]
let ended: string[]
let tokens: ApiTokens
beforeEach(() => {
  clock = fakeClock()
  stored = {}
  readings = 0
  warnings = []
  audited = []
  open = []
  ended = []
  tokens = new ApiTokens({
    clock,
    stored: {
      where: 'the file',
      read: async () => {
        readings++
        return stored
      },
    },
    audit: { count: ({ event, reason }) => audited.push(`${event}: ${reason}`) },
    warn: (text) => warnings.push(text),
    openSessions: () => open,
    closeOf: (session) => {
      ended.push(session)
      open = open.filter((one) => one !== session)
    },
  })
})

const given: Token[] = []
beforeEach(() => given.splice(0))
function give(wish: Partial<TokenWish> = {}): { token: Token; text: string } {
  const all = { name: `t${given.length}`, scope: 'read', profiles: null, expiresInMs: undefined, ...wish } as const
  const made = makeToken(all, new Set(), clock.wallMs())
  given.push(made.token)
  stored = { text: tokensText(given) }
  return made
}

/** @returns the name of the owner, or the status of the refusal */
async function ask(text: string, address = '192.0.2.1'): Promise<string | number> {
  const request = { address, prefix: '' } as RequestFacts
  return tokens.ownerOf(text, request).then(
    ({ viewer }) => viewer.actor,
    (refused: { readonly status?: number }) => refused.status ?? String(refused),
  )
}
const WRONG = `hermes_00000000_${'A'.repeat(43)}`
/** Lets the promises that are under way end. */
const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

test('one that was revoked is refused from the next request on, and so is one that expires', async () => {
  const [stays, leaves] = [give(), give({ expiresInMs: 5000 })]
  expect([await ask(stays.text), await ask(leaves.text)]).toEqual(['token:t0', 'token:t1'])
  clock.advance(4999)
  expect(await ask(leaves.text)).toBe('token:t1')
  clock.advance(1)
  expect(await ask(leaves.text)).toBe(401)
  stored = { text: tokensText([]) }
  expect(await ask(stays.text)).toBe(401)
  expect(audited).toEqual(['token_refused: expired', 'token_refused: unknown or revoked'])
})

test('requests at the same time share a reading, but never one that began before them', async () => {
  const { text } = give()
  const first = ask(text)
  await Promise.resolve()
  await Promise.resolve()
  expect(readings).toBe(1)
  stored = { text: tokensText([]) }
  const later = Promise.all(Array.from({ length: 50 }, () => ask(text)))
  await first
  expect(await later).toEqual(Array(50).fill(401))
  expect(readings).toBe(2)
})

test('wrong ones are limited as wrong passwords are: ten a minute and twenty an hour of an address', async () => {
  const codes = async (count: number) =>
    Array.from({ length: count }, () => 0).reduce<Promise<(string | number)[]>>(
      async (before) => [...(await before), await ask(WRONG)],
      Promise.resolve([]),
    )
  expect(await codes(12)).toEqual([...Array(10).fill(401), 429, 429])
  clock.advance(MINUTE_MS)
  expect(await codes(12)).toEqual([...Array(10).fill(401), 429, 429])
  clock.advance(MINUTE_MS)
  expect(await codes(1)).toEqual([429])
  expect(await ask(WRONG, '198.51.100.1')).toBe(401)
  // Beyond the limit nothing is read for them.
  const before = readings
  await codes(100)
  expect(readings).toBe(before)
})

test('wrong ones of all addresses together are limited, and lock no right one out', async () => {
  const { text } = give()
  expect(await ask(text)).toBe('token:t0')
  const answers: (string | number)[] = []
  for (let i = 0; i < 500; i++) answers.push(await ask(WRONG, `10.0.${i >> 8}.${i & 255}`))
  expect(answers.filter((code) => code === 401)).toHaveLength(400)
  expect(answers.filter((code) => code === 429)).toHaveLength(100)
  for (let i = 0; i < 12; i++) await ask(WRONG)
  expect(await ask(text)).toBe('token:t0')
  // Once it is revoked, it is a wrong one like others.
  stored = { text: tokensText([]) }
  expect(await ask(text)).toBe(429)
})

test('a damaged list refuses all of them with one line, until it is repaired', async () => {
  const { text } = give()
  const whole = stored
  expect(await ask(text)).toBe('token:t0')
  stored = { text: 'x' }
  expect([await ask(text), await ask(WRONG), await ask(text)]).toEqual([503, 503, 503])
  stored = { problem: 'cannot be read: EIO' }
  expect([await ask(text), await ask(text)]).toEqual([503, 503])
  expect(warnings).toEqual([
    'the file is damaged: it is not JSON; all API tokens are refused, log-ins are not affected',
    'the file cannot be read: EIO; all API tokens are refused, log-ins are not affected',
  ])
  stored = whole
  expect(await ask(text)).toBe('token:t0')
})

test('streams of a token end within a second of its end, and those of others stay', async () => {
  const [stays, leaves, expires] = [give(), give(), give({ expiresInMs: 2500 })]
  open = ['a session of a browser', undefined, ...[stays, leaves, expires].map(({ token }) => `token:${token.id}`)]
  for (const session of open) if (session !== undefined) tokens.watch(session)
  expect(clock.alarms()).toHaveLength(1)
  clock.advance(1000)
  await settled()
  expect(ended).toEqual([])
  stored = { text: tokensText(given.filter((token) => token !== leaves.token)) }
  clock.advance(1000)
  await settled()
  expect(ended).toEqual([`token:${leaves.token.id}`])
  clock.advance(1000)
  await settled()
  expect(ended).toEqual([leaves, expires].map(({ token }) => `token:${token.id}`))
  // A list that cannot be read ends them, too.
  stored = { problem: 'is damaged' }
  clock.advance(1000)
  await settled()
  expect(open).toEqual(['a session of a browser', undefined])
  expect(clock.alarms()).toEqual([])
})

test('nothing is read while no stream of a token is open', async () => {
  tokens.watch('a session of a browser')
  expect(clock.alarms()).toEqual([])
  expect(readings).toBe(0)
})
