import { expect, test } from 'vitest'
import { gatewayOf, lives, startContainer } from '../../support/container/container.ts'
import { stretchedMs } from '../../support/wait.ts'

test('docker stop of ten idle gateways takes less than a second and ends with 0', async () => {
  const names = Array.from({ length: 9 }, (_, index) => `p${index}`)
  const files = Object.fromEntries(
    names.flatMap((name) => [
      [`profiles/${name}/config.yaml`, lives()],
      [`profiles/${name}/desired_state`, 'running\n'],
    ]),
  )
  await using box = await startContainer({ command: ['gateway', 'run'], files: { 'config.yaml': lives(), ...files } })
  for (const name of ['default', ...names]) await box.up(`gateway-${name}`)
  const { ms, code } = await box.stop()
  expect(code).toBe(0)
  expect(ms).toBeLessThan(stretchedMs(1000))
  expect(JSON.parse(box.file('profiles/p3/gateway_state.json') ?? '{}')).toMatchObject({
    gateway_state: 'running',
    clean: true,
  })
  expect(box.file('profiles/p3/desired_state')).toBe('running\n')
})

test('a gateway that ignores TERM is killed within the budget, and named', async () => {
  const stubborn = gatewayOf('/bin/sh', '-c', 'trap "" TERM; echo stubborn; while :; do sleep 0.1; done')
  await using box = await startContainer({
    files: { 'config.yaml': stubborn, desired_state: 'running\n' },
    env: { HERMES_STOP_TIMEOUT: '4' },
  })
  await box.saw('stubborn')
  const { ms, code } = await box.stop()
  expect(code).toBe(0)
  expect(ms).toBeLessThan(stretchedMs(4500))
  await box.saw(/gateway-default.*(KILL|killed)/)
})
