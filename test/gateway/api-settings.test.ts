import { describe, expect, test } from 'vitest'
import { AgentError } from '../../src/gateway/agent/agent.ts'
import { accessCheck } from '../../src/gateway/api/http/access.ts'
import { RefusedRequest, refusalOf } from '../../src/gateway/api/http/refusals.ts'
import { apiSettings } from '../../src/gateway/api/http/settings.ts'
import { HermesError } from '../../src/system/errors.ts'
import { redactor, secretsOf } from '../../src/system/text/redact.ts'

const owner = { profile: 'coder', dir: '/data/profiles/coder' }
const settings = (env: Record<string, string>) => apiSettings(env, owner)
const failure = (env: Record<string, string>): HermesError => {
  try {
    settings({ API_SERVER_ENABLED: '1', ...env })
  } catch (error) {
    if (error instanceof HermesError) return error
  }
  throw new Error('it was taken')
}

describe('settings of the API server', () => {
  test('it is off unless API_SERVER_ENABLED is truthy', () => {
    for (const value of ['', '0', 'no', 'tru', 'enabled']) expect(settings({ API_SERVER_ENABLED: value })).toBeNull()
    for (const value of ['1', 'true', 'YES']) {
      expect(settings({ API_SERVER_ENABLED: value })).toEqual({ host: '127.0.0.1', port: 8642, key: null, origins: [] })
    }
  })

  test('where profiles can be walled, it needs a key on every address', () => {
    const uids = { HERMES_PROFILE_UIDS: '20000-29999' }
    const { message, exitCode } = failure(uids)
    expect({ message, exitCode }).toEqual({
      message:
        'API_SERVER_KEY must be set where profiles can be walled (HERMES_PROFILE_UIDS): each of them reaches this address',
      exitCode: 78,
    })
    expect(settings({ API_SERVER_ENABLED: '1', API_SERVER_KEY: '12345678', ...uids })).toMatchObject({
      key: '12345678',
    })
  })

  test('origins of web pages are taken as browsers write them', () => {
    const origins = (text: string, key = '12345678') =>
      settings({ API_SERVER_ENABLED: '1', API_SERVER_KEY: key, API_SERVER_CORS_ORIGINS: text })?.origins
    expect(origins('https://App.example:443/, http://localhost:3000  app://obsidian.md')).toEqual([
      'https://app.example',
      'http://localhost:3000',
      'app://obsidian.md',
    ])
    expect(origins('*')).toBe('*')
    for (const origin of ['app.example', 'https://app.example/path', 'https://me@app.example', 'null', 'file:///'])
      expect(failure({ API_SERVER_CORS_ORIGINS: origin }).message).toContain(`got "${origin}"`)
    expect(failure({ API_SERVER_CORS_ORIGINS: '*' }).message).toContain('API_SERVER_KEY must be set')
  })

  test('a loopback address needs no key, any other one does', () => {
    for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]']) {
      expect(settings({ API_SERVER_ENABLED: '1', API_SERVER_HOST: host })?.host).toBe(host.replace(/[[\]]/g, ''))
    }
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.example.org', 'localhost.example.org']) {
      expect(failure({ API_SERVER_HOST: host })).toMatchObject({ exitCode: 78 })
      expect(settings({ API_SERVER_ENABLED: '1', API_SERVER_HOST: host, API_SERVER_KEY: '12345678' })?.key).toBe(
        '12345678',
      )
    }
  })

  test('a bad key or port ends with 78, names the file to change, and never shows the key', () => {
    for (const key of ['short', 'has a space in it', 'schlüssel-schlüssel']) {
      const { exitCode, message, next } = failure({ API_SERVER_KEY: key })
      expect(exitCode).toBe(78)
      expect(message).not.toContain(key)
      expect(next).toBe('generate one with "openssl rand -hex 32" and set it in /data/profiles/coder/.env')
    }
    for (const port of ['0', '65536', '8642.5', '-1', 'http', '8642 8643']) {
      expect(failure({ API_SERVER_PORT: port }).message).toContain('expected a whole number from 1 to 65535')
    }
  })
})

