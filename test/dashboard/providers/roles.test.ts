import { describe, expect, test } from 'vitest'
import { basicProvider } from '../../../src/dashboard/auth/providers/basic.ts'
import { groupRoles } from '../../../src/dashboard/auth/providers/group-roles.ts'
import { parseUsers } from '../../../src/dashboard/auth/providers/users.ts'
import { decideGate } from '../../../src/dashboard/gate/gate.ts'
import { hashPassword } from '../../../src/system/password-hash.ts'

const HASH = 'scrypt:10:8:1:c2FsdHNhbHRzYWx0:aGFzaGhhc2hoYXNoaGFzaA'
const settings =
  (values: Readonly<Record<string, string>>) =>
  (name: string): string | undefined =>
    values[name]
const refused = (message: RegExp | string) =>
  expect.objectContaining({ exitCode: 78, message: expect.stringMatching(message) })

describe('the list of users', () => {
  test('has a name, a role and a hash in each line; comments and empty lines count for nothing', () => {
    const users = parseUsers(`# people\n\neve:viewer:${HASH}\r\n  bob@example.com:operator:${HASH}\n`)
    expect(users.map(({ name, scope }) => [name, scope])).toEqual([
      ['eve', 'read'],
      ['bob@example.com', 'operate'],
    ])
  })

  test.each([
    [`eve:boss:${HASH}`, /line 1: unknown role "boss"/],
    [`eve:constructor:${HASH}`, /unknown role/],
    [`eve::${HASH}`, /unknown role ""/],
    [`eve:admin:${HASH}\nbob:viewer:secret`, /line 2: no hash made by hermes for "bob"/],
    ['eve', /line 1: expected NAME:ROLE:HASH/],
    [`eve:admin:${HASH}\neve:viewer:${HASH}`, /line 2: "eve" is there twice/],
    ['# empty\n', /has no user/],
  ])('refuses all of it for one wrong line: %s', (text, message) => {
    expect(() => parseUsers(text)).toThrow(refused(message))
    expect(() => basicProvider(settings({ BASIC_AUTH_USERS: text }))).toThrow(refused(message))
  })

  test('never repeats what may be a password', () => {
    expect(() => parseUsers('eve:viewer:my password')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('my') }),
    )
    expect(() => parseUsers('eve:viewer:mypassword')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('mypa') }),
    )
  })
})

test('each user has a password and a role; the one of the single variables stays an admin', async () => {
  const list = `eve:viewer:${await hashPassword('of eve')}\nbob:member:${await hashPassword('of bob')}`
  const single = { BASIC_AUTH_USERNAME: 'me', BASIC_AUTH_PASSWORD: 'of me' }
  const provider = basicProvider(settings({ ...single, BASIC_AUTH_USERS: list }))
  const check = async (name: string, password: string) => (await provider?.check(name, password))?.scope
  expect([await check('me', 'of me'), await check('eve', 'of eve'), await check('bob', 'of bob')]).toEqual([
    'admin',
    'read',
    'board',
  ])
  for (const [name, password] of [
    ['eve', 'of me'],
    ['eve', 'of bob'],
    ['me', 'of eve'],
    ['nosuch', 'of me'],
    ['', ''],
  ] as const)
    expect([name, await check(name, password)]).toEqual([name, undefined])
  // Whatever is changed in the list ends all sessions, as another password does.
  const prints = [list, list.replace('viewer', 'admin'), list.split('\n')[0] ?? ''].map(
    (text) => basicProvider(settings({ ...single, BASIC_AUTH_USERS: text }))?.fingerprint,
  )
  expect(new Set(prints).size).toBe(3)
  expect(() => basicProvider(settings({ ...single, BASIC_AUTH_USERNAME: 'eve', BASIC_AUTH_USERS: list }))).toThrow(
    refused(/"eve" is in HERMES_DASHBOARD_BASIC_AUTH_USERS and in/),
  )
})

test('a list of users alone is a log-in', () => {
  const setting = settings({ BASIC_AUTH_USERS: `eve:viewer:${HASH}` })
  const gate = decideGate({ host: '0.0.0.0', port: 9119, insecure: false, setting })
  expect(gate).toEqual({ kind: 'login', providers: ['basic'] })
})

describe('roles by groups', () => {
  test('the highest role of the groups counts', () => {
    const known = groupRoles(settings({ OIDC_ROLES: 'staff=viewer, /realm/ops=operator' }))
    expect([['staff'], ['/realm/ops', 'staff'], 'staff'].map((groups) => known?.scopeOf(groups))).toEqual([
      'read',
      'operate',
      'read',
    ])
  })

  test.each([undefined, null, [], ['other'], ['Staff'], 7, [['staff']], { staff: true }])(
    'a user without a group that has a role is refused: %j',
    (groups) => {
      const known = groupRoles(settings({ OIDC_ROLES: 'staff=viewer' }))
      expect(() => known?.scopeOf(groups)).toThrow(/HERMES_DASHBOARD_OIDC_ROLES/)
    },
  )

  test.each(['staff', 'staff=', 'staff=boss', '=admin', 'staff=viewer,=admin', ','])(
    'a wrong list is refused at the start: %s',
    (text) => expect(() => groupRoles(settings({ OIDC_ROLES: text }))).toThrow(refused(/HERMES_DASHBOARD_OIDC_ROLES/)),
  )

  test('without a list every user may do everything, as before', () => {
    expect(groupRoles(settings({}))).toBeUndefined()
  })
})
