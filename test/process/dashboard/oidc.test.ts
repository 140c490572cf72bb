import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { Sealer } from '../../../src/dashboard/auth/seal.ts'
import {
  cookieHeader,
  type DashboardAnswer,
  pageToken,
  type RunningDashboard,
  startDashboard,
} from '../../support/dashboard/dashboard.ts'
import {
  type Account,
  CLIENT,
  type IdentityProvider,
  startIdentityProvider,
} from '../../support/dashboard/identity-provider.ts'
import { installWithPage } from '../../support/dashboard/page.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { freePort } from '../../support/port.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const ACCOUNTS = {
  alice: { email: 'Alice@example.com', email_verified: true },
  mallory: { email: 'alice@example.com', email_verified: false },
  // Some providers send texts, and some leave it out.
  quoted: { email: 'alice@example.com', email_verified: 'true' },
  silent: { email: 'alice@example.com' },
  bob: {},
}

let hermes: RunningHermes
let page: { readonly install: string } & Disposable
let port: number
beforeAll(async () => {
  page = installWithPage()
  hermes = await startHermes({ profiles: [] })
})
afterAll(async () => {
  await hermes[Symbol.asyncDispose]()
  page[Symbol.dispose]()
})
beforeEach(async () => {
  port = await freePort()
})

const identityProvider = (options: Partial<Parameters<typeof startIdentityProvider>[0]> = {}) =>
  startIdentityProvider({ redirectUri: `http://127.0.0.1:${port}/auth/callback`, accounts: ACCOUNTS, ...options })

