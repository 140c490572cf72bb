import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { volumeTokenFile } from '../../src/access/place.ts'
import { covers, SCOPES, sees } from '../../src/access/scope.ts'
import { findToken, isExpired, makeToken, rightsOf, type Token } from '../../src/access/token.ts'
import { parseTokens, tokensText } from '../../src/access/token-list.ts'
import { changeTokens, readTokens } from '../../src/access/token-store.ts'
import { systemClock } from '../../src/system/clock.ts'
import { scratchDir } from '../support/scratch.ts'

const NOW_MS = Date.UTC(2026, 10, 22)
const made = (wish: Partial<Parameters<typeof makeToken>[0]> = {}) =>
  makeToken({ name: 'ci', scope: 'read', profiles: null, expiresInMs: undefined, ...wish }, new Set(), NOW_MS)

describe('a token', () => {
  test('is found by its whole text and by nothing else', () => {
    const [one, other] = [made(), made({ name: 'other' })]
    const tokens = [one.token, other.token]
    expect(findToken(tokens, one.text)).toBe(one.token)
    expect(findToken(tokens, other.text)).toBe(other.token)
    const secret = one.text.slice('hermes_00000000_'.length)
    for (const text of [
      '',
      'hermes_',
      secret,
      one.text.slice(0, -1),
      `${one.text}x`,
      one.text.replace(one.token.id, other.token.id),
      one.text.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
      one.token.hash,
    ])
      expect(findToken(tokens, text), text).toBeUndefined()
    expect(findToken([], one.text)).toBeUndefined()
  })

  test('is not in what is stored of it', () => {
    const { token, text } = made()
    expect(text).toMatch(/^hermes_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$/)
    expect(tokensText([token])).not.toContain(text.split('_').slice(2).join('_'))
    expect(new Set(Array.from({ length: 100 }, () => made().text)).size).toBe(100)
  })

  test('expires at its instant, and never without one', () => {
    const { token } = made({ expiresInMs: 1000 })
    expect([NOW_MS, NOW_MS + 999, NOW_MS + 1000].map((atMs) => isExpired(token, atMs))).toEqual([false, false, true])
    expect(isExpired(made().token, Number.MAX_SAFE_INTEGER)).toBe(false)
  })

  test('gives the rights of its scope, for its profiles alone', () => {
    expect(SCOPES.map((scope) => SCOPES.filter((needed) => covers(scope, needed)))).toEqual([
      ['read'],
      ['read', 'board'],
      ['read', 'board', 'operate'],
      ['read', 'board', 'operate', 'admin'],
    ])
    const limited = rightsOf(made({ profiles: ['coder'] }).token)
    expect(['coder', 'writer', undefined].map((name) => sees(limited, name))).toEqual([true, false, false])
    expect(sees(rightsOf(made().token), undefined)).toBe(true)
  })
})

describe('the list of tokens', () => {
  const { token } = made({ scope: 'operate', profiles: ['coder', 'default'], expiresInMs: 5000 })

  test('is read as it was written', () => {
    expect(parseTokens(tokensText([token, made().token]))).toMatchObject({ tokens: [token, { name: 'ci' }] })
    expect([parseTokens(undefined), parseTokens('')]).toEqual([{ tokens: [] }, { tokens: [] }])
  })

  const spoiled = (change: { [key in keyof Token]?: unknown }): string =>
    tokensText([made().token, { ...token, ...change } as Token])
  test.each([
    ['half of it', tokensText([token]).slice(0, -20)],
    ['no JSON', 'x'],
    ['nothing but null', 'null'],
    ['a list', '[]'],
    ['a newer version', JSON.stringify({ version: 2, tokens: [] })],
    ['an unknown scope', spoiled({ scope: 'root' })],
    ['no scope', spoiled({ scope: undefined })],
    ['a short hash', spoiled({ hash: 'ab' })],
    ['no profiles at all, which is not all of them', spoiled({ profiles: [] })],
    ['profiles that are missing', spoiled({ profiles: undefined })],
    ['a profile with a wrong name', spoiled({ profiles: ['../x'] })],
    ['an end that is no time', spoiled({ expires_at: 'soon' })],
    ['an end that is missing', spoiled({ expires_at: undefined })],
    ['an id twice', tokensText([token, token])],
    ['an entry that is null', JSON.stringify({ version: 1, tokens: [token, null] })],
  ])('is invalid as a whole with %s', (_, text) => {
    expect(parseTokens(text)).toEqual({ problem: expect.stringMatching(/^is damaged/) })
  })
})

describe('the file of the tokens', () => {
  const clock = systemClock()
  const add = (file: string, name: string) =>
    changeTokens(file, clock, (tokens) => ({ tokens: [...tokens, made({ name }).token], result: tokens.length }))

  test('keeps every change of commands that run at the same time, for its owner alone', async () => {
    const scratch = scratchDir('hermes-tokens-')
    const file = volumeTokenFile(scratch)
    const names = Array.from({ length: 8 }, (_, i) => `token-${i}`)
    await Promise.all(names.map((name) => add(file, name)))
    expect(
      readTokens(file)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    chmodSync(file, 0o644)
    await add(file, 'later')
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('is not changed while it is damaged: nothing of it is lost', async () => {
    const scratch = scratchDir('hermes-tokens-')
    const file = volumeTokenFile(scratch)
    writeFileSync(file, '{"version": 1, "tok')
    await expect(add(file, 'ci')).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining(file) })
    expect(() => readTokens(file)).toThrow('is damaged')
    expect(readFileSync(file, 'utf8')).toBe('{"version": 1, "tok')
    expect(() => readTokens(join(scratch, 'none'))).not.toThrow()
  })
})
