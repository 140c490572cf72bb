import { symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hermes as cli } from '../../support/cli.ts'
import { capture, password, spawnDashboard, startDashboard } from '../../support/dashboard/dashboard.ts'
import { startHermes } from '../../support/hermes.ts'
import { freePort } from '../../support/port.ts'
import { waitFor } from '../../support/wait.ts'

const lives = { name: 'coder', gateway: { command: ['sleep', '100000'], ready_after: '50ms' } }

test('on loopback it shows the slots, to a browser that means this machine', async () => {
  await using hermes = await startHermes({ profiles: [lives] })
  await waitFor('the slot to be up', async () => (await hermes.slot('gateway-coder'))?.state === 'up')
  await using dashboard = await startDashboard(hermes)
  expect((await dashboard.ask('/api/status')).json()).toMatchObject({
    auth_required: false,
    profiles: { total: 2, parked: 0 },
    details: { slots: expect.arrayContaining([expect.objectContaining({ slot: 'gateway-coder' })]) },
  })
  expect((await dashboard.ask('/', { headers: { host: 'evil.example' } })).code).toBe(421)
  expect((await dashboard.ask('/', { method: 'POST' })).code).toBe(405)
  expect((await dashboard.ask('/nosuch')).code).toBe(404)
})

test('with a log-in required /api/status is answered without anything sensitive', async () => {
  await using hermes = await startHermes({ profiles: [lives] })
  await using dashboard = await startDashboard(hermes, { args: ['--host', '0.0.0.0'], env: password })
  const status = await dashboard.ask('/api/status')
  expect(status.code).toBe(200)
  expect(status.json()).toMatchObject({ auth_required: true, auth_providers: ['basic'] })
  expect(status.body).not.toMatch(/pid|hermes-test|coder/)
})

interface Refused {
  readonly args: readonly string[]
  readonly code: number
  readonly says: RegExp
  readonly env?: Readonly<Record<string, string>>
}

test.each<Refused>([
  { args: ['--host', '0.0.0.0'], code: 78, says: /needs a password before it opens 0\.0\.0\.0:\d+/ },
  { args: ['run', '--host', '0.0.0.0'], code: 78, says: /no log-in is configured/ },
  ...['0', 'no', 'false', ''].map((value) => ({
    args: ['--host', '0.0.0.0'],
    code: 78,
    says: /no log-in is configured/,
    env: { HERMES_DASHBOARD_INSECURE: value },
  })),
  { args: ['--port', '99999'], code: 78, says: /expected a port from 1 to 65535, got "99999"/ },
  { args: ['--frobnicate'], code: 2, says: /has no option --frobnicate/ },
  {
    args: [],
    code: 78,
    says: /PUBLIC_URL: expected an http or https address, got "hermes"/,
    env: { HERMES_DASHBOARD_PUBLIC_URL: 'hermes' },
  },
  {
    args: [],
    code: 78,
    says: /TRUSTED_PROXIES: "proxy" is neither/,
    env: { HERMES_DASHBOARD_TRUSTED_PROXIES: 'proxy' },
  },
  { args: [], code: 78, says: /HERMES_NODE_TOKEN is not a token/, env: { HERMES_NODE_TOKEN: 'short' } },
  {
    args: ['--host', '0.0.0.0'],
    code: 78,
    says: /BASIC_AUTH_PASSWORD_HASH is not a hash/,
    env: { ...password, HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH: '$2b$10$x' },
  },
])('hermes dashboard $args with $env ends with $code and says why: $says', async ({ args, code, says, env }) => {
  await using hermes = await startHermes({ profiles: [] })
  const child = spawnDashboard(hermes, args, env)
  const said = capture(child)
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(code)
  expect(said()).toMatch(says)
})

