/** The record of a run's end, the same in every adapter. Pure. */
import type { Rules } from '../rules.ts'
import { type RunEnd, type Settlement, settle } from '../running.ts'
import type { Claimed, TickWrite } from './tick-writes.ts'

export interface FailedSpawn {
  readonly failure: boolean
  readonly error: string
}

export interface RunEvent {
  readonly kind: string
  readonly payload: Readonly<Record<string, unknown>>
}

export function runEvents(end: RunEnd, settlement: Settlement): readonly RunEvent[] {
  const { outcome, failure, exitCode, signal, error } = end
  const payload = {
    to: settlement.status,
    ...(exitCode === undefined ? {} : { exit_code: exitCode }),
    ...(signal === undefined ? {} : { signal }),
    ...(error === undefined ? {} : { error }),
    ...(failure ? { failures: settlement.failures } : {}),
  }
  const ended = { kind: settlement.status === 'review' ? 'review' : outcome, payload }
  if (!settlement.autoBlocked) return [ended]
  return [
    ended,
    { kind: 'auto_blocked', payload: { failures: settlement.failures, reason: settlement.reason ?? error ?? outcome } },
  ]
}

/**
 * The end of a claim when no worker could be started. `failure` false: nothing to blame, as if the task had not been
 * claimed.
 */
export function endOfClaim(
  { row, runId, claimLock }: Claimed,
  { failure, error }: FailedSpawn,
  rules: Pick<Rules, 'failureLimit' | 'requireReview'>,
  wallMs: number,
): Extract<TickWrite, { readonly type: 'end' }> {
  const end: RunEnd = {
    outcome: failure ? 'spawn_failed' : 'reclaimed',
    failure,
    stop: false,
    unstarted: true,
    error,
  }
  const task = {
    failures: row.failures,
    maxRetries: row.max_retries,
    once: row.once === 1,
    pauses: row.pauses,
    openParents: row.open_parents,
  }
  const settlement = settle(task, end, rules, wallMs)
  return { type: 'end', row: { id: row.id, run_id: runId, claim_lock: claimLock }, end, settlement }
}
