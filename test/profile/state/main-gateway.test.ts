import { expect, test } from 'vitest'
import { gatewayOfMain } from '../../../src/profile/state/main-gateway.ts'

test.each([
  ['gateway run --no-supervise', {}, 'default'],
  ['gateway --no-supervise', {}, 'default'],
  ['-p Coder gateway run --no-supervise', {}, 'coder'],
  ['/opt/hermes/bin/hermes gateway --profile=coder run --no-supervise', {}, 'coder'],
  ['gateway run', { HERMES_GATEWAY_NO_SUPERVISE: 'YES' }, 'coder-is-not-active'],
  ['gateway run', {}, undefined],
  ['gateway run', { HERMES_GATEWAY_NO_SUPERVISE: 'on' }, undefined],
  ['gateway status', { HERMES_GATEWAY_NO_SUPERVISE: '1' }, undefined],
  ['sleep 1', { HERMES_GATEWAY_NO_SUPERVISE: '1' }, undefined],
  ['', {}, undefined],
  ['gateway run --no-supervise -p', {}, undefined],
])('main program %j with %j is the gateway of %s', (line, env, profile) => {
  const args = line.split(' ').filter((argument) => argument !== '')
  expect(gatewayOfMain('/nowhere', args, env)).toBe(profile === 'coder-is-not-active' ? 'default' : profile)
})
