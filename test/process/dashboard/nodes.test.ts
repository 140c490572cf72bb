// The paths of a dashboard that only dashboards of other nodes may use.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROUTES } from '../../../src/dashboard/contract/routes.ts'
import {
  type Asking,
  type DashboardAnswer,
  pageToken,
  password,
  type RunningDashboard,
  startDashboard,
} from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { type OpenApi, OpenApiJudge } from '../../support/dashboard/openapi.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { waitFor } from '../../support/wait.ts'

const TOKEN = 'of-all-nodes-0123456789'
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
const talks = {
  command: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done'],
  ready_after: '50ms',
}

let hermes: RunningHermes
beforeAll(async () => {
  hermes = await startHermes({ profiles: [{ name: 'coder', gateway: talks }] })
})
afterAll(() => hermes[Symbol.asyncDispose]())

describe('with the node token', () => {
  let dashboard: RunningDashboard
  let judge: OpenApiJudge
  beforeAll(async () => {
    dashboard = await startDashboard(hermes, { env: { HERMES_NODE_TOKEN: TOKEN } })
    judge = new OpenApiJudge((await dashboard.asPage('/api/openapi.json')).json() as OpenApi)
  })
  afterAll(() => dashboard[Symbol.asyncDispose]())

  async function ask(method: string, path: string, asking: Asking = {}): Promise<DashboardAnswer> {
    const answer = await dashboard.ask(path, { method, ...asking, headers: { ...bearer(TOKEN), ...asking.headers } })
    judge.judge(method, path, answer)
    return answer
  }

  test('another node lists the gateways of this one, by whatever name it reaches it', async () => {
    const { profiles } = (await ask('GET', '/api/node/gateways', { headers: { Host: 'h1.internal.example' } })).json()
    expect(profiles.map(({ name }: { name: string }) => name)).toEqual(['default', 'coder'])
    expect(profiles[1].slot).toMatchObject({ slot: 'gateway-coder', state: 'up' })
  })

  test('it stops, starts and restarts one, and its desired state is kept', async () => {
    const act = async (action: string) => (await ask('POST', '/api/node/gateways/coder', { json: { action } })).json()
    const before = (await hermes.slot('gateway-coder'))?.pid
    expect(await act('stop')).toMatchObject({ changed: true })
    await waitFor('it to be down', async () => (await hermes.slot('gateway-coder'))?.state === 'down')
    expect(readFileSync(join(hermes.home, 'profiles', 'coder', 'desired_state'), 'utf8')).toBe('stopped\n')
    expect(await act('start')).toMatchObject({ changed: true })
    const pid = await waitFor('another one', async () => {
      const slot = await hermes.slot('gateway-coder')
      return slot?.state === 'up' && slot.pid !== before && slot.pid
    })
    await act('restart')
    await waitFor('a third one', async () => {
      const slot = await hermes.slot('gateway-coder')
      return slot?.state === 'up' && slot.pid !== pid
    })
    expect((await ask('POST', '/api/node/gateways/nosuch', { json: { action: 'stop' } })).code).toBe(404)
    expect((await ask('POST', '/api/node/gateways/coder', { json: { action: 'explode' } })).code).toBe(400)
  })

  test('it reads and follows a log in the form of the page’s own streams', async () => {
    const { lines } = await waitFor('lines', async () => {
      const page = (await ask('GET', '/api/node/gateways/coder/logs?lines=3')).json()
      return page.lines.length === 3 && page
    })
    expect(lines[0].text).toMatch(/^line \d+$/)
    const path = '/api/node/gateways/coder/logs/follow'
    using reader = await readEvents(dashboard.port, path, bearer(TOKEN))
    await waitFor('ten lines', () => reader.events.flatMap(({ data }) => data.lines ?? []).length >= 10)
    for (const { event, data } of reader.events) judge.judgeEvent(path, event, data)
    expect((await ask('GET', '/api/node/gateways/nosuch/logs/follow')).code).toBe(404)
    expect((await ask('GET', '/api/node/gateways/nosuch/logs')).code).toBe(404)
  })

  test('each of these routes was asked', () => {
    const names = Object.entries(ROUTES).filter(([, { path }]) => path.startsWith('/api/node/gateways'))
    const answered = new Set([...judge.asked].map((asked) => asked.split(' ')[0]))
    expect(names.map(([name]) => name).filter((name) => !answered.has(name))).toEqual([])
  })

  test('the token opens nothing else, and nothing else opens these routes', async () => {
    for (const path of ['/api/profiles', '/api/metrics', '/api/node', '/api/nodes', '/api//node/gateways'])
      expect([path, (await dashboard.ask(path, { headers: bearer(TOKEN) })).code]).toEqual([path, 401])
    for (const given of [{}, bearer(TOKEN.slice(1)), bearer(`${TOKEN}x`), { Authorization: TOKEN }]) {
      const answer = await dashboard.asPage('/api/node/gateways', { headers: given })
      expect([given, answer.code, answer.headers['www-authenticate']]).toEqual([
        given,
        401,
        'Bearer realm="hermes-node"',
      ])
    }
    const asPage = { method: 'POST', json: { action: 'stop' } }
    expect((await dashboard.asPage('/api/node/gateways/coder', asPage)).code).toBe(401)
    expect((await hermes.slot('gateway-coder'))?.state).toBe('up')
    expect((await dashboard.ask('/api/node/nosuch', { headers: bearer(TOKEN) })).code).toBe(404)
  })
})

test('where a log-in is needed, the token still opens these routes, and a session does not', async () => {
  const env = { ...password, HERMES_NODE_TOKEN: TOKEN }
  await using dashboard = await startDashboard(hermes, { args: ['--host', '0.0.0.0'], env })
  const answer = await dashboard.ask('/auth/password-login', {
    method: 'POST',
    json: { username: 'me', password: 'correct horse' },
    headers: { Origin: dashboard.origin },
  })
  const cookie = Object.entries(answer.cookies())
    .map(([name, value]) => `${name}=${value}`)
    .join('; ')
  expect((await dashboard.ask('/api/auth/me', { headers: { cookie } })).code).toBe(200)
  expect((await dashboard.ask('/api/node/gateways', { headers: { cookie } })).code).toBe(401)
  expect((await dashboard.ask('/api/node/gateways', { headers: bearer(TOKEN) })).code).toBe(200)
  expect((await dashboard.ask('/api/profiles', { headers: bearer(TOKEN) })).code).toBe(401)
})

test('a dashboard without the token opens these routes to no bearer at all', async () => {
  await using dashboard = await startDashboard(hermes)
  const page = pageToken((await dashboard.ask('/')).body)
  for (const token of ['', 'undefined', 'null', page, TOKEN])
    expect((await dashboard.ask('/api/node/gateways', { headers: bearer(token) })).code).toBe(401)
})
