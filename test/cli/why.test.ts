import { expect, test } from 'vitest'
import { whyText } from '../../src/cli/view/why-view.ts'
import type { SlotStatus } from '../../src/protocol/control.ts'

const NOON_MS = Date.UTC(2026, 10, 22, 12)
const ago = (ms: number): string => new Date(NOON_MS - ms).toISOString()
const said = (over: Partial<SlotStatus>): string =>
  whyText(
    {
      slot: 'gateway-coder',
      profile: 'coder',
      state: 'up',
      wanted: 'up',
      ready: true,
      pid: 312,
      since: ago(180_000),
      restarts: 0,
      log: '/l/current',
      ...over,
    },
    NOON_MS,
  )

test.each<[Partial<SlotStatus>, sentence: string]>([
  [{}, 'coder has been up for 3 min.'],
  [{ health: 'ok', evidence: ['answered 4 s ago'] }, 'coder has been up for 3 min and answered 4 s ago.'],
  [
    { health: 'stuck', evidence: ['does not answer (1 of 3 times in a row): no answer within 2000 ms'] },
    'coder runs (pid 312) but seems stuck: it does not answer (1 of 3 times in a row): no answer within 2000 ms; next: hermes -p coder logs.',
  ],
  [
    { health: 'quiet', evidence: ['has printed no line for 6 min'] },
    'coder runs (pid 312) but is quiet: it has printed no line for 6 min.',
  ],
  [{ state: 'starting', ready: false }, 'coder has been starting for 3 min; next: hermes -p coder logs.'],
  [
    { state: 'starting', ready: false, reason: 'waits for its secret TOKEN' },
    'coder has been starting for 3 min and waits for its secret TOKEN; next: hermes -p coder logs.',
  ],
  [
    { state: 'backoff', ready: false, reason: 'exited with code 1', nextStartAt: ago(-4000) },
    'coder waits 4 s for its next start: exited with code 1; next: hermes -p coder logs.',
  ],
  [
    { state: 'parked', ready: false, reason: 'exited with code 78' },
    'coder is parked and not started again by itself: exited with code 78; next: hermes -p coder gateway start.',
  ],
  [{ state: 'down', wanted: 'down', ready: false }, 'coder is stopped; next: hermes -p coder gateway start.'],
  [{ state: 'down', ready: false, reason: 'waits for cache' }, 'coder waits for cache.'],
  [{ state: 'down', ready: false, nextStartAt: ago(-7_200_000) }, 'coder runs at times; the next one is in 2 h.'],
  [{ slot: 'service-setup', state: 'done' }, 'service-setup was done 3 min ago.'],
])('%j: %s', (over, sentence) => {
  expect(said(over)).toBe(sentence)
})
