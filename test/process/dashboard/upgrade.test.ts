import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import {
  cookieHeader,
  pageToken,
  password,
  type RunningDashboard,
  startDashboard,
  unmarked,
} from '../../support/dashboard/dashboard.ts'
import { installWithPage } from '../../support/dashboard/page.ts'
import { askRaw, type RawAnswer } from '../../support/dashboard/raw-http.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { waitFor, within } from '../../support/wait.ts'

const TUI = { HERMES_DASHBOARD_TUI: '1' }

let hermes: RunningHermes
let page: { readonly install: string } & Disposable
beforeAll(async () => {
  page = installWithPage()
  hermes = await startHermes({ profiles: [] })
})
afterAll(async () => {
  await hermes[Symbol.asyncDispose]()
  page[Symbol.dispose]()
})

const start = (env: Readonly<Record<string, string>> = TUI, args: readonly string[] = []): Promise<RunningDashboard> =>
  startDashboard(hermes, { env, args, install: page.install })

interface Handshake {
  readonly path?: string
  readonly method?: string
  /** Given or, as undefined, left out; what is not named is right. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/** A handshake as a browser sends it, but for what is wrong with it on purpose. */
function handshake({ port, origin }: RunningDashboard, token: string, { path, method, headers }: Handshake = {}) {
  const all: Readonly<Record<string, string | undefined>> = {
    Host: `127.0.0.1:${port}`,
    Origin: origin,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': `hermes, hermes.token.${token}`,
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return askRaw(port, [`${method ?? 'GET'} ${path ?? '/api/terminal'} HTTP/1.1`, ...lines])
}

const tokenOf = async (dashboard: RunningDashboard): Promise<string> => pageToken((await dashboard.ask('/')).body)

describe.each([
  ['on', TUI],
  ['off', {}],
])('with the terminal %s', (_, env) => {
  test.each(['h2c', 'h2c, websocket', 'TLS/1.0', 'nonsense'])(
    'a request that offers to upgrade to %s is answered as the plain request that it is',
    async (upgrade) => {
      await using dashboard = await start(env)
      const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: upgrade, 'HTTP2-Settings': 'AAMAAABk' }
      const plain = await dashboard.ask('/api/status')
      const answer = await dashboard.ask('/api/status', { headers })
      expect([answer.code, answer.body]).toEqual([200, plain.body])
      expect((await dashboard.ask('/api/profiles', { headers })).code).toBe(401)
      const json = { text: '' }
      const changed = await dashboard.asPage('/api/config/validate', { method: 'POST', json, headers })
      expect([changed.code, changed.json()]).toMatchObject([200, { problems: [] }])
    },
  )

  test('so is one for a WebSocket where there is none, and the gates judge it as they judge any other', async () => {
    await using dashboard = await start(env)
    const token = await tokenOf(dashboard)
    const asked = async (path: string, headers: Handshake['headers'] = {}) => {
      const { code, head, body } = await handshake(dashboard, token, {
        path,
        headers: { Connection: 'Upgrade, close', ...headers },
      })
      expect(head).not.toMatch(/^Upgrade:/im)
      return [code, body.includes('"not_found"')]
    }
    expect(await asked('/')).toEqual([200, false])
    expect(await asked('/api/terminal', { Upgrade: 'h2c' })).toEqual([404, true])
    expect(await asked('/api/terminal', { Upgrade: 'h2c', 'Sec-WebSocket-Protocol': undefined })).toEqual([401, false])
    for (const path of ['/api/terminal/', '/api/%74erminal', '/api//terminal', '/API/terminal'])
      expect(await asked(path), path).toEqual([404, true])
    const stranger = { 'Sec-WebSocket-Protocol': 'hermes' }
    expect(await asked('/api/terminal/', stranger)).toEqual([401, false])
    expect(await asked('/api/profiles', stranger)).toEqual([401, false])
    expect(await asked('/', { Host: 'evil.example' })).toEqual([421, false])
  })
})

test('without its switch there is no terminal, even for a user who may ask for one', async () => {
  await using dashboard = await start({})
  const close = { Connection: 'Upgrade, close' }
  expect((await handshake(dashboard, await tokenOf(dashboard), { headers: close })).code).toBe(404)
  expect((await handshake(dashboard, 'made-up', { headers: close })).code).toBe(401)
})

describe('an upgrade that is refused', () => {
  /** Header and body as any other refusal has them; the connection is closed on both sides. */
  async function expectRefusal(answer: RawAnswer, dashboard: RunningDashboard, code: number, error: string) {
    expect([answer.code, JSON.parse(answer.body).error]).toEqual([code, error])
    const plain = await dashboard.ask('/api/nosuch')
    for (const name of ['content-security-policy', 'x-frame-options', 'x-content-type-options', 'cache-control'])
      expect(answer.head.toLowerCase(), name).toContain(`${name}: ${plain.headers[name]}`.toLowerCase())
    expect(answer.head).toMatch(/^Content-Type: application\/json$/im)
    expect(answer.head).toMatch(/^Connection: close$/im)
    // Closed and not only ended: what we still send is reset, although our half was never closed.
    const reset = once(answer.socket, 'error')
    await waitFor('the connection to be gone', () => {
      answer.socket.write('more')
      return answer.socket.destroyed
    })
    expect((await reset)[0]).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) })
  }

  test('is refused as every request is, and its connection closed', async () => {
    await using dashboard = await start()
    const token = await tokenOf(dashboard)
    const refused = async (code: number, error: string, headers: Readonly<Record<string, string>>) =>
      expectRefusal(await handshake(dashboard, token, { headers }), dashboard, code, error)
    await refused(401, 'unauthenticated', { 'Sec-WebSocket-Protocol': 'hermes' })
    await refused(403, 'bad_origin', { Origin: 'https://evil.example' })
    await refused(421, 'misdirected', { Host: 'evil.example' })
  })

  test.each([
    ['without a key', { 'Sec-WebSocket-Key': undefined }, /Sec-WebSocket-Key/],
    ['with a key that is none', { 'Sec-WebSocket-Key': 'short' }, /Sec-WebSocket-Key/],
    ['of a version that does not exist', { 'Sec-WebSocket-Version': '99' }, /Sec-WebSocket-Version/],
    ['without a version', { 'Sec-WebSocket-Version': undefined }, /Sec-WebSocket-Version/],
  ])('%s says what is wrong with the handshake, and which version there is', async (_, headers, why) => {
    await using dashboard = await start()
    const answer = await handshake(dashboard, await tokenOf(dashboard), { headers })
    expect(JSON.parse(answer.body).detail).toMatch(why)
    expect(answer.head).toMatch(/^Sec-WebSocket-Version: 13$/im)
    await expectRefusal(answer, dashboard, 400, 'bad_handshake')
    expect(dashboard.said()).not.toContain('a bug')
  })

  test('does not hold up the end of the dashboard', async () => {
    await using dashboard = await start()
    const { code, socket } = await handshake(dashboard, 'made-up')
    expect(code).toBe(401)
    // Reset where it is closed, which is as it should be.
    socket.on('error', () => undefined)
    expect((await within('the dashboard to end', dashboard.stop())).code).toBe(0)
    socket.destroy()
  })
})

