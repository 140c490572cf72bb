import { once } from 'node:events'
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { volumeTokenFile } from '../../../src/access/place.ts'
import { ROLES, scopeOfRole } from '../../../src/access/role.ts'
import { covers, SCOPES, type Scope } from '../../../src/access/scope.ts'
import type { Audit } from '../../../src/dashboard/contract/access.ts'
import { ROUTES, type Route } from '../../../src/dashboard/contract/routes.ts'
import { hashPassword } from '../../../src/system/password-hash.ts'
import { hermes as cli } from '../../support/cli.ts'
import {
  type Asking,
  cookieHeader,
  type DashboardAnswer,
  pageToken,
  password,
  type RunningDashboard,
  startDashboard,
} from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { type OpenApi, OpenApiJudge } from '../../support/dashboard/openapi.ts'
import { giveToken, type TokenWish, takeToken } from '../../support/dashboard/tokens.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { waitFor, within } from '../../support/wait.ts'

const lives = { command: ['sh', '-c', 'echo "from $HERMES_PROFILE"; exec sleep 100000'], ready_after: '50ms' }

let hermes: RunningHermes
let dashboard: RunningDashboard
let judge: OpenApiJudge
/** One of each scope, for all profiles; and one for a single profile that may do everything. */
let tokens: Readonly<Record<Scope, string>>
let coder: string

/** Trusted proxies, so that each test can come from an address of its own. */
const ROLE_PASSWORD = 'of a role'
const HASH = await hashPassword(ROLE_PASSWORD)
const ENV = {
  HERMES_DASHBOARD_BASIC_AUTH_USERS: ROLES.map((role) => `${role}:${role}:${HASH}`).join('\n'),
  ...password,
  HERMES_DASHBOARD_TUI: '1',
  HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1',
}

beforeAll(async () => {
  hermes = await startHermes({
    profiles: [
      { name: 'coder', gateway: lives },
      { name: 'secretive', gateway: lives },
    ],
  })
  dashboard = await startDashboard(hermes, { args: ['--host', '0.0.0.0'], env: ENV })
  const made = SCOPES.map(async (scope) => [scope, await give({ name: scope, scope })] as const)
  tokens = Object.fromEntries(await Promise.all(made)) as Record<Scope, string>
  coder = await give({ name: 'of-coder', profiles: ['coder'] })
  const document = await dashboard.ask('/api/openapi.json', { headers: bearer(tokens.read) })
  judge = new OpenApiJudge(document.json() as OpenApi)
})
afterAll(async () => {
  await dashboard[Symbol.asyncDispose]()
  await hermes[Symbol.asyncDispose]()
})

const give = (wish: TokenWish): Promise<string> => giveToken(hermes.home, wish)
const take = (name: string): Promise<void> => takeToken(hermes.home, name)

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
/** Every answer is held against the document. */
async function ask(token: string, method: string, path: string, json?: unknown): Promise<DashboardAnswer> {
  const asking: Asking = { method, headers: bearer(token), ...(json === undefined ? {} : { json }) }
  const answer = await dashboard.ask(path, asking)
  if (method !== 'HEAD') judge.judge(method, path, answer)
  return answer
}
const codeOf = async (token: string, path = '/api/profiles'): Promise<number> =>
  (await dashboard.ask(path, { headers: bearer(token) })).code
const command = (...args: string[]) => cli(args, { home: hermes.home, env: { HERMES_RUN_DIR: hermes.runDir } })

/** A request for each route: one that can change nothing, as its body is not what the route wants. */
function requestOf({ method, path, body, events }: Route, values: Readonly<Record<string, string>>) {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, key: string) => values[key] ?? 'nosuch')
  // A stream would not end.
  return [
    events !== undefined && method === 'GET' ? 'HEAD' : method,
    filled,
    body === undefined ? undefined : {},
  ] as const
}
// The WebSocket has a test of its own.
const routes = Object.entries<Route>(ROUTES).filter(([, { socket }]) => socket === undefined)

