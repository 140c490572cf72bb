// When the keeper of a lease wakes the dispatcher. Leases in a real database: leases.test.ts.
import { expect, test } from 'vitest'
import { LeaseKeeper } from '../../../src/kanban/nodes/lease-keeper.ts'
import { leaseTimes } from '../../../src/kanban/nodes/timing.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'

const card = {
  ...{ id: 'a', name: 'a', instance: 'a-life', volume: 'a', host: 'a-host' },
  ...{ version: '1', labels: {}, apiUrl: null },
}

test('the dispatcher is woken by a new lease, and by each other node whose lease has lapsed, once', async () => {
  const clock = fakeClock()
  const times = leaseTimes(30_000)
  const answers = [
    { epoch: 1, lapsed: [] },
    { epoch: 1, lapsed: ['b'] },
    { epoch: 1, lapsed: ['b'] },
    // One has come back while another one lapsed.
    { epoch: 1, lapsed: ['c'] },
    { epoch: 1, lapsed: [] },
    { epoch: 2, lapsed: [] },
  ]
  const woken: number[] = []
  let renewals = 0
  const keeper = new LeaseKeeper({
    leases: {
      take: async () => ({ state: 'held', ...(answers[renewals++] ?? { epoch: 2, lapsed: [] }) }),
      release: async () => undefined,
      register: async () => undefined,
      close: async () => undefined,
    },
    clock,
    bootMs: () => clock.nowMs(),
    times: () => times,
    card: async () => card,
    profiles: () => [],
    handOver: async () => undefined,
    log: () => undefined,
    wake: () => woken.push(renewals),
  })
  const ended = keeper.run()
  for (let at = 1; at <= answers.length; at++) {
    await waitFor('the next renewal to be due', () => renewals === at && clock.alarms().length > 0)
    clock.advance(times.renewMs)
  }
  keeper.end()
  await ended
  expect(woken).toEqual([1, 2, 4, 6])
})
