/** The last samples of what a slot uses. */
import type { Usage } from '../../contract/slots.ts'

/** Two minutes of samples that come every 2 s. */
export const HISTORY_SAMPLES = 60

export interface UsageHistory {
  readonly cpu: readonly number[]
  readonly memory: readonly number[]
  readonly last: Usage
}

export function withSample(history: UsageHistory | undefined, usage: Usage): UsageHistory {
  const kept = (values: readonly number[] | undefined): readonly number[] => (values ?? []).slice(1 - HISTORY_SAMPLES)
  return {
    cpu: [...kept(history?.cpu), usage.cpu],
    memory: [...kept(history?.memory), usage.memory_bytes],
    last: usage,
  }
}