const dashboardFor = (
  issuer: string | undefined,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningDashboard> =>
  startDashboard(hermes, {
    args: ['--host', '0.0.0.0'],
    port,
    install: page.install,
    env: {
      HERMES_DASHBOARD_OAUTH_CLIENT_ID: CLIENT.id,
      HERMES_DASHBOARD_OAUTH_CLIENT_SECRET: CLIENT.secret,
      ...(issuer === undefined ? {} : { HERMES_DASHBOARD_OIDC_ISSUER: issuer }),
      ...env,
    },
  })

interface Began {
  readonly location: string
  readonly cookie: string
}

async function begin(dashboard: RunningDashboard, query = 'provider=nous'): Promise<Began> {
  const answer = await dashboard.ask(`/auth/login?${query}`)
  expect(answer.code).toBe(302)
  return { location: answer.headers.location ?? '', cookie: cookieHeader(answer.cookies()) }
}

const pathOf = (url: string): string => url.replace(/^http:\/\/[^/]+/, '')

async function signIn(
  dashboard: RunningDashboard,
  provider: IdentityProvider,
  account = 'alice',
  query?: string,
): Promise<DashboardAnswer> {
  const { location, cookie } = await begin(dashboard, query)
  return dashboard.ask(pathOf(await provider.signIn(location, account)), { headers: { cookie } })
}

const profiles = (dashboard: RunningDashboard, cookie: string): Promise<DashboardAnswer> =>
  dashboard.ask('/api/auth/me', { headers: { cookie } })

const audit = (): string => readFileSync(join(hermes.home, 'logs', 'dashboard-auth.log'), 'utf8')

test('the groups of a user give a role; without one the log-in is refused, and a session ends with its role', async () => {
  const accounts: Record<string, Account> = {
    olga: { groups: ['staff', 'ops'] },
    vera: { groups: ['staff'] },
    otto: { groups: ['other'] },
    nina: {},
  }
  await using provider = await identityProvider({ accounts, ttlS: 1 })
  await using dashboard = await dashboardFor(provider.issuer, {
    HERMES_DASHBOARD_OIDC_ROLES: 'staff=viewer,ops=operator',
  })
  const cookieOf = async (account: string) => cookieHeader((await signIn(dashboard, provider, account)).cookies())
  const scopes = async (cookie: string) => (await profiles(dashboard, cookie)).json().scope
  const [olga, vera] = [await cookieOf('olga'), await cookieOf('vera')]
  expect([await scopes(olga), await scopes(vera)]).toEqual(['operate', 'read'])
  expect((await dashboard.ask('/api/audit', { headers: { cookie: vera } })).json().error).toBe('insufficient_scope')
  for (const [account, detail] of [
    ['otto', 'no group of the user has a role in HERMES_DASHBOARD_OIDC_ROLES'],
    ['nina', 'the provider sent no claim "groups", which HERMES_DASHBOARD_OIDC_ROLES needs'],
  ] as const) {
    const answer = await signIn(dashboard, provider, account)
    expect([answer.code, answer.json()]).toEqual([403, expect.objectContaining({ error: 'not_allowed', detail })])
  }
  // Asked again when the first part of the session has ended: the groups of then count. A session that has not been
  // renewed before: one that has keeps the answer for a minute.
  const leaving = await cookieOf('olga')
  accounts.olga = { groups: ['other'] }
  await waitFor('the session to end', async () => (await profiles(dashboard, leaving)).code === 401)
  expect(audit()).toContain('"event":"renewal_refused"')
})

test('the whole way there and back: code, PKCE, nonce, state; then a session of that user', async () => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer)
  expect((await dashboard.ask('/api/auth/providers')).json()).toEqual({
    providers: [{ name: 'nous', kind: 'oidc', label: 'nous' }],
  })
  // Nothing was asked of the provider until a user wants to log in.
  expect(provider.asked).toEqual([])
  const answer = await dashboard.ask('/auth/login?provider=nous&next=%2Fkanban')
  const location = new URL(answer.headers.location ?? '')
  expect(location.origin).toBe(provider.issuer)
  expect(Object.fromEntries(location.searchParams)).toMatchObject({
    response_type: 'code',
    client_id: CLIENT.id,
    redirect_uri: `${dashboard.origin}/auth/callback`,
    code_challenge_method: 'S256',
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
  })
  const [pkce] = answer.headers['set-cookie'] ?? []
  expect(pkce).toMatch(/^hermes_session_pkce_[0-9a-f]{8}=[\w-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/)
  expect(pkce).not.toContain(location.searchParams.get('state'))

  const back = await provider.signIn(location.href, 'alice')
  const done = await dashboard.ask(pathOf(back), { headers: { cookie: cookieHeader(answer.cookies()) } })
  expect([done.code, done.headers.location]).toEqual([302, '/kanban'])
  expect(Object.keys(done.cookies())).toEqual(['hermes_session_at', 'hermes_session_rt'])
  expect(done.headers['set-cookie']).toContainEqual(
    expect.stringMatching(/^hermes_session_pkce_[0-9a-f]{8}=; .*Max-Age=0/),
  )
  const me = await profiles(dashboard, cookieHeader(done.cookies()))
  expect(me.json()).toMatchObject({ user: 'Alice@example.com', provider: 'nous' })
})

test('HERMES_DASHBOARD_OIDC_NAME names it; another name is 404', async () => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer, { HERMES_DASHBOARD_OIDC_NAME: 'corp' })
  expect((await dashboard.ask('/auth/login?provider=nous')).code).toBe(404)
  expect((await signIn(dashboard, provider, 'bob', 'provider=corp')).code).toBe(302)
})

test.each(['//evil.example', '/%5C/evil.example/../..', '/auth/logout', 'https://evil.example'])(
  'next=%s is not where it leads after the log-in',
  async (next) => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const query = `provider=nous&next=${encodeURIComponent(next)}`
    const { location = '' } = (await signIn(dashboard, provider, 'alice', query)).headers
    expect(new URL(location, dashboard.origin).origin).toBe(dashboard.origin)
    expect(location).not.toContain('logout')
  },
)

