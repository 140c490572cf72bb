import { expect, test } from 'vitest'
import { lives, startContainer } from '../support/container.ts'

const files = { 'config.yaml': lives(), desired_state: 'running\n' }
const password = { HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me', HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'correct horse' }

test.each(['', '0', 'no', 'ture'])('HERMES_DASHBOARD=%o: the slot is listed and down', async (value) => {
  await using box = await startContainer({ files, env: value === '' ? {} : { HERMES_DASHBOARD: value } })
  expect(await box.slot('dashboard', () => true)).toMatchObject({ state: 'down', wanted: 'down' })
})

test('HERMES_DASHBOARD=1 with a provider: up, restarted after kill -9, on the port it was told', async () => {
  await using box = await startContainer({
    files,
    env: { ...password, HERMES_DASHBOARD: '1', HERMES_DASHBOARD_PORT: '9444' },
  })
  const { pid } = await box.up('dashboard')
  const listening = ['sh', '-c', 'grep -qi ":24E4 " /proc/net/tcp /proc/net/tcp6'] // 9444
  expect((await box.exec(listening)).code).toBe(0)
  await box.kill(pid)
  await box.slot('dashboard', (slot) => slot.state === 'up' && slot.pid !== pid)
})

test('open to everyone without a provider: parked with the reason, the gateways unaffected', async () => {
  await using box = await startContainer({ files, env: { HERMES_DASHBOARD: '1' } })
  const { reason } = await box.slot('dashboard', (slot) => slot.state === 'parked')
  expect(reason).toContain('no log-in is configured')
  await box.saw(/the dashboard does not listen on 0\.0\.0\.0:9119 for everybody/)
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
