// Two nodes on one database: the dashboard of either shows both and steers the gateways of both.
import { mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROUTES } from '../../../src/dashboard/contract/routes.ts'
import { hermes as command } from '../../support/cli.ts'
import { askHttp, type DashboardAnswer } from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { type OpenApi, OpenApiJudge } from '../../support/dashboard/openapi.ts'
import { type TwoNodes, twoNodes } from '../../support/kanban/nodes.ts'
import { whyNoPostgres } from '../../support/kanban/postgres.ts'
import { freePort } from '../../support/port.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres()

describe.skipIf(why !== undefined)(`two nodes on one database (${why ?? 'a server of our own'})`, () => {
  let nodes: TwoNodes
  let judge: OpenApiJudge
  beforeAll(async () => {
    nodes = await twoNodes()
    judge = new OpenApiJudge((await nodes.h1.asPage('/api/openapi.json')).json() as OpenApi)
  }, 300_000)
  afterAll(() => nodes[Symbol.asyncDispose]())

  async function ask(method: string, path: string, json?: unknown): Promise<DashboardAnswer> {
    const answer = await nodes.h1.asPage(path, { method, ...(json !== undefined && { json }) })
    judge.judge(method, path, answer)
    return answer
  }

  test('hermes nodes lists both, with the one that it runs on marked', async () => {
    const { stdout, stderr, code } = await nodes.h1.command('nodes')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^NODE +STATE +VERSION +PROFILES +URL\n/)
    expect(stdout).toMatch(/^h1 +here +\S+ +2 +http:\S+ +coder default\n/m)
    expect(stdout).toMatch(/^h2 +up +\S+ +2 +http:\S+ +default@h2 writer\n/m)
    const listed = JSON.parse((await nodes.h2.command('nodes', '--json')).stdout)
    expect(listed).toMatchObject([
      { name: 'h1', here: false, state: 'up', profiles: ['coder', 'default'] },
      { name: 'h2', here: true, state: 'up', profiles: ['default@h2', 'writer'] },
    ])
  })

  test('the dashboard lists them too', async () => {
    const { nodes: listed } = (await ask('GET', '/api/nodes')).json()
    expect(listed).toMatchObject([
      { name: 'h1', here: true, state: 'up', url: nodes.h1.url },
      { name: 'h2', here: false, state: 'up', url: nodes.h2.url },
    ])
  })

  test('a gateway of the other node is listed, stopped and started, and so is one of this node', async () => {
    for (const { name, hermes, profile } of [nodes.h1, nodes.h2]) {
      const path = `/api/nodes/${name}/gateways`
      const { profiles } = (await ask('GET', path)).json()
      expect(profiles.map((one: { name: string }) => one.name)).toEqual(['default', profile])
      const act = async (action: string) => (await ask('POST', `${path}/${profile}`, { action })).json()
      expect(await act('stop')).toMatchObject({ changed: true })
      await waitFor('it to be down', async () => (await hermes.slot(`gateway-${profile}`))?.state === 'down')
      expect(await act('start')).toMatchObject({ changed: true })
      await waitFor('it to be up', async () => (await hermes.slot(`gateway-${profile}`))?.state === 'up')
      const refused = await ask('POST', `${path}/nosuch`, { action: 'stop' })
      expect([refused.code, refused.json()]).toMatchObject([404, { error: 'no_such_profile' }])
    }
    expect((await ask('GET', '/api/nodes/nosuch/gateways')).code).toBe(404)
    expect((await ask('POST', '/api/nodes/nosuch/gateways/coder', { action: 'stop' })).code).toBe(404)
  })

  test('a log of the other node is read and followed as one of this node', async () => {
    for (const { name, profile } of [nodes.h1, nodes.h2]) {
      const path = `/api/nodes/${name}/gateways/${profile}/logs`
      await waitFor('lines', async () => (await ask('GET', `${path}?lines=3`)).json().lines.length === 3)
      const headers = { 'X-Hermes-Token': await nodes.h1.token() }
      using reader = await readEvents(nodes.h1.port, `${path}/follow`, headers)
      await waitFor('ten lines', () => reader.events.flatMap(({ data }) => data.lines ?? []).length >= 10)
      for (const { event, data } of reader.events) judge.judgeEvent(`${path}/follow`, event, data)
      expect((await ask('GET', `/api/nodes/${name}/gateways/nosuch/logs`)).code).toBe(404)
      expect((await ask('GET', `/api/nodes/${name}/gateways/nosuch/logs/follow`)).code).toBe(404)
    }
  })

  test('nothing that goes to the browser has the node token in it', async () => {
    for (const path of ['/', '/api/nodes', '/api/nodes/h2/gateways', '/api/openapi.json'])
      expect((await nodes.h1.asPage(path)).body).not.toContain(nodes.token)
  })

  test('each of these routes was asked', () => {
    const names = Object.entries(ROUTES).filter(([, { path }]) => path.startsWith('/api/nodes'))
    const answered = new Set([...judge.asked].map((asked) => asked.split(' ')[0]))
    expect(names.map(([name]) => name).filter((name) => !answered.has(name))).toEqual([])
  })

  describe('a node that cannot be asked is one line with what to do', () => {
    const gateways = async () => {
      const answer = await ask('GET', '/api/nodes/h2/gateways')
      return { code: answer.code, ...answer.json() }
    }
    /** As its dispatcher would have written it. */
    const withUrl = async (url: string | null, use: () => Promise<void>): Promise<void> => {
      const set = (text: string | null) =>
        nodes.sql(`UPDATE hermes.nodes SET api_url = ${text === null ? 'NULL' : `'${text}'`} WHERE name = 'h2'`)
      set(url)
      try {
        await use()
      } finally {
        set(nodes.h2.url)
      }
    }
    const answering = async (status: number, headers: Record<string, string>, body: string) => {
      const seen: (string | undefined)[] = []
      const server = createServer((request, response) => {
        seen.push(request.headers.authorization)
        response.writeHead(status, headers).end(body)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as { port: number }
      return { url: `http://127.0.0.1:${port}`, seen, [Symbol.dispose]: () => void server.close() }
    }

    test('nothing listens there', async () => {
      const url = `http://127.0.0.1:${await freePort()}`
      await withUrl(url, async () => {
        expect(await gateways()).toMatchObject({
          code: 503,
          error: 'node_unreachable',
          detail: `node h2 at ${url} cannot be reached: ECONNREFUSED`,
          next: expect.stringContaining('check that its container runs'),
        })
        const headers = { 'X-Hermes-Token': await nodes.h1.token() }
        expect((await askHttp(nodes.h1.port, '/api/nodes/h2/gateways/writer/logs/follow', { headers })).code).toBe(503)
      })
    })

    test('it gives no address', () =>
      withUrl(null, async () => {
        expect(await gateways()).toMatchObject({
          code: 503,
          detail: 'node h2 cannot be asked: it gives no address',
          next: expect.stringContaining('set HERMES_NODE_URL there'),
        })
      }))

    test('its address would show the token to a network', () =>
      withUrl('http://h2.example', async () => {
        expect(await gateways()).toMatchObject({
          code: 503,
          detail: expect.stringContaining('the node token would cross the network in clear'),
          next: expect.stringContaining('HERMES_NODE_INSECURE=1'),
        })
      }))

    test('something else answers there, and a redirect is not followed', async () => {
      using elsewhere = await answering(200, { 'Content-Type': 'application/json' }, '{}')
      using proxy = await answering(302, { Location: `${elsewhere.url}/login` }, 'moved')
      await withUrl(proxy.url, async () => {
        expect(await gateways()).toMatchObject({
          code: 503,
          detail: `node h2 at ${proxy.url} answers 302, but not as a dashboard does`,
          next: expect.stringContaining('correct HERMES_NODE_URL'),
        })
      })
      expect([proxy.seen, elsewhere.seen]).toEqual([[`Bearer ${nodes.token}`], []])
    })

    test('it has another token', async () => {
      using stranger = await answering(401, {}, '')
      await withUrl(stranger.url, async () => {
        expect(await gateways()).toMatchObject({
          code: 503,
          detail: `node h2 at ${stranger.url} refuses the node token of this one`,
          next: expect.stringContaining('give every node the same HERMES_NODE_TOKEN'),
        })
      })
    })
  })

  test('a node that has ended is shown as lapsed, and cannot be asked', { timeout: 300_000 }, async () => {
    await nodes.h2.hermes.stop()
    const line = await waitFor(
      'its lease to lapse',
      async () => /^h2 +lapsed for \d+ s .*$/m.exec((await nodes.h1.command('nodes')).stdout)?.[0],
      { deadlineMs: 120_000 },
    )
    expect(line).toContain('writer')
    expect((await ask('GET', '/api/nodes')).json().nodes[1]).toMatchObject({ name: 'h2', here: false, state: 'lapsed' })
    const answer = await ask('POST', '/api/nodes/h2/gateways/writer', { action: 'start' })
    expect([answer.code, answer.json()]).toMatchObject([503, { error: 'node_unreachable' }])
  })
})

test('without a database there is one container, and no node', async () => {
  const home = join(process.env.TMPDIR ?? '/tmp', `hermes-no-nodes-${process.pid}`)
  mkdirSync(home)
  try {
    const { code, stdout, stderr } = await command(['nodes'], { home })
    expect([code, stderr, stdout]).toEqual([
      0,
      '',
      'There is one container: its board is in the volume, and no other node shares it.\n',
    ])
    expect((await command(['nodes', '--json'], { home })).stdout).toBe('[]\n')
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})