describe('the way back is refused', () => {
  test('with another state, and goes on with the right one', async () => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const { location, cookie } = await begin(dashboard)
    const back = pathOf(await provider.signIn(location, 'alice'))
    const wrong = back.replace(/state=[^&]+/, 'state=somebody-elses')
    expect((await dashboard.ask(wrong, { headers: { cookie } })).code).toBe(400)
    expect((await dashboard.ask(back, { headers: { cookie } })).code).toBe(302)
    expect(audit()).toMatch(/"event":"login_refused","provider":"nous","reason":"the state is another","address"/)
  })

  test('without the cookie of the log-in that was begun, or with a made-up one', async () => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const { location } = await begin(dashboard)
    const back = pathOf(await provider.signIn(location, 'alice'))
    expect((await dashboard.ask(back)).code).toBe(400)
    expect((await dashboard.ask(back, { headers: { cookie: 'hermes_session_pkce=made.up' } })).code).toBe(400)
  })

  test('with the cookie of another log-in: a link signs no user in', async () => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const attackers = await begin(dashboard)
    const victims = await begin(dashboard)
    const back = pathOf(await provider.signIn(attackers.location, 'mallory'))
    expect((await dashboard.ask(back, { headers: { cookie: victims.cookie } })).code).toBe(400)
  })

  test('more than ten minutes after it was begun, and not before', async () => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const { location, cookie } = await begin(dashboard)
    const back = pathOf(await provider.signIn(location, 'alice'))
    const key = readFileSync(join(hermes.home, 'dashboard.key'), 'utf8').trim()
    const sealer = new Sealer(Buffer.from(key, 'base64url'))
    const [name, sealed] = cookie.split('=')
    const pending = sealer.open('pkce', sealed ?? '') as { readonly untilMs: number }
    const aged = (ms: number): string => `${name}=${sealer.seal('pkce', { ...pending, untilMs: pending.untilMs - ms })}`
    const late = await dashboard.ask(back, { headers: { cookie: aged(10 * 60_000) } })
    expect([late.code, late.json().detail]).toEqual([400, expect.stringContaining('too long ago')])
    expect((await dashboard.ask(back, { headers: { cookie: aged(5 * 60_000) } })).code).toBe(302)
  })

  test('with a code that was used already', async () => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const { location, cookie } = await begin(dashboard)
    const back = pathOf(await provider.signIn(location, 'alice'))
    expect((await dashboard.ask(back, { headers: { cookie } })).code).toBe(302)
    const again = await dashboard.ask(back, { headers: { cookie } })
    expect([again.code, again.json().detail]).toEqual([400, expect.stringContaining('invalid_grant')])
    expect(again.cookies()).toEqual({})
  })

  test('when the user says no at the provider', async () => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const { location, cookie } = await begin(dashboard)
    const answer = await dashboard.ask(pathOf(await provider.cancel(location)), { headers: { cookie } })
    expect([answer.code, answer.json().detail]).toEqual([400, expect.stringContaining('access_denied')])
    // A browser gets a text, and nothing of the address becomes markup.
    const headers = { accept: 'text/html,*/*;q=0.8' }
    const page = await dashboard.ask('/auth/login?provider=%3Cscript%3E', { headers })
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.body).toContain('<a href="/">')
    expect(page.body).not.toContain('<script>')
  })
})

