/** The steps of a tick, as transactions. Each changes the row only if it is still what the tick has read. */

import type { TaskRow } from '../port/rows.ts'
import { runEvents } from '../port/run-end.ts'
import type { Claimed, ClaimPlace, EndedRow, Worker } from '../port/tick-writes.ts'
import { CLAIM_TTL_MS, type RunEnd, type Settlement } from '../running.ts'
import { ANY, jobSlot } from '../task.ts'
import { record } from './events.ts'
import type { Tables } from './tables.ts'

const FREE = `current_run = NULL, claim_lock = NULL, claim_expires_at = NULL, worker_pid = NULL, worker_start_time = NULL,
  heartbeat_at = NULL`
/** Matches the attempt that was read; rows of other tools have no run and are identified by their claim. */
const SAME = "id = ? AND status = 'running' AND current_run IS ? AND claim_lock IS ?"

/** @returns false if the row has changed in the meantime */
export function extendClaim({ unsynced: tables }: Tables, row: EndedRow, wallMs: number): boolean {
  return tables.write(() => {
    const { changes } = tables.run(
      `UPDATE tasks SET claim_expires_at = ? WHERE ${SAME}`,
      wallMs + CLAIM_TTL_MS,
      row.id,
      row.run_id,
      row.claim_lock,
    )
    if (changes > 0) record(tables, row.id, 'claim_extended', wallMs, {}, row.run_id)
    return changes > 0
  })
}

/** Ends a run and moves its task. */
export function endRun(tables: Tables, row: EndedRow, end: RunEnd, settlement: Settlement, wallMs: number): boolean {
  return tables.write(() => {
    const completed = end.outcome === 'completed'
    const { changes } = tables.run(
      `UPDATE tasks SET status = ?, failures = ?, pauses = ?, paused_until = CASE WHEN ? THEN ? ELSE paused_until END,
         last_error = CASE WHEN ? THEN NULL ELSE coalesce(?, last_error) END,
         result = CASE WHEN ? THEN coalesce(?, result) ELSE result END,
         completed_at = CASE WHEN ? THEN ? ELSE completed_at END,
         succeeded_at = CASE WHEN ? THEN ? ELSE succeeded_at END, ${FREE}
       WHERE ${SAME}`,
      settlement.status,
      settlement.failures,
      settlement.pauses,
      Number(completed || settlement.pausedUntilMs !== null),
      settlement.pausedUntilMs,
      Number(completed),
      settlement.reason ?? end.error ?? null,
      Number(completed),
      end.summary ?? null,
      Number(settlement.status === 'done'),
      wallMs,
      Number(completed),
      wallMs,
      row.id,
      row.run_id,
      row.claim_lock,
    )
    if (changes === 0) return false
    tables.run(
      'UPDATE runs SET outcome = ?, ended_at = ?, exit_code = ?, signal = ?, summary = ?, error = ? WHERE id = ? AND ended_at IS NULL',
      end.outcome,
      wallMs,
      end.exitCode ?? null,
      end.signal ?? null,
      end.summary ?? null,
      end.error ?? null,
      row.run_id,
    )
    for (const { kind, payload } of runEvents(end, settlement))
      record(tables, row.id, kind, wallMs, payload, row.run_id)
    return true
  })
}

export function promote(
  tables: Tables,
  id: string,
  from: 'todo' | 'scheduled',
  to: 'ready' | 'todo',
  wallMs: number,
): boolean {
  return tables.write(() => {
    const { changes } = tables.run(
      `UPDATE tasks SET status = ? WHERE id = ? AND status = ? AND (open_parents = 0) = ?
         AND (status = 'todo' OR scheduled_at <= ?)`,
      to,
      id,
      from,
      Number(to === 'ready'),
      wallMs,
    )
    if (changes > 0) record(tables, id, 'promoted', wallMs, { from, to })
    return changes > 0
  })
}

/** Assigns the fallback assignee if the task is still unassigned. */
export function assignDefault(tables: Tables, id: string, assignee: string, wallMs: number): boolean {
  return tables.write(() => {
    const { changes } = tables.run(
      "UPDATE tasks SET assignee = ? WHERE id = ? AND status = 'ready' AND (assignee IS NULL OR trim(assignee) = '')",
      assignee,
      id,
    )
    if (changes > 0) record(tables, id, 'assigned', wallMs, { assignee, source: 'kanban.default_assignee' })
    return changes > 0
  })
}

/**
 * Claims a ready task; from here on it is running, whatever happens to this process. @returns undefined if another
 * dispatcher was faster
 */
export function claim(
  tables: Tables,
  id: string,
  assignee: string,
  where: ClaimPlace,
  wallMs: number,
): Claimed | undefined {
  return tables.write(() => {
    const found = tables.get<TaskRow>(
      `SELECT * FROM tasks WHERE id = ? AND status = 'ready' AND claim_lock IS NULL AND assignee IN (?, '${ANY}')`,
      id,
      assignee,
    )
    if (found === undefined) return undefined
    const { id: runId } = tables.run(
      'INSERT INTO runs (task_id, profile, started_at, host, instance) VALUES (?, ?, ?, ?, ?)',
      id,
      assignee,
      wallMs,
      where.host,
      where.instance,
    )
    const slot = jobSlot(id, runId)
    const claimLock = `${where.host}:${where.instance}:${runId}`
    tables.run('UPDATE runs SET slot = ? WHERE id = ?', slot, runId)
    tables.run(
      `UPDATE tasks SET status = 'running', started_at = ?, heartbeat_at = NULL, current_run = ?, claim_lock = ?,
         claim_expires_at = ? WHERE id = ?`,
      wallMs,
      runId,
      claimLock,
      wallMs + CLAIM_TTL_MS,
      id,
    )
    record(tables, id, 'claimed', wallMs, { assignee, slot }, runId)
    return { row: found, runId, slot, claimLock }
  })
}

/** Records that the worker runs, and its process as far as known. */
export function recordWorker(
  tables: Tables,
  id: string,
  runId: number,
  worker: Worker | undefined,
  workspace: string,
  wallMs: number,
): void {
  tables.write(() => {
    const { changes } = tables.run(
      "UPDATE tasks SET worker_pid = ?, worker_start_time = ? WHERE id = ? AND status = 'running' AND current_run = ?",
      worker?.pid ?? null,
      worker?.startTime ?? null,
      id,
      runId,
    )
    if (changes > 0) record(tables, id, 'spawned', wallMs, { workspace, ...(worker && { pid: worker.pid }) }, runId)
  })
}
