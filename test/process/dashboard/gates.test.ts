import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hermes as cli } from '../../support/cli.ts'
import {
  type Asking,
  askHttp,
  cookieHeader,
  type DashboardAnswer,
  pageToken,
  password,
  type RunningDashboard,
  resealed,
  startDashboard,
  unmarked,
} from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { installWithPage } from '../../support/dashboard/page.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

let hermes: RunningHermes
let page: { readonly install: string } & Disposable
beforeAll(async () => {
  page = installWithPage()
  const lives = { name: 'coder', gateway: { command: ['sleep', '100000'], ready_after: '50ms' } }
  hermes = await startHermes({ profiles: [lives] })
})
afterAll(async () => {
  await hermes[Symbol.asyncDispose]()
  page[Symbol.dispose]()
})

const gated = (env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<RunningDashboard> =>
  startDashboard(hermes, { args: ['--host', '0.0.0.0', ...args], env: { ...password, ...env }, install: page.install })

const credentials = { username: 'me', password: 'correct horse' }

let people = 0
/**
 * The client address that a proxy reports, so that the log-ins of many tests are not ten tries of one. Counts where
 * proxies are trusted.
 */
const somebodyElse = (): string => `198.51.${Math.floor(++people / 250)}.${people % 250}`

const logIn = (dashboard: RunningDashboard, asking: Asking = {}): Promise<DashboardAnswer> =>
  dashboard.ask('/auth/password-login', {
    method: 'POST',
    json: credentials,
    ...asking,
    headers: { Origin: dashboard.origin, 'X-Forwarded-For': somebodyElse(), ...asking.headers },
  })

/** Logs in as a browser does. @returns its cookies, and the token of the page */
async function signIn(dashboard: RunningDashboard): Promise<{ cookie: string; token: string }> {
  const cookie = cookieHeader((await logIn(dashboard)).cookies())
  return { cookie, token: pageToken((await dashboard.ask('/', { headers: { cookie } })).body) }
}

const UNAUTHENTICATED = {
  error: 'unauthenticated',
  detail: 'Unauthorized',
  reason: 'no_cookie',
  login_url: '/login',
}
const SIX = [
  '/api/status',
  '/api/config/defaults',
  '/api/config/schema',
  '/api/model/info',
  '/api/dashboard/themes',
  '/api/dashboard/plugins',
]

describe('where a log-in is needed', () => {
  let dashboard: RunningDashboard
  beforeAll(async () => {
    dashboard = await gated({ HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1' })
  })
  afterAll(() => dashboard[Symbol.asyncDispose]())

  test.each([...SIX, '/api/auth/providers', '/login'])('%s is open to everybody', async (path) => {
    expect((await dashboard.ask(path)).code).toBe(200)
  })

  test('files of the page are open, and caches keep them permanently', async () => {
    const answer = await dashboard.ask('/assets/page-1a2b.js')
    expect(answer).toMatchObject({ code: 200, body: 'console.log("page")\n' })
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    const zipped = await dashboard.ask('/assets/page-1a2b.js', { headers: { 'accept-encoding': 'gzip' } })
    expect(zipped.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
  })

  test.each([
    ...SIX.flatMap((path) => [
      `${path}/`,
      `${path}/x`,
      `${path}%2f`,
      `${path};x`,
      `/${path}`,
      path.replace('/api/', '/api//'),
      path.replace('/api/', '/api/./'),
      path.replace('/api/', '/api/x/../'),
      path.replace('/api/', '/%61pi/'),
      path.toUpperCase(),
    ]),
    '/api/%73tatus',
    '/api/%2573tatus',
    '/api/profiles',
    '/api/profiles/coder/logs/follow',
    '/api/events',
    '/api/metrics',
    '/metrics',
    '/api/openapi.json',
    '/api/terminal',
    '/api/nosuch',
    '/api',
    '/api/auth/me',
    '/api/status%00',
    '/assets/../api/profiles',
    '/assets/%2e%2e/api/profiles',
    '/login/../api/profiles',
    '/auth/login/../../api/profiles',
  ])('%s wants a session, and is answered with JSON', async (path) => {
    const answer = await dashboard.ask(path)
    expect(answer.code).toBe(401)
    expect(answer.json()).toEqual(UNAUTHENTICATED)
  })

  test.each([
    ['HEAD', '/api/profiles', 401],
    ['OPTIONS', '/api/profiles', 401],
    ['POST', '/api/profiles', 401],
    ['TRACE', '/api/profiles', 401],
    ['PUT', '/api/profiles', 401],
    ['HEAD', '/api/status', 200],
    ['OPTIONS', '/api/status', 405],
    ['POST', '/api/status', 405],
    ['DELETE', '/api/status', 405],
    ['PUT', '/auth/password-login', 405],
  ])('%s %s is %i', async (method, path, code) => {
    expect((await dashboard.ask(path, { method })).code).toBe(code)
  })

  test.each(['X-HTTP-Method-Override', 'X-Method-Override', 'X-HTTP-Method'])('%s changes nothing', async (name) => {
    const headers = { [name]: 'GET', 'X-Original-URL': '/api/status', 'X-Rewrite-URL': '/api/status' }
    expect((await dashboard.ask('/api/profiles', { method: 'POST', headers })).code).toBe(401)
    expect((await dashboard.ask('/api/profiles', { headers })).code).toBe(401)
    // Neither is a change called a question, nor the other way round.
    const { cookie } = await signIn(dashboard)
    const change = { method: 'POST', json: { title: 'by another name' } }
    expect((await dashboard.ask('/api/kanban/tasks', { ...change, headers: { ...headers, cookie } })).code).toBe(403)
    expect((await dashboard.ask('/api/status', { headers: { [name]: 'DELETE' } })).code).toBe(200)
  })

  test.each(['/assetsleak', '/assets', '/assetsleak/x.js'])('%s is not among the files of the page', async (path) => {
    expect((await dashboard.ask(path)).code).toBe(302)
  })

  test.each(['/assets/../index.html', '/assets/%2e%2e/index.html', '/assets//x.js', '/assets/..%2fbin'])(
    '%s leads nowhere',
    async (path) => {
      expect([302, 401, 404]).toContain((await dashboard.ask(path)).code)
    },
  )

  test.each([
    ['/', '/login?next=%2F'],
    ['/profiles/coder', '/login?next=%2Fprofiles%2Fcoder'],
    ['/kanban?board=x', '/login?next=%2Fkanban%3Fboard%3Dx'],
    ['/nosuch', '/login?next=%2Fnosuch'],
  ])('the page %s goes to %s', async (path, location) => {
    const answer = await dashboard.ask(path)
    expect([answer.code, answer.headers.location]).toEqual([302, location])
  })

  test('the public status says nothing that only the operator should know', async () => {
    const { body } = await dashboard.ask('/api/status')
    expect(Object.keys(JSON.parse(body)).sort()).toEqual([
      'active_sessions',
      'auth_providers',
      'auth_required',
      'gateway_running',
      'gateway_state',
      'gateway_updated_at',
      'profiles',
      'version',
    ])
    expect(body).not.toContain(hermes.home)
    const { cookie } = await signIn(dashboard)
    const details = (await dashboard.ask('/api/status', { headers: { cookie } })).json().details
    expect(details.slots.map(({ slot }: { slot: string }) => slot)).toContain('gateway-coder')
  })

  test('a log-in opens the API, and says who is in', async () => {
    const { cookie } = await signIn(dashboard)
    expect((await dashboard.ask('/api/profiles', { headers: { cookie } })).code).toBe(200)
    expect((await dashboard.ask('/api/auth/me', { headers: { cookie } })).json()).toMatchObject({
      user: 'me',
      provider: 'basic',
      expires_at: expect.stringMatching(/^\d{4}-/),
    })
  })

  test('over HTTP the cookies have names without a prefix, and no script reads them', async () => {
    const cookies = (await logIn(dashboard)).headers['set-cookie'] ?? []
    expect(cookies.map(unmarked)).toEqual(['hermes_session_at', 'hermes_session_rt', 'hermes_known'])
    for (const cookie of cookies) {
      expect(cookie).toMatch(/; Path=\/; Max-Age=(43\d+|15552000); HttpOnly; SameSite=Lax$/)
    }
  })

  test('an invalid cookie is deleted in every variant', async () => {
    const answer = await dashboard.ask('/api/profiles', { headers: { cookie: 'hermes_session_at=made.up' } })
    expect(answer.code).toBe(401)
    expect(answer.json()).toEqual({
      error: 'session_expired',
      detail: 'Unauthorized',
      reason: 'invalid_or_expired_session',
      login_url: '/login',
    })
    const taken = answer.headers['set-cookie'] ?? []
    for (const name of ['hermes_session_at', 'hermes_session_rt']) {
      for (const prefix of ['', '__Host-', '__Secure-']) {
        expect(taken).toContainEqual(expect.stringMatching(new RegExp(`^${prefix}${name}=; Path=/; Max-Age=0; `)))
      }
    }
  })

  test('two dashboards on one host leave each other’s sessions alone: cookies know no ports', async () => {
    await using other = await startHermes({ profiles: [] })
    await using neighbour = await startDashboard(other, {
      args: ['--host', '0.0.0.0'],
      env: password,
      install: page.install,
    })
    const jar = new Map<string, string>()
    for (const one of [dashboard, neighbour])
      for (const cookie of (await logIn(one)).headers['set-cookie'] ?? [])
        jar.set(cookie.split('=')[0] ?? '', cookie.split(/[=;]/)[1] ?? '')
    expect(jar.size).toBe(6)
    const cookie = cookieHeader(Object.fromEntries(jar))
    for (const one of [dashboard, neighbour])
      expect((await one.ask('/api/auth/me', { headers: { cookie } })).code).toBe(200)
  })

  test('an unknown address gets a page for people, and JSON for programs', async () => {
    const { cookie } = await signIn(dashboard)
    const ask = (path: string, Accept: string) => dashboard.ask(path, { headers: { cookie, Accept } })
    const page = await ask('/no/such/page', 'text/html,*/*')
    expect([page.code, page.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8'])
    expect(page.body).toContain('<a href="/">')
    for (const [path, accept] of [
      ['/no/such/page', '*/*'],
      ['/api/nothing', 'text/html'],
    ] as const)
      expect((await ask(path, accept)).json().error).toBe('not_found')
  })

  test('a session that was changed, or sealed for something else, is invalid', async () => {
    const cookies = (await logIn(dashboard)).cookies()
    const at = cookies.hermes_session_at ?? ''
    const flipped = `${at.slice(0, 20)}${at[20] === 'A' ? 'B' : 'A'}${at.slice(21)}`
    for (const cookie of [`hermes_session_at=${flipped}`, `hermes_session_at=${cookies.hermes_session_rt}`]) {
      expect((await dashboard.ask('/api/profiles', { headers: { cookie } })).code).toBe(401)
    }
  })

  test('every log-in is a new session, so that none can be planted', async () => {
    const planted = 'hermes_session_at=planted; hermes_session_rt=planted'
    const first = (await logIn(dashboard, { headers: { cookie: planted } })).cookies()
    const second = (await logIn(dashboard, { headers: { cookie: cookieHeader(first) } })).cookies()
    const tokens = await Promise.all(
      [first, second].map(async (cookies) =>
        pageToken((await dashboard.ask('/', { headers: { cookie: cookieHeader(cookies) } })).body),
      ),
    )
    expect(new Set(tokens).size).toBe(2)
  })

  test('a log-in by a signed-in user wins over the session that its request has renewed', async () => {
    const before = await logIn(dashboard)
    const token = async (cookie: string) => pageToken((await dashboard.ask('/', { headers: { cookie } })).body)
    // Without its first part the old session is renewed by any request.
    const cookie = cookieHeader({ hermes_session_rt: before.cookies().hermes_session_rt ?? '' })
    const after = await logIn(dashboard, { headers: { cookie } })
    const names = (after.headers['set-cookie'] ?? []).map(unmarked)
    expect(names).toEqual([
      'hermes_session_at',
      'hermes_session_rt',
      'hermes_session_at',
      'hermes_session_rt',
      'hermes_known',
    ])
    // Of two cookies of one name a browser keeps the later one (RFC 6265, 5.3).
    const kept = after.cookies()
    const old = await token(cookieHeader(before.cookies()))
    for (const name of ['hermes_session_at', 'hermes_session_rt'])
      expect(await token(cookieHeader({ [name]: kept[name] ?? '' })), name).not.toBe(old)
  })

  test.each([
    ['is answered', 'GET', '/api/profiles', 200],
    ['finds nothing', 'GET', '/api/profiles/nosuch', 404],
    ['may not do that', 'DELETE', '/api/status', 405],
    ['comes from another page', 'POST', '/api/kanban/tasks', 403],
    ['opens a stream', 'GET', '/api/events', 200],
  ])('a session that is renewed by a request that %s comes back with the answer', async (_, method, path, code) => {
    const { hermes_session_rt = '' } = (await logIn(dashboard)).cookies()
    // Without its first part a session has to be renewed, as when that has expired.
    const cookie = cookieHeader({ hermes_session_rt })
    const answer = await fetch(`${dashboard.origin}${path}`, { method, headers: { cookie } })
    await answer.body?.cancel()
    const names = answer.headers.getSetCookie().map(unmarked)
    expect([answer.status, names]).toEqual([code, ['hermes_session_at', 'hermes_session_rt']])
  })

  test('after the log-out a copied cookie is worth nothing', async () => {
    const { cookie, token } = await signIn(dashboard)
    const out = await dashboard.ask('/auth/logout', {
      method: 'POST',
      headers: { cookie, Origin: dashboard.origin, 'X-Hermes-Token': token },
    })
    expect(out.code).toBe(204)
    expect(out.headers['set-cookie']).toContainEqual(expect.stringMatching(/^hermes_session_at=; Path=\/; Max-Age=0/))
    const again = await dashboard.ask('/api/profiles', { headers: { cookie } })
    expect(again.json().reason).toBe('invalid_or_expired_session')
  })

  test('a log-out ends the streams of the session, and of no other session', async () => {
    const [leaving, staying] = [await signIn(dashboard), await signIn(dashboard)]
    using ended = await readEvents(dashboard.port, '/api/events', { cookie: leaving.cookie })
    using other = await readEvents(dashboard.port, '/api/events', { cookie: staying.cookie })
    await waitFor('both', () => ended.events.length > 0 && other.events.length > 0)
    await dashboard.ask('/auth/logout', {
      method: 'POST',
      headers: { cookie: leaving.cookie, Origin: dashboard.origin, 'X-Hermes-Token': leaving.token },
    })
    await waitFor('the end of the stream', () => ended.ended)
    const seen = other.events.length
    await waitFor('the other one to go on', () => other.events.length > seen)
    await expect(readEvents(dashboard.port, '/api/events', { cookie: leaving.cookie })).rejects.toThrow('401')
  })

  test('a stream ends when the session has to be renewed', async () => {
    const cookies = (await logIn(dashboard)).cookies()
    const soon = resealed(hermes.home, cookies, { expiresMs: Date.now() + stretchedMs(2_000) })
    using stream = await readEvents(dashboard.port, '/api/events', { cookie: soon })
    await waitFor('its beginning', () => stream.events.length > 0)
    await waitFor('its end', () => stream.ended)
    expect((await dashboard.ask('/api/profiles', { headers: { cookie: soon } })).code).toBe(401)
  })

  test.each([
    ['nothing', {}, 'bad_origin'],
    ['the token of nobody', { 'X-Hermes-Token': 'x' }, 'bad_origin'],
    ["another page's Origin", { Origin: 'https://evil.example' }, 'bad_origin'],
    ['Origin: null', { Origin: 'null' }, 'bad_origin'],
    ['our Origin without the token', { Origin: 'ours' }, 'bad_token'],
    ['our Origin with the token of nobody', { Origin: 'ours', 'X-Hermes-Token': 'x' }, 'bad_token'],
  ])('a change with %s is refused, even with the cookie', async (_, headers, error) => {
    const { cookie, token } = await signIn(dashboard)
    const sent = Object.fromEntries(
      Object.entries({ cookie, ...headers }).map(([name, value]) => [
        name,
        value === 'ours' ? dashboard.origin : (value ?? token),
      ]),
    )
    const change = { method: 'POST', json: { title: 'from another page' } }
    const answer = await dashboard.ask('/api/kanban/tasks', { ...change, headers: sent })
    expect([answer.code, answer.json().error]).toEqual([403, error])
  })

  test('a change with our Origin and the token of the session is made; a form is not taken for JSON', async () => {
    const { cookie, token } = await signIn(dashboard)
    const headers = { cookie, Origin: dashboard.origin, 'X-Hermes-Token': token }
    const path = '/api/config/validate'
    expect((await dashboard.ask(path, { method: 'POST', json: { text: '' }, headers })).code).toBe(200)
    const form = { ...headers, 'Content-Type': 'text/plain' }
    expect((await dashboard.ask(path, { method: 'POST', body: '{"text":""}', headers: form })).code).toBe(415)
  })

  test('another page cannot hold a stream open, with whosever cookie', async () => {
    const { cookie } = await signIn(dashboard)
    for (const path of ['/api/events', '/api/profiles/default/logs/follow']) {
      const answer = await dashboard.ask(path, { headers: { cookie, Origin: 'https://evil.example' } })
      expect([answer.code, answer.json().error], path).toEqual([403, 'bad_origin'])
    }
  })

  test('before a log-in a client may send no more than a name and a password', async () => {
    const json = { username: 'me', password: 'x'.repeat(100_000) }
    const answer = await dashboard.ask('/auth/password-login', {
      method: 'POST',
      json,
      headers: { Origin: dashboard.origin },
    })
    expect(answer.code).toBe(413)
  })

  test('a path that would lead elsewhere is not kept for after the log-in', async () => {
    const answer = await dashboard.ask('//evil.example/x')
    expect([answer.code, answer.headers.location]).toEqual([302, '/login?next=%2F'])
  })

  test('another page cannot log a user in', async () => {
    expect((await logIn(dashboard, { headers: { Origin: 'https://evil.example' } })).code).toBe(403)
  })

  test.each([
    ['/kanban?board=x', '/kanban?board=x'],
    ['//evil.example', '/'],
    ['/\\evil.example', '/'],
    ['/%5cevil.example', '/%5cevil.example'],
    ['https://evil.example', '/'],
    ['/\t/evil.example', '/'],
    ['/auth/logout', '/'],
    ['/%61uth/logout', '/'],
    ['/api/profiles', '/'],
    ['/x/../api/profiles', '/'],
    ['', '/'],
  ])('after the log-in next=%o leads to %s', async (next, location) => {
    expect((await logIn(dashboard, { json: { ...credentials, next } })).json()).toEqual({ next: location })
  })

  test('no page may frame us, guess types, or run scripts that are not ours', async () => {
    for (const path of ['/login', '/api/status', '/api/profiles', '/assets/page-1a2b.js']) {
      const { headers } = await dashboard.ask(path)
      expect(headers['content-security-policy'], path).toMatch(
        /default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/,
      )
      expect(headers['content-security-policy']).not.toContain('unsafe')
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
      })
    }
  })

  test('/auth/login knows no provider of that name', async () => {
    expect((await dashboard.ask('/auth/login?provider=nosuch')).code).toBe(404)
    expect((await dashboard.ask('/auth/login?provider=basic')).code).toBe(404)
  })

  test('the page has the token only for a signed-in user', async () => {
    expect((await dashboard.ask('/login')).body).not.toContain('hermes-token')
    const { cookie } = await signIn(dashboard)
    expect((await dashboard.ask('/profiles/coder', { headers: { cookie } })).body).toContain('hermes-token')
  })
})

test('HERMES_DASHBOARD_PUBLIC_API=0 takes the six API paths behind the log-in, and nothing else', async () => {
  await using dashboard = await gated({ HERMES_DASHBOARD_PUBLIC_API: '0' })
  for (const path of SIX) expect((await dashboard.ask(path)).json(), path).toEqual(UNAUTHENTICATED)
  for (const path of ['/login', '/api/auth/providers', '/assets/page-1a2b.js'])
    expect((await dashboard.ask(path)).code, path).toBe(200)
  const { cookie } = await signIn(dashboard)
  for (const path of SIX) expect((await dashboard.ask(path, { headers: { cookie } })).code, path).toBe(200)
})

describe('ten tries a minute', () => {
  test('then 429 with the time to wait, also for the right password; another address is not meant', async () => {
    await using dashboard = await gated({ HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1' })
    const from = (address: string, json: object) => logIn(dashboard, { json, headers: { 'X-Forwarded-For': address } })
    const wrong = { ...credentials, password: 'wrong' }
    for (let i = 0; i < 10; i++) {
      const answer = await from('203.0.113.7', wrong)
      expect([answer.code, answer.json().error]).toEqual([401, 'invalid_credentials'])
    }
    const answer = await from('203.0.113.7', credentials)
    expect([answer.code, answer.json().error]).toEqual([429, 'too_many_tries'])
    expect(Number(answer.headers['retry-after'])).toBe(answer.json().retry_after_s)
    expect(answer.json().retry_after_s).toBeGreaterThan(0)
    expect((await from('203.0.113.8', credentials)).code).toBe(200)
  })

  test('counted by the connecting address where no proxy is trusted: any client can write the header', async () => {
    await using dashboard = await gated()
    const codes: number[] = []
    for (let i = 0; i < 11; i++) {
      const headers = { 'X-Forwarded-For': `203.0.113.${i}` }
      codes.push((await logIn(dashboard, { json: { ...credentials, password: 'x' }, headers })).code)
    }
    expect(codes.at(-1)).toBe(429)
  })
})

describe('guesses from ever new addresses', () => {
  const guess = (dashboard: RunningDashboard, cookie = '') =>
    logIn(dashboard, { json: { ...credentials, password: 'wrong' }, headers: { cookie } })

  test('are four hundred an hour, and lock no browser out that has logged in before', async () => {
    await using dashboard = await gated({ HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1' })
    const cookie = cookieHeader((await logIn(dashboard)).cookies())
    const codes: number[] = []
    for (let i = 0; i < 410; i++) codes.push((await guess(dashboard)).code)
    expect([codes.indexOf(429), new Set(codes)]).toEqual([400, new Set([401, 429])])
    expect((await logIn(dashboard)).code).toBe(429)
    const known = cookie.split('; ').find((part) => part.includes('hermes_known')) ?? ''
    expect((await guess(dashboard, known)).code).toBe(401)
    expect((await logIn(dashboard, { headers: { cookie: known } })).code).toBe(200)
  })

  test('leave room for a known browser where many passwords are checked at once', async () => {
    const { stdout } = await cli(['dashboard', 'hash-password'], {
      home: hermes.home,
      input: `${credentials.password}\n`,
    })
    await using dashboard = await gated({
      HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1',
      HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: '',
      HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH: stdout.trim(),
    })
    const cookie = cookieHeader((await logIn(dashboard)).cookies())
    const guesses = Array.from({ length: 50 }, () => guess(dashboard))
    const own = logIn(dashboard, { headers: { cookie } })
    expect((await own).code).toBe(200)
    expect(new Set((await Promise.all(guesses)).map(({ code }) => code))).toEqual(new Set([401, 503]))
  })
})

test('sessions outlive a restart, and so does the end of one', async () => {
  const first = await gated()
  const kept = await signIn(first)
  const ended = await signIn(first)
  await first.ask('/auth/logout', {
    method: 'POST',
    headers: { cookie: ended.cookie, Origin: first.origin, 'X-Hermes-Token': ended.token },
  })
  expect((await first.stop()).code).toBe(0)
  await using second = await gated()
  expect((await second.ask('/api/profiles', { headers: { cookie: kept.cookie } })).code).toBe(200)
  expect((await second.ask('/api/profiles', { headers: { cookie: ended.cookie } })).code).toBe(401)
})

test('a new password, and a list without the user, end the sessions of before', async () => {
  const first = await gated()
  const { cookie } = await signIn(first)
  await first.stop()
  for (const env of [{ HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'another' }, { HERMES_DASHBOARD_ALLOWED_USERS: 'you' }]) {
    await using changed = await gated(env)
    expect((await changed.ask('/api/profiles', { headers: { cookie } })).code).toBe(401)
  }
})

test('a user who is not on the list does not enter with the right password', async () => {
  await using dashboard = await gated({ HERMES_DASHBOARD_ALLOWED_USERS: 'you, somebody@example.com' })
  const answer = await logIn(dashboard)
  expect([answer.code, answer.json().error]).toEqual([403, 'not_allowed'])
})

test('the audit log has who came, who did not and from where, and no password', async () => {
  await using dashboard = await gated()
  await logIn(dashboard, { json: { username: 'me', password: 'not the secret' } })
  const { cookie, token } = await signIn(dashboard)
  await dashboard.ask('/auth/logout', {
    method: 'POST',
    headers: { cookie, Origin: dashboard.origin, 'X-Hermes-Token': token },
  })
  await dashboard.stop()
  const text = readFileSync(join(hermes.home, 'logs', 'dashboard-auth.log'), 'utf8')
  const entries = text.trim().split('\n').slice(-3)
  expect(entries.map((line) => JSON.parse(line))).toEqual([
    {
      time: expect.stringMatching(/Z$/),
      event: 'login_refused',
      provider: 'basic',
      user: 'me',
      reason: 'wrong name or password',
      address: '127.0.0.1',
    },
    { time: expect.any(String), event: 'login', provider: 'basic', user: 'me', address: '127.0.0.1' },
    { time: expect.any(String), event: 'logout', provider: 'basic', user: 'me', address: '127.0.0.1' },
  ])
  expect(text).not.toContain('not the secret')
  expect(text).not.toContain('correct horse')
})

describe('behind a proxy', () => {
  const names = (answer: DashboardAnswer): readonly string[] => (answer.headers['set-cookie'] ?? []).map(unmarked)

  test('a trusted one that says https: __Host- cookies, Secure, and its origin is ours', async () => {
    await using dashboard = await gated({ HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.0/8' })
    const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'hermes.example' }
    const answer = await logIn(dashboard, { headers: { ...forwarded, Origin: 'https://hermes.example' } })
    expect(names(answer)).toEqual(['__Host-hermes_session_at', '__Host-hermes_session_rt', '__Host-hermes_known'])
    for (const cookie of answer.headers['set-cookie'] ?? []) expect(cookie).toMatch(/; Path=\/; .*; Secure$/)
    const cookie = cookieHeader(answer.cookies())
    expect((await dashboard.ask('/api/profiles', { headers: { ...forwarded, cookie } })).code).toBe(200)
    // Without the proxy the same cookie has another name, and is not believed.
    expect((await dashboard.ask('/api/profiles', { headers: { cookie } })).code).toBe(401)
    expect((await logIn(dashboard, { headers: { ...forwarded, Origin: dashboard.origin } })).code).toBe(403)
  })

  test.each([
    ['a port that is the scheme’s own', { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'hermes.example:443' }],
    ['RFC 7239', { Forwarded: 'for="[2001:db8::1]:4711";host="hermes.example";proto=https;by=_proxy' }],
    ['Traefik, of a WebSocket', { 'X-Forwarded-Proto': 'wss', 'X-Forwarded-Host': 'hermes.example' }],
    ['Azure, which asks by another name', { 'X-Forwarded-Proto': 'https', 'X-Original-Host': 'hermes.example' }],
    ['only the scheme, with its Host', { 'X-Forwarded-Proto': 'https', Host: 'hermes.example:443' }],
  ])('the browser’s origin is known: %s', async (_, forwarded) => {
    await using dashboard = await gated({ HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1' })
    const headers = { ...(forwarded as Record<string, string>), Origin: 'https://hermes.example' }
    const json = { username: 'me', password: 'correct horse' }
    expect((await dashboard.ask('/auth/password-login', { method: 'POST', headers, json })).code).toBe(200)
  })

  test('its prefix is the path of the cookies, and stands before every address', async () => {
    await using dashboard = await gated({ HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1' })
    const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'x.example', 'X-Forwarded-Prefix': '/hermes' }
    const answer = await logIn(dashboard, { headers: { ...forwarded, Origin: 'https://x.example' } })
    expect(names(answer)).toEqual(['__Secure-hermes_session_at', '__Secure-hermes_session_rt', '__Secure-hermes_known'])
    for (const cookie of answer.headers['set-cookie'] ?? []) expect(cookie).toMatch(/; Path=\/hermes; .*; Secure$/)
    expect(answer.json()).toEqual({ next: '/hermes/' })
    expect((await dashboard.ask('/', { headers: forwarded })).headers.location).toBe('/hermes/login?next=%2F')
    expect((await dashboard.ask('/login', { headers: forwarded })).body).toContain('src="/hermes/assets/page-1a2b.js"')
    expect((await dashboard.ask('/api/profiles', { headers: forwarded })).json().login_url).toBe('/hermes/login')
  })

  test.each(['//evil.example', 'hermes', '/a/../b', '/"><script>'])('the prefix %o is ignored', async (prefix) => {
    await using dashboard = await gated({ HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1' })
    const answer = await dashboard.ask('/', { headers: { 'X-Forwarded-Prefix': prefix } })
    expect(answer.headers.location).toBe('/login?next=%2F')
  })

  test('HERMES_DASHBOARD_PUBLIC_URL says all of it, whatever is forwarded', async () => {
    await using dashboard = await gated({ HERMES_DASHBOARD_PUBLIC_URL: 'https://x.example/tools/hermes/' })
    const answer = await logIn(dashboard, { headers: { Origin: 'https://x.example' } })
    expect(names(answer)).toEqual(['__Secure-hermes_session_at', '__Secure-hermes_session_rt', '__Secure-hermes_known'])
    expect(answer.headers['set-cookie']?.[0]).toContain('; Path=/tools/hermes; ')
  })

  test('an untrusted one is not believed', async () => {
    await using dashboard = await gated({ HERMES_DASHBOARD_TRUSTED_PROXIES: '10.0.0.0/8' })
    const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Prefix': '/x', Origin: dashboard.origin }
    expect(names(await logIn(dashboard, { headers }))).toEqual([
      'hermes_session_at',
      'hermes_session_rt',
      'hermes_known',
    ])
  })
})

describe('where no log-in is needed', () => {
  test.each([
    ['loopback', [], {}],
    ['insecure', ['--host', '0.0.0.0', '--insecure'], {}],
    ['insecure by the variable', ['--host', '0.0.0.0'], { HERMES_DASHBOARD_INSECURE: 'yes' }],
  ])('%s: the API wants the token of the page, all but the public list', async (_, args, env) => {
    await using dashboard = await startDashboard(hermes, { args, env, install: page.install })
    for (const path of SIX) expect((await dashboard.ask(path)).code, path).toBe(200)
    for (const path of ['/api/profiles', '/api/events', '/api/status/', '/api/auth/me', '/api/metrics', '/metrics'])
      expect((await dashboard.ask(path)).code, path).toBe(401)
    expect((await dashboard.asPage('/api/profiles')).code).toBe(200)
    expect((await dashboard.asPage('/api/auth/me')).json()).toEqual({ user: null, provider: null, scope: 'admin' })
    for (const path of ['/API/profiles', '//api/profiles', '/x/../api/profiles', '/%61pi/profiles'])
      expect((await dashboard.ask(path)).code, path).toBe(404)
    expect((await dashboard.ask('/api/auth/providers')).code).toBe(503)
  })

  test('loopback: a page whose name was made to point here is refused, by every path', async () => {
    await using dashboard = await startDashboard(hermes, { install: page.install })
    for (const path of ['/', '/api/status', '/assets/page-1a2b.js', '/api/profiles']) {
      expect((await dashboard.ask(path, { headers: { host: 'evil.example' } })).code, path).toBe(421)
      expect((await dashboard.ask(path, { headers: { host: '127.0.0.1.evil.example' } })).code, path).toBe(421)
    }
    expect((await dashboard.ask('/', { headers: { host: `localhost:${dashboard.port}` } })).code).toBe(200)
    expect((await dashboard.ask('/', { headers: { host: `[::1]:${dashboard.port}` } })).code).toBe(200)
  })

  test('a change wants our Origin too', async () => {
    await using dashboard = await startDashboard(hermes, { install: page.install })
    const change = { method: 'POST', json: { text: '' } }
    expect((await dashboard.asPage('/api/config/validate', change)).code).toBe(200)
    const elsewhere = { ...change, headers: { Origin: 'http://localhost:1' } }
    expect((await dashboard.asPage('/api/config/validate', elsewhere)).code).toBe(403)
  })

  test('insecure: the page says so, and so does the start; loopback does not', async () => {
    await using open = await startDashboard(hermes, {
      args: ['--host', '0.0.0.0', '--insecure'],
      install: page.install,
    })
    expect(open.said()).toMatch(/warning: the dashboard on 0\.0\.0\.0:\d+ is open to anyone who reaches it/)
    expect((await open.ask('/')).body).toContain('<meta name="hermes-insecure"')
    await using local = await startDashboard(hermes, { install: page.install })
    expect((await local.ask('/')).body).not.toContain('hermes-insecure')
  })

  test('the token is of this start only', async () => {
    const first = await startDashboard(hermes, { install: page.install })
    const token = pageToken((await first.ask('/')).body)
    await first.stop()
    await using second = await startDashboard(hermes, { install: page.install })
    expect((await second.ask('/api/profiles', { headers: { 'X-Hermes-Token': token } })).code).toBe(401)
  })
})

test('/api/metrics and /metrics open with a token of their own, and that token opens nothing else', async () => {
  const env = { HERMES_METRICS_TOKEN: 'scrape-me' }
  await using dashboard = await gated(env)
  const headers = { Authorization: 'Bearer scrape-me' }
  expect((await dashboard.ask('/api/metrics', { headers })).code).toBe(200)
  expect((await dashboard.ask('/api/metrics', { headers: { Authorization: 'Bearer scrape-m' } })).code).toBe(401)
  expect(await dashboard.ask('/metrics', { headers })).toMatchObject({
    code: 200,
    body: expect.stringContaining('\nhermes_'),
  })
  expect((await dashboard.ask('/metrics/', { headers })).code).not.toBe(200)
  expect((await dashboard.ask('/api/profiles', { headers })).code).toBe(401)
  expect((await dashboard.ask('/api/status', { headers })).json().details).toBeUndefined()
  const { cookie } = await signIn(dashboard)
  expect((await dashboard.ask('/api/metrics', { headers: { cookie } })).code).toBe(200)
  await using local = await startDashboard(hermes, { env })
  expect((await local.ask('/api/metrics', { headers })).code).toBe(200)
  expect((await local.ask('/metrics?x=1', { headers })).code).toBe(200)
  expect((await local.ask('/api/profiles', { headers })).code).toBe(401)
})

test('TERM ends it at once, also while a page follows it', async () => {
  const dashboard = await startDashboard(hermes, { install: page.install })
  const token = pageToken((await dashboard.ask('/')).body)
  const watching = askHttp(dashboard.port, '/api/events', { headers: { 'X-Hermes-Token': token } })
  await dashboard.asPage('/api/profiles')
  const { code, tookMs } = await dashboard.stop()
  expect(code).toBe(0)
  // Closed as a stream ends, not torn off.
  expect((await watching).code).toBe(200)
  expect(tookMs).toBeLessThan(stretchedMs(5000))
})
