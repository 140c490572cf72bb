// The MCP server from the outside: the protocol's own client, a real dashboard, and tokens of each kind.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readAudit } from '../../../src/access/audit-read.ts'
import { covers, SCOPES, type Scope } from '../../../src/access/scope.ts'
import { ROUTES } from '../../../src/dashboard/contract/routes.ts'
import { TOOLS } from '../../../src/dashboard/mcp/tools.ts'
import {
  cookieHeader,
  pageToken,
  password,
  type RunningDashboard,
  startDashboard,
} from '../../support/dashboard/dashboard.ts'
import { giveToken, takeToken } from '../../support/dashboard/tokens.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'

const lives = { command: ['sh', '-c', 'echo "from $HERMES_PROFILE"; exec sleep 100000'], ready_after: '50ms' }

let hermes: RunningHermes
let dashboard: RunningDashboard

beforeAll(async () => {
  hermes = await startHermes({
    profiles: [
      { name: 'coder', gateway: lives },
      { name: 'secretive', gateway: lives },
    ],
  })
  dashboard = await startDashboard(hermes, { args: ['--host', '0.0.0.0'], env: { ...password } })
})
afterAll(async () => {
  await dashboard[Symbol.asyncDispose]()
  await hermes[Symbol.asyncDispose]()
})

interface Session extends AsyncDisposable {
  readonly client: Client
  readonly call: (name: string, args?: Record<string, unknown>) => Promise<{ isError: boolean; body: unknown }>
}

async function connect(token: string): Promise<Session> {
  const client = new Client({ name: 'test', version: '1' })
  const url = new URL('/mcp', dashboard.origin)
  await client.connect(
    // Its own type does not allow for exact optional properties.
    new StreamableHTTPClientTransport(url, {
      requestInit: { headers: { Authorization: `Bearer ${token}` } },
    }) as Parameters<Client['connect']>[0],
  )
  return {
    client,
    async call(name, args = {}) {
      const { isError = false, content } = await client.callTool({ name, arguments: args })
      const [first] = content as { readonly text: string }[]
      return { isError: isError === true, body: JSON.parse(first?.text ?? 'null') }
    },
    [Symbol.asyncDispose]: () => client.close(),
  }
}

test.each(SCOPES)('a token of scope %s has the tools that its scope covers, and no other', async (scope) => {
  await using session = await connect(await giveToken(hermes.home, { name: `tools-${scope}`, scope }))
  const { tools } = await session.client.listTools()
  const allowed = TOOLS.filter(({ route }) => covers(scope, ROUTES[route].scope as Scope))
  expect(tools.map(({ name }) => name)).toEqual(allowed.map(({ name }) => name))
  if (scope === 'read') expect(tools.filter(({ annotations }) => annotations?.readOnlyHint !== true)).toEqual([])
  const others = TOOLS.filter((tool) => !allowed.includes(tool))
  for (const { name } of others) await expect(session.call(name)).rejects.toThrow(`there is no tool "${name}"`)
})

