import { expect, test } from 'vitest'
import { startHermes } from '../../support/hermes.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

test('a thousand slots boot, answer and stop', { timeout: 300_000 }, async () => {
  const profiles = Array.from({ length: 1000 }, (_, i) => ({
    name: `p${String(i).padStart(4, '0')}`,
    gateway: { command: ['sleep', '100000'], ready_after: '10ms' },
  }))
  await using hermes = await startHermes({ profiles, deadlineMs: 120_000 })
  await waitFor(
    'all of them to be up',
    async () =>
      (await hermes.status()).slots.filter(({ state, profile }) => state === 'up' && profile !== 'default').length ===
      1000,
    { deadlineMs: 120_000 },
  )
  const askedAtMs = performance.now()
  expect((await hermes.status()).slots.length).toBeGreaterThanOrEqual(1000)
  const statusMs = performance.now() - askedAtMs
  const stoppedAtMs = performance.now()
  expect(await hermes.stop()).toBe(0)
  console.log(`1,000 slots: status ${statusMs.toFixed()} ms, stop ${(performance.now() - stoppedAtMs).toFixed()} ms`)
  // The budget is one second; this is the deadline behind which the cost would no longer be linear.
  expect(statusMs).toBeLessThan(stretchedMs(10_000))
})