test.each(ROLES)(
  'a person with the role %s opens exactly the routes of its scope, over the whole table',
  async (role) => {
    const loggedIn = await dashboard.ask('/auth/password-login', {
      method: 'POST',
      json: { username: role, password: ROLE_PASSWORD },
      headers: { Origin: dashboard.origin, 'X-Forwarded-For': `198.51.100.${20 + ROLES.indexOf(role)}` },
    })
    const cookie = cookieHeader(loggedIn.cookies())
    const page = (await dashboard.ask('/', { headers: { cookie } })).body
    const scope = scopeOfRole(role) ?? 'read'
    expect(page).toContain(`<meta name="hermes-scope" content="${scope}">`)
    const headers = { cookie, Origin: dashboard.origin, 'X-Hermes-Token': pageToken(page) }
    expect((await dashboard.ask('/api/auth/me', { headers })).json()).toMatchObject({ user: role, scope })
    // A log-out would end the session on the way.
    for (const [name, route] of routes.filter(([one]) => one !== 'logout')) {
      const [method, path, json] = requestOf(route, { name: 'coder', id: 't_00000000' })
      const answer = await dashboard.ask(path, { method, headers, ...(json === undefined ? {} : { json }) })
      const isRefused =
        answer.code === 401 ||
        (answer.code === 403 && (answer.body === '' || answer.json().error === 'insufficient_scope'))
      const opens = route.scope === 'anyone' || (route.scope !== 'node' && covers(scope, route.scope))
      expect([name, answer.code, isRefused]).toEqual([name, answer.code, !opens])
    }
  },
)

describe('the table of routes, walked with each scope', () => {
  test.each(SCOPES)('%s opens exactly the routes that need no more', async (scope) => {
    const opened: string[] = []
    for (const [name, route] of routes) {
      const answer = await ask(tokens[scope], ...requestOf(route, { name: 'coder', id: 't_00000000' }))
      const isRefused =
        answer.code === 401 ||
        (answer.code === 403 && (answer.body === '' || answer.json().error === 'insufficient_scope'))
      const needs = route.scope
      const opens = needs === 'anyone' || (needs !== 'node' && covers(scope, needs))
      expect([name, answer.code, isRefused]).toEqual([name, answer.code, !opens])
      if (opens && route.method !== 'GET') opened.push(name)
    }
    // Written out for the least one: a log-in with a password, the end of no session, and a dry run.
    if (scope === 'read') expect(opened).toEqual(['passwordLogin', 'logout', 'dispatch'])
  })

  test('to a token of one profile any other is as one that does not exist', async () => {
    for (const [name, route] of routes) {
      const { profile } = route
      const [part, key = ''] = profile.split('.')
      const at = (value: string): readonly [string, string, unknown] => {
        const [method, path, body] = requestOf(route, { name: value, id: 't_00000000' })
        if (part === 'query') return [method, `${path}?${key}=${value}`, body]
        return [method, path, part === 'body' ? { [key]: value, text: '', version: '' } : body]
      }
      if (part === 'path' || part === 'query' || part === 'body') {
        // A body that is wrong comes before what it is about.
        const isValid = route.body === undefined || part === 'body'
        const [there, absent] = [await ask(coder, ...at('secretive')), await ask(coder, ...at('absent'))]
        expect([name, there.code, there.body]).toEqual([name, isValid ? 404 : 400, absent.body])
        // Its own is there, but not the node of the routes that name one.
        if (!route.path.includes('{node}')) expect((await ask(coder, ...at('coder'))).code, name).not.toBe(404)
      } else if (profile === 'all' || profile === 'default')
        expect([name, (await ask(coder, ...at('coder'))).code]).toEqual([name, profile === 'all' ? 403 : 404])
      const answer = await ask(coder, ...requestOf(route, { name: 'coder', id: 't_00000000' }))
      expect([name, answer.body.includes('secretive')]).toEqual([name, false])
    }
    const valid = {
      delete: ['DELETE', '', { confirm: 'secretive' }],
      stop: ['POST', '/gateway', { action: 'stop' }],
    } as const
    for (const [method, rest, body] of Object.values(valid))
      expect((await ask(coder, method, `/api/profiles/secretive${rest}`, body)).code).toBe(404)
    expect((await hermes.slot('gateway-secretive'))?.wanted).toBe('up')
  })

  test('a token does not open the paths of nodes, nor the page', async () => {
    expect(await codeOf(tokens.admin, '/api/node/gateways')).toBe(401)
    expect(await codeOf(tokens.admin, '/')).toBe(302)
    expect((await dashboard.ask('/api/terminal', { headers: bearer(tokens.admin) })).code).toBe(404)
  })
})

test('a token says whose it is and what it may do', async () => {
  expect((await ask(coder, 'GET', '/api/auth/me')).json()).toEqual({
    user: 'of-coder',
    provider: 'token',
    scope: 'admin',
    profiles: ['coder'],
  })
  expect((await ask(tokens.read, 'GET', '/api/auth/me')).json()).toMatchObject({ scope: 'read' })
})