test('a program works on the board and operates gateways as the API does', async () => {
  await using session = await connect(await giveToken(hermes.home, { name: 'operator', scope: 'operate' }))
  expect(session.client.getServerVersion()).toMatchObject({ name: 'hermes' })
  expect((await session.call('profiles')).body).toMatchObject({
    profiles: expect.arrayContaining([expect.objectContaining({ name: 'coder' })]),
  })
  const created = await session.call('create_task', { title: 'from a tool', assignee: 'coder', triage: true })
  expect(created).toMatchObject({ isError: false, body: { title: 'from a tool', created_by: 'token:operator' } })
  const { id } = created.body as { readonly id: string }
  expect((await session.call('tasks', { limit: 1 })).body).toMatchObject({ tasks: [{ id }] })
  expect((await session.call('gateway', { name: 'coder', action: 'stop' })).isError).toBe(false)
  expect((await hermes.slot('gateway-coder'))?.wanted).toBe('down')
  expect((await session.call('gateway', { name: 'coder', action: 'start' })).isError).toBe(false)

  // Errors are those of the API: a line of what is wrong, and what to do.
  expect(await session.call('gateway', { name: 'coder', action: 'explode' })).toEqual({
    isError: true,
    body: {
      error: 'bad_request',
      detail: expect.stringContaining('action'),
      next: 'see /api/openapi.json',
    },
  })
  expect(await session.call('gateway', { name: 'codr', action: 'stop' })).toMatchObject({
    isError: true,
    body: { detail: expect.stringContaining('codr') },
  })
  expect((await session.call('delete_task', { id })).isError).toBe(false)
  const recorded = readAudit(hermes.home, { actor: 'token:operator' }, 50).entries
  expect(recorded.map(({ via, action, target, result }) => [via, action, target, result])).toEqual([
    ['mcp', 'kanban create', id, 'done'],
    ['mcp', 'gateway stop', 'coder', 'done'],
    ['mcp', 'gateway start', 'coder', 'done'],
    ['mcp', 'gateway stop', 'codr', 'no_such_profile'],
    ['mcp', 'kanban delete', id, 'done'],
  ])
})

test('to a token of one profile any other is as one that does not exist', async () => {
  const name = 'of-coder'
  await using session = await connect(await giveToken(hermes.home, { name, profiles: ['coder'] }))
  for (const { name: tool, reads, input } of TOOLS) {
    if (!reads) continue
    const all = { name: 'secretive', profile: 'secretive', node: 'here', id: 't_00000000' }
    const args = Object.fromEntries(Object.entries(all).filter(([key]) => key in input.properties))
    const answer = await session.call(tool, args).catch(String)
    expect([tool, JSON.stringify(answer).includes('from secretive')]).toEqual([tool, false])
  }
  expect(await session.call('gateway', { name: 'secretive', action: 'stop' })).toEqual({
    isError: true,
    body: { error: 'not_found', detail: 'no such profile', next: 'see /api/profiles' },
  })
  expect((await hermes.slot('gateway-secretive'))?.wanted).toBe('up')
  expect((await session.call('profiles')).body).toMatchObject({ profiles: [{ name: 'coder' }] })

  // From the end of the token on, nothing is answered.
  await takeToken(hermes.home, name)
  await expect(session.call('profiles')).rejects.toThrow(/401|invalid_token/)
})

test('without a token there is no answer, not even for the session of a browser', async () => {
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const stranger = await dashboard.ask('/mcp', { method: 'POST', json: message })
  expect(stranger.code).toBe(401)
  const loggedIn = await dashboard.ask('/auth/password-login', {
    method: 'POST',
    json: { username: 'me', password: password.HERMES_DASHBOARD_BASIC_AUTH_PASSWORD },
    headers: { Origin: dashboard.origin },
  })
  const Cookie = cookieHeader(loggedIn.cookies())
  const page = (await dashboard.ask('/', { headers: { Cookie } })).body
  const signedIn = await dashboard.ask('/mcp', {
    method: 'POST',
    json: message,
    headers: { Cookie, Origin: dashboard.origin, 'X-Hermes-Token': pageToken(page) },
  })
  expect([signedIn.code, signedIn.json()]).toEqual([
    401,
    expect.objectContaining({ detail: 'this needs an API token as bearer' }),
  ])
  const read = await giveToken(hermes.home, { name: 'methods', scope: 'read' })
  const answer = await dashboard.ask('/mcp', { headers: { Authorization: `Bearer ${read}` } })
  expect([answer.code, answer.headers.allow]).toEqual([405, 'POST'])
  const broken = await dashboard.ask('/mcp', {
    method: 'POST',
    json: { hello: 1 },
    headers: { Authorization: `Bearer ${read}`, Accept: 'application/json, text/event-stream' },
  })
  expect(broken.code).toBe(400)
})
