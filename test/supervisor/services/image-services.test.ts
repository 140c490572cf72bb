import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DEFAULT_RULES, type ServiceRules } from '../../../src/services/definition.ts'
import { newSlot } from '../../../src/slot/slot.ts'
import { ServiceSlots, type ServiceSlotsOptions } from '../../../src/supervisor/services/image-services.ts'
import type { SlotEntry } from '../../../src/supervisor/slots/entry.ts'
import { policy } from '../../slot/policies.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

test('a goal is stored as reached only after its step: a supervisor that dies in between loses no start', async () => {
  const dir = scratchDir('hermes-goals-')
  const file = join(dir, 'services.json')
  const rules: ServiceRules = { ...DEFAULT_RULES, name: 'a', source: 'services.yaml', kind: 'longrun' }
  writeFileSync(file, JSON.stringify({ rules: [rules], problems: [] }))
  const happened: string[] = []
  const entry = { key: 'service-a', slot: newSlot(policy(), 0) } as SlotEntry
  // As the table does while it is at work for another slot: the step comes after what is under way.
  const steps: string[] = []
  const table: ReturnType<ServiceSlotsOptions['table']> = {
    register: () => entry,
    get: (key) => (key === entry.key ? entry : undefined),
    setNormallyUp: () => undefined,
    remove: () => undefined,
    dispatch: (key, event) => steps.push(`${key} ${event.type}`),
  }
  const services = new ServiceSlots({
    file,
    stateStore: {
      keep: (_, text) => happened.push((JSON.parse(text) as { start: string[] }).start.join() || 'reached'),
    },
    scanDir: dir,
    table: () => table,
    send: () => undefined,
    clock: fakeClock(),
    journal: { warn: (text) => happened.push(text) },
    timezone: undefined,
    ifBootFails: 'nothing',
  })
  services.begin(true)
  happened.push(...steps)
  await new Promise((resolve) => setImmediate(resolve))
  expect(happened).toEqual(['a', 'service-a want', 'reached'])
})