test('of the board, a token of one profile has the tasks of this profile, and changes those alone', async () => {
  const create = async (assignee: string, more: object = {}) =>
    (
      await ask(tokens.board, 'POST', '/api/kanban/tasks', {
        title: `for ${assignee}`,
        assignee,
        triage: true,
        ...more,
      })
    ).json()
  const [other, parent] = [await create('secretive'), await create('secretive')]
  const own = await create('coder', { parents: [parent.id] })
  expect(own.created_by).toBe('token:board')
  const list = (await ask(coder, 'GET', '/api/kanban/tasks')).json()
  expect(list).toEqual({ tasks: [expect.objectContaining({ id: own.id })], counts: {} })
  const details = await ask(coder, 'GET', `/api/kanban/tasks/${own.id}`)
  expect([details.json().parents, details.body.includes('secretive')]).toEqual([[], false])
  expect((await ask(tokens.read, 'GET', `/api/kanban/tasks/${own.id}`)).json().parents).toHaveLength(1)
  const changes = [
    ['GET', '', undefined],
    ['GET', '/attachments', undefined],
    ['GET', '/attachments/x', undefined],
    ['DELETE', '/attachments/x', undefined],
    ['PATCH', '', { title: 'mine now' }],
    ['DELETE', '', undefined],
    ['POST', '/move', { to: 'archived' }],
    ['POST', '/assign', { assignee: 'coder' }],
    ['POST', '/comment', { text: 'hello' }],
    ['POST', '/request-changes', { text: 'hello' }],
  ] as const
  for (const [method, rest, body] of changes) {
    const [there, absent] = await Promise.all(
      [other.id, 't_00000000'].map((id) => ask(coder, method, `/api/kanban/tasks/${id}${rest}`, body)),
    )
    expect([method, rest, there?.code, there?.body.replaceAll(other.id, 't_00000000')]).toEqual([
      method,
      rest,
      404,
      absent?.body,
    ])
    expect((await ask(tokens.read, method, `/api/kanban/tasks/${other.id}${rest}`, body)).code).toBe(
      method !== 'GET' ? 403 : rest.endsWith('/x') ? 404 : 200,
    )
  }
  expect((await ask(tokens.read, 'GET', `/api/kanban/tasks/${other.id}`)).json()).toMatchObject({
    title: 'for secretive',
    status: 'triage',
    comments: [],
  })
  const made = (json: object) => ask(coder, 'POST', '/api/kanban/tasks', { title: 'x', triage: true, ...json })
  expect((await made({ assignee: 'coder' })).code).toBe(201)
  expect((await made({ assignee: 'secretive' })).code).toBe(404)
  expect((await made({ assignee: 'any' })).code).toBe(404)
  expect((await made({})).code).toBe(403)
  expect((await made({ assignee: 'coder', parents: [other.id] })).code).toBe(404)
  for (const [assignee, code] of [
    ['secretive', 404],
    [null, 403],
  ] as const)
    expect((await ask(coder, 'POST', `/api/kanban/tasks/${own.id}/assign`, { assignee })).code).toBe(code)
  expect((await ask(coder, 'POST', `/api/kanban/tasks/${own.id}/comment`, { text: 'hello' })).code).toBe(201)
})

test('the stream of events tells a token of one profile of this profile alone', async () => {
  using reader = await readEvents(dashboard.port, '/api/events', bearer(coder))
  await waitFor('the usage', () => reader.events.some(({ event }) => event === 'usage'))
  for (const name of ['secretive', 'coder']) {
    const restarted = await ask(tokens.operate, 'POST', `/api/profiles/${name}/gateway`, { action: 'restart' })
    expect(restarted.code).toBe(200)
  }
  await waitFor('the second of them to be up again', () =>
    reader.events.some(({ event, data }) => event === 'slot' && data.slot.state === 'up'),
  )
  expect(JSON.stringify(reader.events)).not.toMatch(/secretive|"slot":"(dashboard|dispatcher|meter)"/)
  for (const { event, data } of reader.events) judge.judgeEvent('/api/events', event, data)
})