describe('a session whose access has expired', () => {
  test('is renewed, once for all requests that come at the same time, although the token may be used once', async () => {
    await using provider = await identityProvider({ ttlS: 1 })
    await using dashboard = await dashboardFor(provider.issuer)
    const cookie = cookieHeader((await signIn(dashboard, provider)).cookies())
    const answers = await waitFor('a renewal', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, () => profiles(dashboard, cookie)))
      return all.some((answer) => answer.cookies().hermes_session_at) && all
    })
    expect(answers.map(({ code }) => code)).toEqual(Array(8).fill(200))
    const renewed = answers.find((answer) => answer.cookies().hermes_session_at)?.cookies() ?? {}
    await waitFor('the next one, with the token of the first', async () => {
      const answer = await profiles(dashboard, cookieHeader(renewed))
      expect(answer.code).toBe(200)
      return answer.cookies().hermes_session_rt
    })
    expect(provider.revoked).toEqual([])
    // Nothing of a session holds up the end.
    expect((await dashboard.stop()).tookMs).toBeLessThan(stretchedMs(10_000))
  })

  test('is over when the provider does not know it any more, and the audit log says so', async () => {
    await using provider = await identityProvider({ ttlS: 1 })
    await using dashboard = await dashboardFor(provider.issuer)
    const cookie = cookieHeader((await signIn(dashboard, provider)).cookies())
    provider.forget()
    const answer = await waitFor('the end of the session', async () => {
      const seen = await profiles(dashboard, cookie)
      return seen.code !== 200 && seen
    })
    expect(answer.json()).toMatchObject({ error: 'session_expired', reason: 'invalid_or_expired_session' })
    expect(answer.headers['set-cookie']).toContainEqual(expect.stringMatching(/^hermes_session_rt=; .*Max-Age=0/))
    await dashboard.stop()
    expect(audit()).toContain('"renewal_refused"')
  })

  test('is over when the provider answers for another user', async () => {
    const alice = { ...ACCOUNTS.alice, sub: 'alice' }
    await using provider = await identityProvider({ accounts: { alice } })
    await using dashboard = await dashboardFor(provider.issuer)
    const { hermes_session_rt = '' } = (await signIn(dashboard, provider)).cookies()
    alice.sub = 'mallory'
    const answer = await profiles(dashboard, cookieHeader({ hermes_session_rt }))
    expect([answer.code, answer.json().reason]).toEqual([401, 'invalid_or_expired_session'])
    await dashboard.stop()
    expect(JSON.parse(audit().trim().split('\n').at(-1) ?? '')).toMatchObject({
      event: 'renewal_refused',
      user: 'Alice@example.com',
      reason: 'another subject came back',
    })
  })

  test('waits for a provider that is away: 503 with its name, nothing is taken back, and it goes on', async () => {
    await using provider = await identityProvider({ ttlS: 1 })
    await using dashboard = await dashboardFor(provider.issuer)
    const cookie = cookieHeader((await signIn(dashboard, provider)).cookies())
    await provider.down()
    const away = await waitFor('the access to expire', async () => {
      const seen = await profiles(dashboard, cookie)
      return seen.code !== 200 && seen
    })
    expect([away.code, away.json().error]).toEqual([503, 'provider_unavailable'])
    expect(away.json().detail).toContain('"nous"')
    expect(away.headers['set-cookie']).toBeUndefined()
    // Public pages stay public, whichever provider is away.
    expect((await dashboard.ask('/api/status', { headers: { cookie } })).code).toBe(200)
    await provider.up()
    await waitFor('the session to go on', async () => (await profiles(dashboard, cookie)).code === 200)
  })
})

/** With the token of the page, which a session that is still alive has. */
async function leaving(dashboard: RunningDashboard, cookie: string): Promise<() => Promise<DashboardAnswer>> {
  const token = pageToken((await dashboard.ask('/', { headers: { cookie } })).body)
  const headers = { cookie, Origin: dashboard.origin, 'X-Hermes-Token': token }
  return () => dashboard.ask('/auth/logout', { method: 'POST', headers })
}

test('a log-out gives the grant back to the provider, and ends the session here permanently', async () => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer)
  const cookie = cookieHeader((await signIn(dashboard, provider)).cookies())
  const leave = await leaving(dashboard, cookie)
  expect((await leave()).code).toBe(204)
  expect((await profiles(dashboard, cookie)).json().reason).toBe('invalid_or_expired_session')
  await waitFor('the grant to be given back', () => provider.revoked.length === 1)
})

