import type { SlotPolicy } from '../../src/slot/slot.ts'

/** The defaults of config.yaml, with what a test cares about changed. */
export const policy = (change: Partial<SlotPolicy> = {}): SlotPolicy => ({
  kind: 'service',
  restart: 'always',
  restartDelay: { firstMs: 1_000, maxMs: 60_000 },
  forgetAfterMs: 30_000,
  readiness: 'alive',
  readyAfterMs: 1_000,
  startTimeoutMs: 60_000,
  stopSignal: 'TERM',
  stopTimeoutMs: 10_000,
  giveUpAfter: null,
  ...change,
})
