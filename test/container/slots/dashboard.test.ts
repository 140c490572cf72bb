import { expect, test } from 'vitest'
import { lives, startContainer } from '../../support/container/container.ts'
import { askHttp, cookieHeader, pageToken } from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { waitFor } from '../../support/wait.ts'

const files = { 'config.yaml': lives(), desired_state: 'running\n' }
const password = { HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me', HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'correct horse' }

test.each(['', '0', 'no', 'ture'])('HERMES_DASHBOARD=%o: the slot is listed and down', async (value) => {
  await using box = await startContainer({ files, env: value === '' ? {} : { HERMES_DASHBOARD: value } })
  expect(await box.slot('dashboard', () => true)).toMatchObject({ state: 'down', wanted: 'down' })
  // A value that is neither yes nor no is a typing error, and is reported.
  if (value === 'ture') await box.saw('HERMES_DASHBOARD: expected 1')
  expect((await box.logs()).stderr.includes('HERMES_DASHBOARD: expected 1')).toBe(value === 'ture')
})

test('HERMES_DASHBOARD=1 with a provider: up, restarted after kill -9, on the configured port', async () => {
  await using box = await startContainer({
    files,
    env: { ...password, HERMES_DASHBOARD: '1', HERMES_DASHBOARD_PORT: '9444' },
  })
  const { pid } = await box.up('dashboard')
  const listening = ['sh', '-c', 'grep -qi ":24E4 " /proc/net/tcp /proc/net/tcp6'] // 9444
  expect((await box.exec(listening)).code).toBe(0)
  // Its process is closed to the runtime user's, so that nothing shows who listens.
  expect((await box.hermes('doctor')).stdout).toMatch(/^ok {3}ports: the dashboard: 9444$/m)
  await box.kill(pid)
  await box.slot('dashboard', (slot) => slot.state === 'up' && slot.pid !== pid)
})

test('open to everyone without a provider: parked with the reason, the gateways unaffected', async () => {
  await using box = await startContainer({ files, env: { HERMES_DASHBOARD: '1' } })
  const { reason } = await box.slot('dashboard', (slot) => slot.state === 'parked')
  expect(reason).toContain('no log-in is configured')
  await box.saw(/the dashboard needs a password before it opens 0\.0\.0\.0:9119/)
  await box.up('gateway-default')
})

test('hermes dashboard start, stop, restart and status', async () => {
  await using box = await startContainer({ files, env: password })
  await box.slot('dashboard', (slot) => slot.state === 'down')
  await box.ok('hermes', 'dashboard', 'start')
  const { pid } = await box.up('dashboard')
  await box.ok('hermes', 'dashboard', 'restart')
  await box.slot('dashboard', (slot) => slot.state === 'up' && slot.pid !== pid)
  expect((await box.hermes('dashboard', 'status')).code).toBe(0)
  await box.ok('hermes', 'dashboard', 'stop')
  await box.slot('dashboard', (slot) => slot.state === 'down')
})

test('a browser on the host logs in over the published port, and sees and restarts a gateway', async () => {
  await using box = await startContainer({ files, env: { ...password, HERMES_DASHBOARD: '1' }, publish: 9119 })
  await box.up('dashboard')
  await box.up('gateway-default')
  const port = await box.port(9119)
  const origin = `http://127.0.0.1:${port}`
  await waitFor('the dashboard to know the gateway', async () => {
    const { auth_required, gateway_running } = (await askHttp(port, '/api/status')).json()
    return auth_required && gateway_running
  })
  expect((await askHttp(port, '/api/profiles')).code).toBe(401)
  const json = { username: 'me', password: 'correct horse' }
  const login = await askHttp(port, '/auth/password-login', { method: 'POST', json, headers: { Origin: origin } })
  expect(login.code).toBe(200)
  const cookie = cookieHeader(login.cookies())
  const html = (await askHttp(port, '/', { headers: { cookie } })).body
  const headers = { cookie, Origin: origin, 'X-Hermes-Token': pageToken(html) }
  // The page is in the image, and what it loads too.
  const [script = ''] = /(?<=src="\.)\/assets\/[^"]+(?=")/.exec(html) ?? []
  expect((await askHttp(port, script)).code).toBe(200)
  using reader = await readEvents(port, '/api/events', headers)
  await waitFor('the status', () => reader.events[0]?.event === 'status')
  const { pid } = await box.up('gateway-default')
  const path = '/api/profiles/default/gateway'
  expect((await askHttp(port, path, { method: 'POST', json: { action: 'restart' }, headers })).code).toBe(200)
  await waitFor('another process', () =>
    reader.events.some(
      ({ event, data }) =>
        event === 'slot' && data.slot.slot === 'gateway-default' && data.slot.state === 'up' && data.slot.pid !== pid,
    ),
  )
})
