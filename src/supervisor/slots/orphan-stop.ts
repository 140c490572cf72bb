import { type Child, childOf, type Slot } from '../../slot/slot.ts'
import { type Clock, pause } from '../../system/clock.ts'
import type { Native } from '../../system/native/native.ts'
import { isZombie, readProcess } from '../../system/programs/proc.ts'
import { SIGNALS } from '../../system/signals.ts'

const LOOK_EVERY_MS = 20
/** Time limit: no container stop depends on this, but it must end. */
const LONGEST_MS = 8000

/**
 * Stops the slots after init is gone (killed, in the foreground), so that no one else can stop them or report their
 * end: processes are signalled by pid, verified by their start times, until they disappear from /proc.
 */
export async function stopOrphans(slots: readonly Slot[], native: Pick<Native, 'kill'>, clock: Clock): Promise<void> {
  const startedAtMs = clock.nowMs()
  let left = slots.flatMap((slot) => {
    const child = childOf(slot)
    return child === null || !lives(child) ? [] : [{ child, policy: slot.policy }]
  })
  for (const { child, policy } of left) {
    native.kill(child.pid, SIGNALS[policy.stopSignal])
    native.kill(child.pid, SIGNALS.CONT)
  }
  while (left.length > 0) {
    await pause(clock, LOOK_EVERY_MS)
    const waitedMs = clock.nowMs() - startedAtMs
    left = left.filter(({ child, policy }) => {
      if (!lives(child)) return false
      if (waitedMs >= Math.min(policy.stopTimeoutMs, LONGEST_MS)) native.kill(-child.pid, SIGNALS.KILL)
      return true
    })
    if (waitedMs > LONGEST_MS + 1000) return // stuck in the kernel: not even KILL reaches it
  }
}

/** The very process, and not a zombie. */
function lives({ pid, startTime }: Child): boolean {
  const facts = readProcess(pid)
  return facts !== undefined && facts.startTime === startTime && !isZombie(facts)
}
