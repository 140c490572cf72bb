import type { Clock } from '../../system/clock.ts'
import { historyFile } from '../../system/paths.ts'
import type { History } from '../contract/history.ts'
import { readPoints } from './ring-file.ts'
import { inSteps } from './steps.ts'

/** Steps of the plots in the page: 144 in a day, about one for two pixels. */
export const DEFAULT_STEP_MINUTES = 10
const MINUTE_MS = 60_000

/** The last day of a slot, as the API answers it; all steps are null where nothing was recorded. */
export function readHistory(
  { home, clock }: { readonly home: string; readonly clock: Pick<Clock, 'wallMs'> },
  slot: string,
  stepMinutes: number = DEFAULT_STEP_MINUTES,
): History {
  const nowMinute = Math.floor(clock.wallMs() / MINUTE_MS)
  const steps = inSteps(readPoints(historyFile(home, slot), nowMinute), stepMinutes, nowMinute)
  return {
    from: new Date(steps.fromMinute * MINUTE_MS).toISOString(),
    step_minutes: stepMinutes,
    cpu: [...steps.cpu],
    memory_bytes: [...steps.memoryBytes],
    restarts: [...steps.restarts],
    queued: [...steps.queued],
  }
}
