import { describe, expect, test } from 'vitest'
import { type Caller, checkEntry, checkHost, type GuardRules } from '../../src/dashboard/gate/guard.ts'
import { isPublic, loginList, PUBLIC } from '../../src/dashboard/gate/public-paths.ts'
import { RefusedRequest } from '../../src/dashboard/gate/refusals.ts'

const NOBODY: Caller = { kind: 'anonymous', reason: 'no_cookie' }
const GATES: readonly GuardRules['gate'][] = [
  { kind: 'login', providers: ['basic'] },
  { kind: 'loopback' },
  { kind: 'insecure' },
]

/** Whether a stranger without session and token gets past the gates. */
function passes(gate: GuardRules['gate'], path: string, list = PUBLIC): boolean {
  const facts = {
    method: 'GET',
    path,
    search: '',
    host: 'localhost',
    origin: 'http://localhost',
    prefix: '',
    secure: false,
    address: '127.0.0.1',
    headers: {},
  }
  try {
    checkEntry({ gate, list, publicApi: true }, facts, NOBODY, gate.kind === 'login' ? undefined : 'the token')
    return true
  } catch (error) {
    if (error instanceof RefusedRequest) return false
    throw error
  }
}

describe('one list decides for both gates', () => {
  test.each(GATES)('a path that is added to it is open with $kind, and was not before', (gate) => {
    expect(passes(gate, '/api/new')).toBe(false)
    expect(passes(gate, '/api/new', { ...PUBLIC, api: [...PUBLIC.api, '/api/new'] })).toBe(true)
    expect(passes(gate, '/api/new/x', { ...PUBLIC, api: [...PUBLIC.api, '/api/new'] })).toBe(false)
  })

  test.each(GATES)('a path that is taken out of it is closed with $kind', (gate) => {
    expect(passes(gate, '/api/status')).toBe(true)
    expect(passes(gate, '/api/status', { ...PUBLIC, api: [] })).toBe(false)
  })
})

test('the prefix is a directory, and nothing in it leads out', () => {
  expect(isPublic('/assets/x.js', PUBLIC)).toBe(true)
  for (const path of [
    '/assets',
    '/assetsleak',
    '/assets/../api/profiles',
    '/assets/%2e%2e/x',
    '/assets//x',
    '/assets/\\x',
  ])
    expect(isPublic(path, PUBLIC), path).toBe(false)
})

test('HERMES_DASHBOARD_PUBLIC_API closes the six API paths and leaves the log-in open', () => {
  const closed = loginList(PUBLIC, false)
  expect(PUBLIC.api).toHaveLength(6)
  for (const path of PUBLIC.api) expect(isPublic(path, closed)).toBe(false)
  for (const path of PUBLIC.always) expect(isPublic(path, closed)).toBe(true)
})

test.each([
  ['192.0.2.1:9119', true],
  ['[2001:db8::1]:9119', true],
  ['localhost:9119', true],
  ['hermes', true],
  ['hermes.example:9119', true],
  ['HERMES.example', true],
  ['rebound.evil.example:9119', false],
  ['127.0.0.1.evil.example', false],
  ['', false],
])('where no log-in is needed, the Host %o is answered: %s', (host, answered) => {
  const rules = { gate: { kind: 'insecure' }, list: PUBLIC, publicApi: true, publicHost: 'hermes.example' } as const
  const check = () => checkHost(rules, { host })
  if (answered) expect(check).not.toThrow()
  else expect(check).toThrow(RefusedRequest)
  // With a log-in a name alone is worth nothing.
  expect(() => checkHost({ ...rules, gate: { kind: 'login', providers: [] } }, { host })).not.toThrow()
})