test('a session that is renewed by the request to upgrade comes back with it, taken or refused', async () => {
  await using dashboard = await start({ ...TUI, ...password }, ['--host', '0.0.0.0'])
  const json = { username: 'me', password: 'correct horse' }
  const answer = await dashboard.ask('/auth/password-login', {
    method: 'POST',
    json,
    headers: { Origin: dashboard.origin },
  })
  const all = answer.cookies()
  const token = pageToken((await dashboard.ask('/', { headers: { cookie: cookieHeader(all) } })).body)
  // Without its first part a session has to be renewed, as when that has expired.
  const Cookie = cookieHeader({ hermes_session_rt: all.hermes_session_rt ?? '' })
  const renewed = /^Set-Cookie: hermes_session_at_\w{8}=[\w-]+; .*\r\nSet-Cookie: hermes_session_rt_\w{8}=[\w-]+; /im

  const socket = new WebSocket(`ws://127.0.0.1:${dashboard.port}/api/terminal`, ['hermes', `hermes.token.${token}`], {
    headers: { Origin: dashboard.origin, Cookie },
  })
  const [upgraded] = await once(socket, 'upgrade')
  const set: readonly string[] = upgraded.headers['set-cookie'] ?? []
  expect(set.map(unmarked)).toEqual(['hermes_session_at', 'hermes_session_rt'])
  const cookie = set.map((one) => one.split(';')[0]).join('; ')
  expect((await dashboard.ask('/api/profiles', { headers: { cookie } })).code).toBe(200)
  socket.close()

  for (const [headers, code] of [
    [{ Cookie, Origin: 'https://evil.example' }, 403],
    [{ Cookie, 'Sec-WebSocket-Key': undefined }, 400],
  ] as const) {
    const refused = await handshake(dashboard, token, { headers })
    expect(refused.code).toBe(code)
    expect(refused.head).toMatch(renewed)
  }
  // Invalid cookies are cleared, as everywhere.
  const bad = await handshake(dashboard, token, { headers: { Cookie: 'hermes_session_at=made.up' } })
  expect([bad.code, JSON.parse(bad.body).error]).toEqual([401, 'session_expired'])
  expect(bad.head).toMatch(/^Set-Cookie: hermes_session_at=; Path=\/; Max-Age=0/im)
})
