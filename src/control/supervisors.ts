import { type Clock, pause } from '../system/clock.ts'
import { HermesError } from '../system/errors.ts'
import type { ControlClient } from './client.ts'
import { withSupervisor } from './slot-actions.ts'

/** Time until the next supervisor is tried. */
const RETRY_MS = 500

export interface FollowFacts {
  readonly clock: Clock
  readonly connect: () => Promise<ControlClient>
}

/**
 * Follows one supervisor after the other, until `signal`.
 * @param follow follows one of them until it ends
 * @param lost called each time before the next one is tried
 */
export async function followSupervisors(
  { connect, clock }: FollowFacts,
  signal: AbortSignal,
  follow: (client: ControlClient) => Promise<void>,
  lost: () => void = () => undefined,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await withSupervisor({ connect }, follow)
    } catch (error) {
      // No supervisor, or one that ends. Anything else is a bug.
      if (!(error instanceof HermesError)) throw error
    }
    if (signal.aborted) return
    lost()
    await pause(clock, RETRY_MS, signal)
  }
}