describe('access', () => {
  const status = (key: string | null, headers: Record<string, string>): number => {
    try {
      accessCheck(key, [])({ headers })
      return 200
    } catch (error) {
      if (error instanceof RefusedRequest) return error.refusal.status
      throw error
    }
  }

  test('only the whole key opens, as a bearer', () => {
    const key = 'right-key-1'
    for (const authorization of [`Bearer ${key}`, `bearer  ${key} `]) expect(status(key, { authorization })).toBe(200)
    for (const authorization of [
      key,
      `Basic ${key}`,
      `Bearer ${key}2`,
      'Bearer right-key-',
      'Bearer',
      `Bearer ${key} x`,
    ]) {
      expect([authorization, status(key, { authorization })]).toEqual([authorization, 401])
    }
    expect(status(key, {})).toBe(401)
  })

  test('without a key only this machine’s own programs get in', () => {
    expect(status(null, { host: 'localhost:8642' })).toBe(200)
    expect(status(null, { host: '[::1]:8642' })).toBe(200)
    expect(status(null, { host: 'localhost:8642', origin: 'http://127.0.0.1:5173' })).toBe(200)
    expect(status(null, { host: 'localhost:8642', origin: 'null' })).toBe(403)
    expect(status(null, { host: 'localhost:8642', origin: 'https://localhost.evil.example' })).toBe(403)
    expect(status(null, { host: 'rebound.example:8642' })).toBe(403)
    expect(status(null, {})).toBe(403)
  })
})

describe('failures, as reported to the client', () => {
  const plain = (text: string) => text
  const refused = (status: number, body: string) =>
    refusalOf(
      new AgentError('refused', `answered ${status}`, { upstream: { status, body, retryAfter: undefined } }),
      plain,
    )

  test('an endpoint’s envelope is passed on, anything else is put into one', () => {
    const body = JSON.stringify({
      error: { message: 'too long', type: 'invalid_request_error', code: 'context_length', param: 'messages' },
    })
    expect(refused(400, body)).toMatchObject({ status: 400, error: JSON.parse(body).error })
    expect(refused(503, '<html>')).toMatchObject({
      status: 503,
      error: { message: 'answered 503', type: 'server_error' },
    })
    expect(refused(429, '')).toMatchObject({ status: 429, error: { type: 'rate_limit_error' } })
  })

  test('a fault of our configuration is not the client’s fault', () => {
    for (const status of [301, 401, 403, 404, 700]) expect(refused(status, '')).toMatchObject({ status: 502 })
  })

  test('a bug shows nothing of itself', () => {
    const { status, error } = refusalOf(new TypeError('secret inside'), plain)
    expect([status, error.code]).toEqual([500, 'internal_error'])
    expect(error.message).not.toContain('secret inside')
  })
})

test('values of secret variables and what looks like a key are blacked out, short values are not', () => {
  const secrets = secretsOf({
    MY_TOKEN: 'abcdefgh-1',
    DB_PASSWORD: 'abcdefgh',
    API_SERVER_KEY: 'short',
    HOME: '/home/somebody',
  })
  const redact = redactor(secrets)
  expect(redact('a abcdefgh-1 b abcdefgh c short /home/somebody')).toBe(
    'a [redacted] b [redacted] c short /home/somebody',
  )
  const known = redactor(
    secretsOf({ HERMES_SECRETS: 'PIN PEM', PIN: '4711', PEM: 'begin\nline-of-it\nend', PORT: '8642' }),
  )
  expect(known('pin 4711, key begin | line-of-it | end, port 8642')).toBe(
    'pin [redacted], key [redacted] | [redacted] | end, port 8642',
  )
  expect(redact('Authorization: Bearer 0123456789abcdef; sk-proj-0123456789abcdef')).toBe(
    'Authorization: Bearer [redacted]; [redacted]',
  )
})
