// gateway_state.json, in a real directory.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newSlot } from '../../../src/slot/slot.ts'
import { GatewayFiles } from '../../../src/supervisor/operator/gateway-files.ts'
import type { SlotEntry } from '../../../src/supervisor/slots/entry.ts'
import { policy } from '../../slot/policies.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

test('a slot that is being removed writes nothing: a directory of its name is a new profile’s', () => {
  const home = scratchDir('hermes-gateway-files-')
  const clock = fakeClock()
  const dir = join(home, 'profiles', 'a')
  mkdirSync(dir, { recursive: true })
  const files = new GatewayFiles({ home, instance: 'i', clock, warn: (text) => expect.fail(text) })
  const entry = { key: 'gateway-a', slot: newSlot(policy({}), clock.nowMs()), removing: true } as unknown as SlotEntry
  files.record(entry)
  expect(existsSync(join(dir, 'gateway_state.json'))).toBe(false)
  files.record({ ...entry, removing: false })
  expect(existsSync(join(dir, 'gateway_state.json'))).toBe(true)
})
