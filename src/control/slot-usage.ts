/** Usage of each slot's processes, from two readings of /proc. Pure. */
import type { SlotStatus } from '../protocol/control.ts'
import { byParent, descendantsIn, isZombie, type ProcessFacts } from '../system/programs/proc.ts'

/** USER_HZ: what /proc counts in, on every Linux architecture we run on (time(7)). */
const TICKS_PER_S = 100

/** Use of a slot between two looks, as the API has it. */
export interface Usage {
  /** In cores: 0.25 is a quarter of a core. */
  readonly cpu: number
  readonly memory_bytes: number
  readonly processes: number
}

export interface SlotUsage {
  /** Of its living processes, and of the children for which these have waited. */
  readonly cpuSeconds: number
  readonly memoryBytes: number
  readonly processes: number
}

/** One look at all slots that run something. */
export interface UsageSnapshot {
  readonly atMs: number
  readonly slots: ReadonlyMap<string, SlotUsage>
}

/**
 * Adds up the processes of each slot: those of the session it began, and what they started, wherever that went.
 * A process is counted once.
 */
export function usageOf(
  slots: readonly Pick<SlotStatus, 'slot' | 'pid'>[],
  all: readonly ProcessFacts[],
  pageBytes: number,
  atMs: number,
): UsageSnapshot {
  const found = new Map<string, SlotUsage>()
  const sessions = Map.groupBy(all, ({ session }) => session)
  const children = byParent(all)
  const leaders = new Map(all.map((one) => [one.pid, one]))
  for (const { slot, pid } of slots) {
    if (pid === undefined) continue
    const leader = leaders.get(pid)
    const own = new Set([
      ...(leader === undefined ? [] : [leader]),
      ...(sessions.get(pid) ?? []),
      ...descendantsIn(children, pid),
    ])
    const living = [...own].filter((one) => !isZombie(one))
    found.set(slot, {
      cpuSeconds: sum(living, ({ cpuTicks, waitedTicks }) => cpuTicks + waitedTicks) / TICKS_PER_S,
      memoryBytes: sum(living, ({ residentPages }) => residentPages) * pageBytes,
      processes: living.length,
    })
  }
  return { atMs, slots: found }
}

/** A slot that has no earlier look has used nothing yet that we know of. */
export function usageBetween(before: UsageSnapshot | undefined, now: UsageSnapshot): Readonly<Record<string, Usage>> {
  const seconds = before === undefined ? 0 : (now.atMs - before.atMs) / 1000
  return Object.fromEntries(
    [...now.slots].map(([slot, { cpuSeconds, memoryBytes, processes }]) => {
      const earlier = before?.slots.get(slot)
      // Below zero: a process has ended for which no other one of the slot has waited, and its time went with it.
      const used = earlier === undefined || seconds <= 0 ? 0 : Math.max(0, cpuSeconds - earlier.cpuSeconds) / seconds
      return [slot, { cpu: Math.round(used * 1000) / 1000, memory_bytes: memoryBytes, processes }]
    }),
  )
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0)