describe('a log-out does not wait for a provider that takes requests and answers none', () => {
  /** Before the provider is given up, which is after ten seconds. */
  async function leaveSoon(leave: () => Promise<DashboardAnswer>): Promise<void> {
    const askedAtMs = performance.now()
    expect((await leave()).code).toBe(204)
    expect(performance.now() - askedAtMs).toBeLessThan(stretchedMs(8_000))
  }

  test('the session is over, the answer is out, and the log says what came of it', async () => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const cookie = cookieHeader((await signIn(dashboard, provider)).cookies())
    const leave = await leaving(dashboard, cookie)
    provider.hang()
    const before = audit()
    const said = () => audit().slice(before.length)
    await leaveSoon(leave)
    expect(said()).not.toContain('provider_away')
    expect((await profiles(dashboard, cookie)).json().reason).toBe('invalid_or_expired_session')
    await waitFor('the provider to be told', () => provider.asked.at(-1)?.includes('/revocation'))
    await waitFor('it to be given up', () => said().includes('"provider_away"'), { deadlineMs: 60_000 })
    expect(JSON.parse(said().trim().split('\n').at(-1) ?? '')).toMatchObject({
      event: 'provider_away',
      provider: 'nous',
      user: 'Alice@example.com',
      reason: expect.stringContaining('"nous" does not answer'),
    })
  })

  test('nor for the renewal that another request has begun; and the end of the dashboard waits for neither', async () => {
    await using provider = await identityProvider()
    await using dashboard = await dashboardFor(provider.issuer)
    const all = (await signIn(dashboard, provider)).cookies()
    // Without its first part a session has to be renewed, as when that has expired.
    const renewed = profiles(dashboard, cookieHeader({ hermes_session_rt: all.hermes_session_rt ?? '' }))
    expect((await renewed).code).toBe(200)
    const cookie = cookieHeader({ hermes_session_rt: (await renewed).cookies().hermes_session_rt ?? '' })
    const leave = await leaving(dashboard, cookieHeader((await renewed).cookies()))
    provider.hang()
    const before = { audit: audit(), asked: provider.asked.length }
    const waiting = profiles(dashboard, cookie).catch((error: Error) => error)
    await waitFor('the renewal to be under way', () => provider.asked.length > before.asked)
    await leaveSoon(leave)
    expect((await dashboard.stop()).code).toBe(0)
    await waiting
    const said = audit().slice(before.audit.length)
    expect(said).toContain('"logout"')
    expect(said).toContain('"provider_away"')
  })
})

describe('the client shows the provider who it is in the way that the provider announces', () => {
  test.each([
    ['basic', ['client_secret_basic'], CLIENT.secret],
    ['post', ['client_secret_post'], CLIENT.secret],
    ['nothing, as a public client', ['none'], ''],
  ] as const)('%s: log-in, renewal and log-out', async (_, clientAuthMethods, secret) => {
    await using provider = await identityProvider({ clientAuthMethods })
    await using dashboard = await dashboardFor(provider.issuer, { HERMES_DASHBOARD_OAUTH_CLIENT_SECRET: secret })
    const all = (await signIn(dashboard, provider)).cookies()
    const renewed = await profiles(dashboard, cookieHeader({ hermes_session_rt: all.hermes_session_rt ?? '' }))
    expect([renewed.code, Object.keys(renewed.cookies())]).toEqual([200, ['hermes_session_at', 'hermes_session_rt']])
    expect(provider.shown).toEqual([...clientAuthMethods, ...clientAuthMethods])
    expect((await (await leaving(dashboard, cookieHeader(renewed.cookies())))()).code).toBe(204)
    await waitFor('the grant to be given back', () => provider.revoked.length === 1)
  })

  test('one that we do not have is named at the log-in, before a user is sent to the provider', async () => {
    await using provider = await identityProvider({ clientAuthMethods: ['client_secret_jwt'] })
    await using dashboard = await dashboardFor(provider.issuer)
    const answer = await dashboard.ask('/auth/login?provider=nous')
    expect([answer.code, answer.json().error]).toEqual([503, 'provider_unavailable'])
    expect(answer.json().detail).toContain('"nous" accepts no client secret; it announces client_secret_jwt')
    expect(answer.json().next).toContain('client_secret_basic or client_secret_post')
  })
})

