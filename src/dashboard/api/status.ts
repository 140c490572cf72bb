import { NOTHING } from '../../access/scope.ts'
import { countActiveSessions } from '../../gateway/sessions/reading.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import { gatewayStateOf } from '../../profile/state/state.ts'
import type { StatusResult } from '../../protocol/control.ts'
import { HermesError } from '../../system/errors.ts'
import { isGatewaySlot } from '../../system/paths.ts'
import type { Handlers } from '../contract/handler.ts'
import type { Status } from '../contract/slots.ts'
import { narrowedStatus } from '../live/narrowed.ts'
import { type ApiFacts, askStatus } from './facts.ts'

/** A conversation is active for so long after its last message. */
const ACTIVE_MS = 300_000
/** Probes come every few seconds; a hundred profiles' databases need not be opened for each. */
const COUNT_AGAIN_MS = 10_000

export function statusHandlers(facts: ApiFacts): Pick<Handlers, 'status'> {
  let counted = { atMs: Number.NEGATIVE_INFINITY, sessions: 0 }
  const activeSessions = (): number => {
    const nowMs = facts.clock.nowMs()
    if (nowMs - counted.atMs >= COUNT_AGAIN_MS) {
      const sinceMs = facts.clock.wallMs() - ACTIVE_MS
      const dirs = listProfiles(facts.home).profiles.map(({ dir }) => dir)
      counted = { atMs: nowMs, sessions: dirs.reduce((sum, dir) => sum + countActiveSessions(dir, sinceMs), 0) }
    }
    return counted.sessions
  }
  return {
    status: async ({ trusted, rights = NOTHING }) => {
      const status = await statusIfAny(facts)
      const body = { ...publicStatus(facts, status), active_sessions: activeSessions() }
      return {
        status: 200,
        body: trusted && status !== undefined ? { ...body, details: narrowedStatus(status, rights) } : body,
      }
    },
  }
}

/** Being restarted, or gone: the page reports that, and a probe sees that no gateway runs. */
export async function statusIfAny(facts: ApiFacts): Promise<StatusResult | undefined> {
  try {
    return await askStatus(facts)
  } catch (error) {
    if (error instanceof HermesError) return undefined
    throw error
  }
}

/** Safe for an uptime probe, for anyone with curl: no paths, no pids, no names of profiles. */
function publicStatus(
  { gate, version }: ApiFacts,
  status: StatusResult | undefined,
): Omit<Status, 'active_sessions' | 'details'> {
  const gateways = (status?.slots ?? []).filter(isGatewaySlot)
  const main = gateways.find(({ profile }) => profile === 'default')
  return {
    version,
    auth_required: gate.kind === 'login',
    auth_providers: gate.kind === 'login' ? [...gate.providers] : [],
    gateway_running: main?.state === 'up',
    ...(main && { gateway_state: gatewayStateOf[main.state], gateway_updated_at: main.since }),
    profiles: {
      total: gateways.length,
      running: gateways.filter(({ state }) => state === 'up').length,
      parked: gateways.filter(({ state }) => state === 'parked').length,
    },
  }
}
