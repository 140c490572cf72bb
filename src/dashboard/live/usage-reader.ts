import { readFileSync } from 'node:fs'
import type { SlotStatus } from '../../protocol/control.ts'
import type { Clock } from '../../system/clock.ts'
import { listProcesses } from '../../system/programs/proc.ts'
import { type UsageSnapshot, usageOf } from './usage.ts'

/** Looks at the processes of this machine, as far as our PID namespace shows them. */
export function usageReader(clock: Clock): (slots: readonly SlotStatus[]) => UsageSnapshot {
  const pageBytes = readPageBytes()
  return (slots) => usageOf(slots, listProcesses(), pageBytes, clock.nowMs())
}

/** Node does not provide it; arm64 kernels may use 16 or 64 KB. */
function readPageBytes(): number {
  const found = /^KernelPageSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps', 'latin1'))
  return found === null ? 4096 : Number(found[1]) * 1024
}
