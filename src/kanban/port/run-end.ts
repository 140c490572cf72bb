/** The record of a run's end, the same in every adapter. Pure. */
import type { RunEnd, Settlement } from '../running.ts'
import type { Claimed, FailedSpawn } from './board.ts'
import type { RunningRow } from './rows.ts'

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

/** The end of a run whose worker could not be started. */
export const spawnFailure = ({ failure, error }: FailedSpawn): RunEnd => ({
  outcome: failure ? 'spawn_failed' : 'reclaimed',
  failure,
  stop: false,
  unstarted: true,
  error,
})

/** The attempt of a claim, as far as its end needs it. */
export const rowOfClaim = ({ row, runId, claimLock }: Claimed): Pick<RunningRow, 'id' | 'run_id' | 'claim_lock'> => ({
  id: row.id,
  run_id: runId,
  claim_lock: claimLock,
})

/** The facts that the settlement of a claim depends on. */
export const settledTask = ({ row }: Claimed) => ({
  failures: row.failures,
  maxRetries: row.max_retries,
  once: row.once === 1,
  pauses: row.pauses,
  openParents: row.open_parents,
})