test('a log-out while the provider is away, with an access that has expired, ends everything all the same', async () => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer, { HERMES_DASHBOARD_TUI: '1' })
  const all = (await signIn(dashboard, provider)).cookies()
  const token = pageToken((await dashboard.ask('/', { headers: { cookie: cookieHeader(all) } })).body)
  const terminal = new WebSocket(`ws://127.0.0.1:${port}/api/terminal`, ['hermes', `hermes.token.${token}`], {
    headers: { Origin: dashboard.origin, cookie: cookieHeader(all) },
  })
  await once(terminal, 'open')
  const closed = once(terminal, 'close')
  await provider.down()
  // Without its first part a session has to be renewed, as when that has expired.
  const cookie = cookieHeader({ hermes_session_rt: all.hermes_session_rt ?? '' })
  expect((await profiles(dashboard, cookie)).code).toBe(503)
  const leave = (headers: Readonly<Record<string, string>>) =>
    dashboard.ask('/auth/logout', { method: 'POST', headers: { cookie, Origin: dashboard.origin, ...headers } })

  // It is this session that is ended, so it has to be its page that asks.
  expect((await leave({})).code).toBe(403)
  const answer = await leave({ 'X-Hermes-Token': token })
  expect(answer.code).toBe(204)
  expect(answer.headers['set-cookie']).toContainEqual(expect.stringMatching(/^hermes_session_rt=; .*Max-Age=0/))
  expect((await closed)[0]).toBe(1008)
  const sessionOver = { code: 401, reason: 'invalid_or_expired_session' }
  const seen = async () => {
    const { code, json } = await profiles(dashboard, cookie)
    return { code, reason: json().reason }
  }
  expect(await seen()).toEqual(sessionOver)
  await provider.up()
  expect(await seen()).toEqual(sessionOver)
  await dashboard.stop()
  const entries = audit().trim().split('\n').slice(-2)
  expect(entries.map((line) => JSON.parse(line))).toMatchObject([
    { event: 'logout', provider: 'nous', user: 'Alice@example.com' },
    { event: 'provider_away', provider: 'nous', user: 'Alice@example.com' },
  ])
})

test('a provider that is down is named at the log-in, and found when it is back', async () => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer)
  await provider.down()
  const answer = await dashboard.ask('/auth/login?provider=nous')
  expect([answer.code, answer.json().error]).toEqual([503, 'provider_unavailable'])
  expect(answer.json().detail).toContain('"nous"')
  // One that has failed less than two seconds ago is not asked for each of those who come.
  await waitFor('two log-ins within two seconds', async () => {
    await provider.down()
    const before = provider.asked.length
    const failsAtMs = performance.now()
    expect((await dashboard.ask('/auth/login?provider=nous')).code).toBe(503)
    await provider.up()
    const { code } = await dashboard.ask('/auth/login?provider=nous')
    if (performance.now() - failsAtMs > 2000) return false // this machine is too busy to tell
    expect([code, provider.asked.length]).toEqual([503, before])
    return true
  })
  const failedAtMs = performance.now()
  await waitFor('it to be asked again', () => performance.now() - failedAtMs > 2100)
  expect((await signIn(dashboard, provider)).code).toBe(302)
})

test('a provider that has changed how it signs is asked anew after one log-in that failed, which says why', async () => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer)
  expect((await signIn(dashboard, provider)).code).toBe(302)
  provider.sign('ES256')
  const failed = await signIn(dashboard, provider)
  expect([failed.code, failed.json().detail]).toEqual([400, expect.stringMatching(/alg ES256/)])
  expect((await signIn(dashboard, provider)).code).toBe(302)
  await dashboard.stop()
  expect(audit()).toMatch(/"login_refused".*alg ES256/)
})