test('revoked by the command, the next request fails, and streams and terminals end; those of others stay', async () => {
  const { stdout, stderr } = await command('token', 'create', 'leaving', '--scope', 'admin', '--expires', '1d')
  const token = stdout.trim()
  expect(token).toMatch(/^hermes_[0-9a-f]{8}_[\w-]{43}$/)
  expect(stderr).toContain('created token "leaving"')
  using leaves = await readEvents(dashboard.port, '/api/profiles/coder/logs/follow', bearer(token))
  using stays = await readEvents(dashboard.port, '/api/profiles/coder/logs/follow', bearer(tokens.read))
  const socket = (bearing: string) =>
    new WebSocket(`ws://127.0.0.1:${dashboard.port}/api/terminal`, ['hermes'], { headers: bearer(bearing) })
  const [terminal, refused] = [socket(token), socket(tokens.operate)]
  refused.on('error', () => undefined)
  const answered = Promise.all([once(refused, 'unexpected-response'), once(terminal, 'open')])
  const [[, response]] = await within('the answers to both upgrades', answered)
  expect(response.statusCode).toBe(403)
  refused.terminate()
  const closed = once(terminal, 'close')
  expect(await codeOf(token)).toBe(200)
  expect((await command('token', 'revoke', 'leaving')).code).toBe(0)
  expect(await codeOf(token)).toBe(401)
  await waitFor('the stream to end', () => leaves.ended)
  expect((await within('the terminal to end', closed))[0]).toBe(1008)
  expect(stays.ended).toBe(false)
  expect((await command('token', 'revoke', 'leaving')).code).toBe(3)
})

