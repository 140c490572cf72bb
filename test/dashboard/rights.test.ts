import { describe, expect, test } from 'vitest'
import type { Rights } from '../../src/access/scope.ts'
import { ROUTES, type Route } from '../../src/dashboard/contract/routes.ts'
import { checkChange, givenApiToken } from '../../src/dashboard/gate/guard.ts'
import { PUBLIC } from '../../src/dashboard/gate/public-paths.ts'
import type { RequestFacts } from '../../src/dashboard/gate/request-facts.ts'
import { checkProfile, checkScope, hidingOthers } from '../../src/dashboard/gate/rights.ts'
import { narrowedStatus } from '../../src/dashboard/live/narrowed.ts'
import type { StatusResult } from '../../src/protocol/control.ts'
import { HermesError } from '../../src/system/errors.ts'

const routes = Object.entries<Route>(ROUTES)
const limited: Rights = { scope: 'admin', profiles: new Set(['coder']) }
const status = (check: () => void): number => {
  try {
    check()
    return 200
  } catch (error) {
    return (error as { readonly status: number }).status
  }
}

describe('the table of routes', () => {
  test('opens to everybody what is public, and nothing else', () => {
    const open = routes.filter(([, { scope }]) => scope === 'anyone').map(([, { path }]) => path)
    const pages = ['/login', '/favicon.ico']
    expect(open.sort()).toEqual([...PUBLIC.api, ...PUBLIC.always].filter((path) => !pages.includes(path)).sort())
  })

  test('keeps what is for nodes from every other caller', () => {
    for (const [, route] of routes.filter(([, { path }]) => path.startsWith('/api/node/'))) {
      expect(route.scope).toBe('node')
      expect(status(() => checkScope(route, { kind: 'token' }, { scope: 'admin', profiles: undefined }))).toBe(403)
    }
  })

  test('names for each route with a profile in its path, query or body where it is', () => {
    for (const [name, { path, profile, scope }] of routes.filter(([, route]) => route.scope !== 'node')) {
      if (/^\/api\/(profiles|nodes)\/.*\{name\}/.test(path)) expect([name, profile]).toEqual([name, 'path.name'])
      const place = /^path\.(\w+)$/.exec(profile)?.[1]
      if (place !== undefined) expect(path).toContain(`{${place}}`)
      expect(scope).not.toBe('node')
    }
  })

  test('lets a stranger see what is public, and asks others for their scope', () => {
    const stranger = { kind: 'anonymous', reason: 'no_cookie' } as const
    for (const [name, route] of routes)
      expect([name, status(() => checkScope(route, stranger, undefined)) === 200]).toEqual([
        name,
        route.scope === 'anyone',
      ])
  })
})

test('a caller for some profiles gets 404 for any other, and 403 where a route is about all', () => {
  const check = (profile: Route['profile'], parts: object): number =>
    status(() => checkProfile({ profile }, limited, { path: {}, query: {}, body: {}, ...parts }))
  expect(check('path.name', { path: { name: 'coder' } })).toBe(200)
  for (const name of ['writer', 'Coder', ' coder', 'nosuch', '', '..'])
    expect([name, check('path.name', { path: { name } })]).toEqual([name, 404])
  expect(check('query.profile', { query: { profile: 'writer' } })).toBe(404)
  expect(check('query.profile', { query: {} })).toBe(200)
  expect(check('body.profile', { body: { profile: 'writer' } })).toBe(404)
  expect(check('default', {})).toBe(404)
  expect(status(() => checkScope({ scope: 'read', profile: 'all' }, { kind: 'token' }, limited))).toBe(403)
  expect(status(() => checkProfile({ profile: 'path.name' }, undefined, { path: {}, query: {}, body: {} }))).toBe(200)
})

test('a refusal does not name a profile that the caller may not see', () => {
  const error = new HermesError('NO_SUCH_PROFILE', 'no profile "code"', { next: 'did you mean "coder2"?' })
  expect(JSON.stringify(hidingOthers(error, limited))).not.toContain('coder2')
  expect(hidingOthers(error, { scope: 'read', profiles: undefined })).toBe(error)
  const other = new HermesError('PARKED', 'parked')
  expect(hidingOthers(other, limited)).toBe(other)
})

test('a bearer counts as an API token by its beginning, and for the API alone', () => {
  const facts = (path: string, authorization: string) => ({ path, headers: { authorization } })
  expect(givenApiToken(facts('/api/profiles', 'bearer hermes_x'))).toBe('hermes_x')
  for (const [path, header] of [
    ['/api/profiles', 'Bearer eyJhbGciOi'],
    ['/api/profiles', 'Basic hermes_x'],
    ['/', 'Bearer hermes_x'],
    ['/auth/logout', 'Bearer hermes_x'],
    ['/api', 'Bearer hermes_x'],
  ] as const)
    expect(givenApiToken(facts(path, header)), `${path} ${header}`).toBeUndefined()
})

test('a change with a token needs neither our origin nor the token of a page; one with a session needs both', () => {
  const facts = { method: 'POST', path: '/api/profiles', headers: {}, origin: 'http://localhost' } as RequestFacts
  expect(status(() => checkChange(facts, { kind: 'token' }))).toBe(200)
  expect(status(() => checkChange(facts, { kind: 'user', token: 'x' }))).toBe(403)
})

test('the state for a caller for some profiles has nothing of others, of helpers and of services', () => {
  const slot = (name: string, profile?: string) => ({ slot: name, ...(profile !== undefined && { profile }) })
  const whole = {
    slots: [slot('gateway-coder', 'coder'), slot('gateway-writer', 'writer'), slot('dashboard'), slot('service-db')],
    warnings: ['writer is parked', 'coder is parked', 'db fails', 'and 3 more'],
    warningFacts: [
      { code: 'SLOT_PARKED', profile: 'writer' },
      { code: 'SLOT_PARKED', profile: 'coder' },
      { code: 'SERVICE', slot: 'service-db' },
      { code: 'MORE' },
    ],
  } as unknown as StatusResult
  expect(narrowedStatus(whole, limited)).toEqual({
    slots: [slot('gateway-coder', 'coder')],
    warnings: ['coder is parked'],
    warningFacts: [{ code: 'SLOT_PARKED', profile: 'coder' }],
  })
  expect(narrowedStatus(whole, { profiles: undefined })).toBe(whole)
  // An older supervisor does not tell what its warnings are about.
  const { warningFacts: _, ...older } = whole
  expect(narrowedStatus(older, limited).warnings).toEqual([])
})
