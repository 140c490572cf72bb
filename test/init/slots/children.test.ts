import { openSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Children, type ChildrenOptions } from '../../../src/init/slots/children.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'

test('a process counts as started before anything that it can have written', async () => {
  const clock = fakeClock()
  const begunAtMs = clock.nowMs()
  const sent: unknown[] = []
  const parts: { [Key in keyof ChildrenOptions]?: unknown } = {
    clock,
    native: {},
    limits: { prefix: () => [] },
    fifos: { openWriter: () => openSync('/dev/null', 'w') },
    programs: {
      services: { isService: () => false, user: () => undefined, depth: () => undefined },
      command: { prefix: [], scanDir: '/', env: {} },
    },
    processes: {
      spawn: async () => {
        clock.advance(500) // It writes and ends, and init does not get the CPU.
        return { pid: process.pid, ended: new Promise(() => {}) }
      },
    },
    supervisor: { send: (message: unknown) => sent.push(message) },
    warn: (text: string) => expect.fail(text),
  }
  const children = new Children(parts as ChildrenOptions)
  children.spawn({
    ...{ type: 'spawn', request: 1, slot: 'gateway-quick', stopSignal: 'TERM', stopTimeoutMs: 1 },
    ...{ notificationFd: null, killLeftovers: true },
  })
  await waitFor('its report', () => sent.length > 0)
  expect(sent).toMatchObject([{ type: 'spawned', facts: { spawnedAtMs: begunAtMs } }])
})