test('a damaged file refuses every token with one line in the log, and log-ins go on', async () => {
  const file = volumeTokenFile(hermes.home)
  const whole = readFileSync(file, 'utf8')
  writeFileSync(file, whole.slice(0, -9))
  const answers = [await ask(tokens.read, 'GET', '/api/profiles'), await ask(tokens.admin, 'GET', '/api/status')]
  expect(answers.map(({ code, json }) => [code, json().error])).toEqual(Array(2).fill([503, 'no_tokens']))
  const loggedIn = await dashboard.ask('/auth/password-login', {
    method: 'POST',
    json: { username: 'me', password: 'correct horse' },
    headers: { Origin: dashboard.origin, 'X-Forwarded-For': '198.51.100.7' },
  })
  expect(loggedIn.code).toBe(200)
  const headers = { cookie: cookieHeader(loggedIn.cookies()) }
  expect((await dashboard.ask('/api/profiles', { headers })).code).toBe(200)
  // A token that is wrong does not become a session of the same request.
  expect((await dashboard.ask('/api/profiles', { headers: { ...headers, ...bearer(tokens.admin) } })).code).toBe(503)
  expect(dashboard.said().match(/is damaged/g)).toHaveLength(1)
  const { code, stderr } = await command('token', 'create', 'more', '--scope', 'read')
  expect([code, stderr]).toEqual([1, expect.stringContaining('is damaged')])
  writeFileSync(file, whole)
  expect(await codeOf(tokens.read)).toBe(200)
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('wrong tokens are counted by address; no token is in a log or a file', async () => {
  const wrong = `hermes_0badbad0_${'x'.repeat(43)}`
  const from = async (address: string, token: string): Promise<number> =>
    (await dashboard.ask('/api/status', { headers: { ...bearer(token), 'X-Forwarded-For': address } })).code
  const codes: number[] = []
  for (let i = 0; i < 12; i++) codes.push(await from('203.0.113.5', wrong))
  expect(codes).toEqual([...Array(10).fill(401), 429, 429])
  expect([await from('203.0.113.5', tokens.read), await from('203.0.113.6', wrong)]).toEqual([200, 401])
  const given = [...Object.values(tokens), coder, wrong]
  const files = readdirSync(hermes.home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  expect(files).toContain(join(hermes.home, 'logs', 'dashboard-auth.log'))
  const said = [
    dashboard.said(),
    hermes.stdout(),
    hermes.stderr(),
    ...files.map((file) => readFileSync(file, 'latin1')),
  ]
  for (const text of given) expect(said.filter((one) => one.includes(text.split('_').slice(2).join('_')))).toEqual([])
  await waitFor('the refusals in the log', () =>
    readFileSync(join(hermes.home, 'logs', 'dashboard-auth.log'), 'utf8').includes('"token_refused"'),
  )
})

test('where no log-in is needed, a token has its own scope and no more', async () => {
  await using open = await startDashboard(hermes)
  const change = (headers: Readonly<Record<string, string>>) =>
    open.ask('/api/profiles/coder/gateway', { method: 'POST', json: { action: 'start' }, headers })
  expect((await open.ask('/api/profiles', { headers: bearer(tokens.read) })).code).toBe(200)
  expect((await change(bearer(tokens.read))).code).toBe(403)
  expect((await change(bearer(tokens.operate))).code).toBe(200)
  await take('operate')
  expect((await change(bearer(tokens.operate))).code).toBe(401)
  // The token of the page does not make more of it.
  const asPage = await open.asPage('/api/profiles/coder/gateway', {
    method: 'POST',
    json: { action: 'start' },
    headers: bearer(tokens.read),
  })
  expect(asPage.code).toBe(403)
})

test('each change by a command, a token, a person and an s6 tool has one line, which says who made it', async () => {
  const since = new Date().toISOString()
  const loggedIn = await dashboard.ask('/auth/password-login', {
    method: 'POST',
    json: { username: 'me', password: 'correct horse' },
    headers: { Origin: dashboard.origin, 'X-Forwarded-For': '198.51.100.8' },
  })
  const cookie = cookieHeader(loggedIn.cookies())
  const page = pageToken((await dashboard.ask('/', { headers: { cookie } })).body)
  const asPerson = { cookie, Origin: dashboard.origin, 'X-Hermes-Token': page }
  const made = await ask(tokens.board, 'POST', '/api/kanban/tasks', { title: 'a secret title' })
  const { id } = made.json() as { readonly id: string }
  const refused = await ask(tokens.read, 'POST', '/api/kanban/tasks', { title: 'no' })
  const deleted = await dashboard.ask('/api/profiles/nosuch', {
    method: 'DELETE',
    json: { confirm: 'nosuch' },
    headers: asPerson,
  })
  expect([made.code, refused.code, deleted.code]).toEqual([201, 403, 404])
  for (const args of [
    ['-p', 'coder', 'gateway', 'restart'],
    ['kanban', 'comment', id, 'a secret text'],
    ['-p', 'coder', 'env', 'unset', 'A_KEY'],
  ])
    expect((await command(...args)).code).toBe(0)
  // The letter of s6-svc -h.
  appendFileSync(join(hermes.runDir, 'service', 'gateway-coder', 'supervise', 'control'), 'h')
  const query = `/api/audit?since=${encodeURIComponent(since)}`
  const entries = async () => {
    const answer = await ask(tokens.admin, 'GET', query)
    return (answer.json() as unknown as Audit).entries
  }
  await waitFor('the line of s6', async () => (await entries()).some(({ via }) => via === 's6'))
  const user = userInfo().username
  expect((await entries()).map(({ time: _, ...entry }) => Object.values(entry).join('|')).sort()).toEqual(
    [
      `token:board|api|kanban create|${id}|done`,
      'dashboard:me|page|profile delete|nosuch|no_such_profile',
      `${user}|cli|gateway restart|coder|done`,
      `${user}|cli|kanban comment|${id}|done`,
      `${user}|cli|env unset|coder A_KEY|done`,
      'unknown|s6|s6-svc -h|gateway-coder|sent',
    ].sort(),
  )
  expect(readFileSync(join(hermes.home, 'logs', 'audit.log'), 'utf8')).not.toContain('a secret')
  const shown = await command('audit', '--since', since, '--action', 'kanban', '--json')
  expect((JSON.parse(shown.stdout) as readonly object[]).length).toBe(2)
  const text = await command('audit', '--since', since, '--actor', 'token:board')
  expect(text.stdout.split('\n')).toEqual([expect.stringMatching(/^TIME +ACTOR/), expect.stringContaining(id), ''])
})

test('the command lists tokens without their text, and refuses what it cannot make', async () => {
  const { stdout } = await command('token', 'list', '--json')
  const listed = JSON.parse(stdout) as { readonly name: string }[]
  expect(listed.find(({ name }) => name === 'of-coder')).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{8}$/),
    name: 'of-coder',
    scope: 'admin',
    profiles: ['coder'],
    created_at: expect.any(String),
    expires_at: null,
    expired: false,
  })
  const made = await command('token', 'create', 'two', '--scope', 'read', '-p', 'coder', '-p', 'secretive', '--json')
  expect(JSON.parse(made.stdout)).toEqual({
    id: expect.any(String),
    name: 'two',
    token: expect.stringMatching(/^hermes_/),
    scope: 'read',
    profiles: ['coder', 'secretive'],
    expires_at: null,
  })
  for (const [code, ...args] of [
    [1, 'two', '--scope', 'read'],
    [2, 'three'],
    [2, 'three', '--scope', 'root'],
    [2, 'a/b', '--scope', 'read'],
    [2, 'three', '--scope', 'read', '--expires', '30'],
    [3, 'three', '--scope', 'read', '-p', 'nosuch'],
  ] as const) {
    const ran = await command('token', 'create', ...args)
    expect([args, ran.code, ran.stdout, ran.stderr.split('\n').length]).toEqual([args, code, '', 3])
  }
})