test('--no-open, which other images know, changes nothing: not the start, not what it says', async () => {
  await using hermes = await startHermes({ profiles: [] })
  const said: string[] = []
  for (const more of [[], ['--no-open']]) {
    await using dashboard = await startDashboard(hermes, { args: ['--host', '127.0.0.1', ...more] })
    expect((await dashboard.ask('/api/status')).code).toBe(200)
    said.push(dashboard.said().replaceAll(String(dashboard.port), 'PORT'))
  }
  expect(said[1]).toBe(said[0])
  const help = await cli(['dashboard', 'run', '--help'], { home: hermes.home })
  expect(help.stdout).toMatch(/--no-open +accepted for compatibility; has no effect/)
})

test('a port that is taken ends it with 1, so that its slot tries again, an invalid key with 78; a line names them', async () => {
  await using hermes = await startHermes({ profiles: [] })
  await using first = await startDashboard(hermes)
  const endOf = async (args: readonly string[], code: number): Promise<string> => {
    const child = spawnDashboard(hermes, args, password)
    const said = capture(child)
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(code)
    return said()
  }
  expect(await endOf(['--port', String(first.port)], 1)).toMatch(
    new RegExp(
      `^hermes: port ${first.port} is already in use by [\\w.-]+ \\(pid ${first.child.pid}\\)\n.*HERMES_DASHBOARD_PORT`,
    ),
  )
  symlinkSync('/etc/passwd', join(hermes.home, 'dashboard.key'))
  expect(await endOf(['--host', '0.0.0.0'], 78)).toMatch(/dashboard\.key is a symbolic link.*\n.*remove it/)
})

test('in its slot it waits for a port that is taken, and says who has it', async () => {
  const port = await freePort()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const env = { HERMES_DASHBOARD: '1', HERMES_DASHBOARD_HOST: '127.0.0.1', HERMES_DASHBOARD_PORT: String(port) }
  await using hermes = await startHermes({ profiles: [], env })
  const slot = await waitFor('the slot to try again', async () => {
    const seen = await hermes.slot('dashboard')
    return seen?.state === 'backoff' && seen
  })
  expect(slot.reason).toMatch(
    new RegExp(`port ${port} is already in use by .*\\(pid ${process.pid}\\)|exited with code 1`),
  )
  await new Promise((resolve) => server.close(resolve))
  await waitFor('the dashboard to listen', async () => (await hermes.slot('dashboard'))?.state === 'up')
})

test('a fault in a request is reported with its key', async () => {
  await using hermes = await startHermes({ profiles: [] })
  await using dashboard = await startDashboard(hermes, { args: ['--host', '0.0.0.0'], env: password })
  const detail = async (json: unknown) =>
    (
      await dashboard.ask('/auth/password-login', { method: 'POST', json, headers: { Origin: dashboard.origin } })
    ).json().detail
  expect(await detail({ username: 'me' })).toBe('body.password: expected text')
  expect(await detail({ username: 'me', password: 1 })).toBe('body.password: expected text')
  expect(await detail([])).toBe('body: expected an object')
  expect(await detail({ username: 'me', password: 'x', more: 1 })).toBe('body: unknown key "more"')
})

test('the hash that hermes dashboard hash-password prints lets that password in', async () => {
  await using hermes = await startHermes({ profiles: [] })
  const made = await cli(['dashboard', 'hash-password'], { home: hermes.home, input: 'correct horse\n' })
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^scrypt:[\w:-]+\n$/) })
  const env = {
    HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
    HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH: made.stdout.trim(),
  }
  await using dashboard = await startDashboard(hermes, { args: ['--host', '0.0.0.0'], env })
  const login = (given: string) =>
    dashboard.ask('/auth/password-login', {
      method: 'POST',
      json: { username: 'me', password: given },
      headers: { Origin: dashboard.origin },
    })
  expect((await login('correct horse')).code).toBe(200)
  expect((await login('correct horse\n')).code).toBe(401)
  expect((await cli(['dashboard', 'hash-password'], { home: hermes.home, input: '\n' })).code).toBe(2)
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
