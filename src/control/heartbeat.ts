import type { Cancel, Clock } from '../system/clock.ts'
import { HermesError } from '../system/errors.ts'
import type { ControlClient } from './client.ts'

/** Delay after a failure, for example while the supervisor is being replaced. */
const AGAIN_MS = 1000

/**
 * Sends heartbeats to the supervisor while this helper's event loop turns; a helper that is silent for 30 s is
 * restarted. On a connection of its own that stays open, so that others who use up the connections do not make a helper
 * look dead.
 * @returns a function that ends the heartbeats
 */
export function heartbeat(slot: string, connect: () => Promise<ControlClient>, clock: Clock): () => void {
  let client: ControlClient | undefined
  let cancel: Cancel | undefined
  let ended = false
  const beat = async (): Promise<void> => {
    let pauseMs = AGAIN_MS
    try {
      client ??= await connect()
      pauseMs = (await client.request('alive', { slot })).againMs
    } catch (error) {
      client?.close()
      client = undefined
      if (!(error instanceof HermesError)) throw error
    }
    if (ended) client?.close()
    else cancel = clock.at(clock.nowMs() + pauseMs, () => void beat())
  }
  void beat()
  return () => {
    ended = true
    cancel?.()
    client?.close()
  }
}
