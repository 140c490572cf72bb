import { type ChildProcess, spawn } from 'node:child_process'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type RunningHermes, startHermes } from '../support/hermes.ts'
import { program } from '../support/install.ts'
import { waitFor } from '../support/wait.ts'

const lives = { name: 'coder', gateway: { command: ['sleep', '100000'], ready_after: '50ms' } }
const password = { HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me', HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'secret' }

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

interface Dashboard extends AsyncDisposable {
  get(path: string, options?: { host?: string; method?: string }): Promise<{ code: number; body: string }>
}

async function serve(
  hermes: RunningHermes,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Dashboard> {
  const port = await freePort()
  const child = spawn(program('hermes'), ['dashboard', '--port', String(port), ...args], {
    env: {
      PATH: process.env.PATH,
      HERMES_HOME: hermes.home,
      HERMES_RUN_DIR: hermes.runDir,
      HERMES_DOCKER_EXEC_AS_ROOT: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = capture(child)
  await waitFor('the dashboard to listen', () => said().includes(`:${port}\n`))
  return {
    get: (path, { host = `127.0.0.1:${port}`, method = 'GET' } = {}) =>
      new Promise((resolve, reject) => {
        const asked = request({ host: '127.0.0.1', port, path, method, headers: { host } }, (response) => {
          let body = ''
          response.setEncoding('utf8').on('data', (text: string) => {
            body += text
          })
          response.on('end', () => resolve({ code: response.statusCode ?? 0, body }))
        })
        asked.on('error', reject)
        asked.end()
      }),
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}

function capture(child: ChildProcess): () => string {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  return () => said
}

test('on loopback it shows the slots, to a browser that means this machine', async () => {
  await using hermes = await startHermes({ profiles: [lives] })
  await waitFor('the slot to be up', async () => (await hermes.slot('gateway-coder'))?.state === 'up')
  await using dashboard = await serve(hermes, [])
  expect((await dashboard.get('/')).body).toContain('gateway-coder')
  expect(JSON.parse((await dashboard.get('/api/status')).body)).toMatchObject({
    auth_required: false,
    profiles: { total: 2, parked: 0 },
  })
  expect((await dashboard.get('/', { host: 'evil.example' })).code).toBe(421)
  expect((await dashboard.get('/', { method: 'POST' })).code).toBe(405)
  expect((await dashboard.get('/nosuch')).code).toBe(404)
})

test('with a log-in required only /api/status is answered, by its exact path', async () => {
  await using hermes = await startHermes({ profiles: [lives] })
  await using dashboard = await serve(hermes, ['--host', '0.0.0.0'], password)
  const status = await dashboard.get('/api/status')
  expect(status.code).toBe(200)
  expect(JSON.parse(status.body)).toMatchObject({ auth_required: true, auth_providers: ['basic'] })
  expect(status.body).not.toMatch(/pid|hermes-test/)
  for (const path of ['/', '/api/status/', '/api//status', '/api/%73tatus', '/api/sessions', '/API/status']) {
    expect((await dashboard.get(path)).code, path).toBe(401)
  }
})

test.each([
  [['--host', '0.0.0.0'], 78, /does not listen on 0\.0\.0\.0:\d+ for everybody/],
  [['--port', '99999'], 78, /expected a port from 1 to 65535, got "99999"/],
  [['--frobnicate'], 2, /has no option --frobnicate/],
])('hermes dashboard %o ends with %i and says why', async (args, code, text) => {
  await using hermes = await startHermes({ profiles: [] })
  const child = spawn(program('hermes'), ['dashboard', ...args], {
    env: {
      PATH: process.env.PATH,
      HERMES_HOME: hermes.home,
      HERMES_RUN_DIR: hermes.runDir,
      HERMES_DOCKER_EXEC_AS_ROOT: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = capture(child)
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(code)
  expect(said()).toMatch(text)
})

test('a parked slot says why in its status: the last line it wrote', async () => {
  const gateway = { command: ['sh', '-c', 'echo "no key in auth.json"; exit 78'] }
  await using hermes = await startHermes({ profiles: [{ name: 'coder', gateway }] })
  const slot = await waitFor('the slot to be parked', async () => {
    const seen = await hermes.slot('gateway-coder')
    return seen?.state === 'parked' && seen
  })
  expect(slot.reason).toContain('no key in auth.json')
  expect(slot.log).toBe(join(hermes.home, 'logs', 'gateways', 'coder', 'current'))
})
