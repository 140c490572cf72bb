import { type UsageSnapshot, usageOf } from '../../control/slot-usage.ts'
import type { SlotStatus } from '../../protocol/control.ts'
import type { Clock } from '../../system/clock.ts'
import { listProcesses, readPageBytes } from '../../system/programs/proc.ts'

/** Looks at the processes of this machine, as far as our PID namespace shows them. */
export function usageReader(clock: Clock): (slots: readonly SlotStatus[]) => UsageSnapshot {
  const pageBytes = readPageBytes()
  return (slots) => usageOf(slots, listProcesses(), pageBytes, clock.nowMs())
}