test('an issuer that is not written as the provider writes it: the answer names the right one', async () => {
  const named = 'https://login.example/application/o/x/'
  const server = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ issuer: named })),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/application/o/x`
  await using dashboard = await dashboardFor(issuer)
  const next = async () => (await dashboard.ask('/auth/login?provider=nous')).json().next
  expect(await next()).toBe(`it names itself ${named}: set HERMES_DASHBOARD_OIDC_ISSUER=${named}`)
  server.close()
  server.closeAllConnections()
})

test('an issuer below which there is no provider: the answer names the setting', async () => {
  await using provider = await identityProvider()
  await using nowhere = await dashboardFor(`${provider.issuer}/nowhere`)
  expect((await nowhere.ask('/auth/login?provider=nous')).json().next).toContain('HERMES_DASHBOARD_OIDC_ISSUER=')
})

test.each([
  [undefined, 'openid profile email'],
  ['email offline_access', 'openid email offline_access'],
])('the scopes of the setting %s are asked for: %s', async (setting, scope) => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer, setting ? { HERMES_DASHBOARD_OIDC_SCOPES: setting } : {})
  expect(new URL((await begin(dashboard)).location).searchParams.get('scope')).toBe(scope)
})

test('entries that any client can cause are limited, and cannot wash the audit log away', async () => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer)
  await provider.down()
  const before = audit().length
  const codes = new Set<number>()
  for (let i = 0; i < 40; i += 1) {
    codes.add((await dashboard.ask('/auth/login?provider=nous')).code)
    codes.add((await dashboard.ask('/auth/callback?state=x')).code)
    await dashboard.ask('/auth/callback?state=x', { headers: { cookie: 'hermes_session_pkce=made-up' } })
    await dashboard.ask('/api/auth/me', { headers: { cookie: 'hermes_session_at=made-up' } })
  }
  expect([...codes].sort()).toEqual([400, 429, 503])
  await dashboard.stop()
  const entries = audit()
    .slice(before)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const reasons = ['without the cookie of a log-in', 'with a cookie that is not ours', 'too many tries']
  for (const reason of reasons)
    expect(entries.filter((entry) => entry.reason === reason && !entry.more)).not.toEqual([])
  expect(entries).toContainEqual(expect.objectContaining({ event: 'session_refused', more: 39 }))
  expect(entries.length).toBeLessThan(12)
})

test('without an issuer it starts, the gate is on, and the log-in says what is missing', async () => {
  await using dashboard = await dashboardFor(undefined)
  expect((await dashboard.ask('/api/profiles')).code).toBe(401)
  const answer = await dashboard.ask('/auth/login?provider=nous')
  expect([answer.code, answer.json().detail]).toEqual([503, expect.stringContaining('HERMES_DASHBOARD_OIDC_ISSUER')])
})

test('without refresh tokens the session is one of an hour', async () => {
  await using provider = await identityProvider({ ttlS: 1, refreshTokens: false })
  await using dashboard = await dashboardFor(provider.issuer)
  const cookie = cookieHeader((await signIn(dashboard, provider)).cookies())
  expect((await profiles(dashboard, cookie)).code).toBe(200)
})

test.each([
  ['alice', 'alice@EXAMPLE.com, somebody', 302],
  ['alice', 'alice', 302],
  ['quoted', 'alice@example.com', 403],
  ['silent', 'alice@example.com', 403],
  ['bob', 'bob', 302],
  ['bob', 'alice@example.com', 403],
  ['mallory', 'alice@example.com', 403],
])('%s comes in by the list "%s": %i', async (account, list, code) => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer, { HERMES_DASHBOARD_ALLOWED_USERS: list })
  const answer = await signIn(dashboard, provider, account)
  expect(answer.code).toBe(code)
  expect('hermes_session_at' in answer.cookies()).toBe(code === 302)
})

test('both ways in may be offered together', async () => {
  await using provider = await identityProvider()
  await using dashboard = await dashboardFor(provider.issuer, {
    HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
    HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'secret',
  })
  const { providers } = (await dashboard.ask('/api/auth/providers')).json()
  expect(providers.map(({ name }: { name: string }) => name)).toEqual(['nous', 'basic'])
  const json = { username: 'me', password: 'secret' }
  const headers = { Origin: dashboard.origin }
  expect((await dashboard.ask('/auth/password-login', { method: 'POST', json, headers })).code).toBe(200)
  expect((await signIn(dashboard, provider)).code).toBe(302)
})

test('no token and no secret ever stands in the audit log or in what the dashboard prints', async () => {
  await using provider = await identityProvider({ ttlS: 1 })
  await using dashboard = await dashboardFor(provider.issuer)
  const { location, cookie } = await begin(dashboard)
  const back = pathOf(await provider.signIn(location, 'alice'))
  const code = new URLSearchParams(back.split('?')[1]).get('code') ?? 'none'
  await dashboard.ask(back, { headers: { cookie } })
  await dashboard.ask(back, { headers: { cookie } })
  await dashboard.stop()
  const told = audit() + dashboard.said()
  expect(told).toContain('"login_refused"')
  for (const secret of [code, CLIENT.secret, cookie.split('=')[1] ?? 'none']) expect(told).not.toContain(secret)
})
