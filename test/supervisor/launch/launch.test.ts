import { expect, test } from 'vitest'
import { defaultConfig } from '../../../src/profile/config/config.ts'
import { gatewayLaunch, serviceLaunch } from '../../../src/supervisor/launch/launch.ts'

test('a gateway and a service that had been up for 5 s are started again at once, however often', () => {
  const gateway = gatewayLaunch(defaultConfig().gateway, { announces: false, hasFinish: false })
  expect(gateway.policy.forgetAfterMs).toBe(5_000)
  const rules = { kind: 'service', readiness: { by: 'alive' } } as unknown as Parameters<typeof serviceLaunch>[0]
  expect(serviceLaunch(rules).policy.forgetAfterMs).toBe(gateway.policy.forgetAfterMs)
})
