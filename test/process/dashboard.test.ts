import { join } from 'node:path'
import { expect, test } from 'vitest'
import { capture, password, spawnDashboard, startDashboard } from '../support/dashboard.ts'
import { startHermes } from '../support/hermes.ts'
import { waitFor } from '../support/wait.ts'

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

test.each([
  [['--host', '0.0.0.0'], 78, /does not listen on 0\.0\.0\.0:\d+ for everybody/],
  [['--port', '99999'], 78, /expected a port from 1 to 65535, got "99999"/],
  [['--frobnicate'], 2, /has no option --frobnicate/],
])('hermes dashboard %o ends with %i and says why', async (args, code, text) => {
  await using hermes = await startHermes({ profiles: [] })
  const child = spawnDashboard(hermes, args)
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
