/** The board of a tick. Every step but the end of a run is one statement. */
import type { Attempt, Claimed, ClaimPlace, FailedSpawn, ReleaseRules, Worker } from '../port/board.ts'
import { type CandidateRow, type RunningRow, type TaskRow, toCandidate, toWaiting } from '../port/rows.ts'
import { rowOfClaim, runEvents, settledTask, spawnFailure } from '../port/run-end.ts'
import { CLAIM_TTL_MS, type RunEnd, type Settlement, settle } from '../running.ts'
import { ANY, type Outcome } from '../task.ts'
import type { Candidate, WaitingTask } from '../tick.ts'
import { record, type Writing } from './changes.ts'
import { type Client, jsonText } from './connection.ts'
import { rows, TASK } from './queries.ts'
import { NOW } from './schema.ts'

const CANDIDATE =
  't.id, t.seq, t.assignee, t.status, t.priority, t.created_at, t.paused_until, t.succeeded_at, t.changed_at, t.open_parents, t.claim_lock, t.needs'
const FREE = `current_run = NULL, claim_lock = NULL, claim_expires_at = NULL, worker_pid = NULL, worker_start_time = NULL,
  heartbeat_at = NULL`
/** Matches the attempt that was read; rows of other tools have no run and are identified by their claim. */
const same = (run: number, lock: number): string =>
  `status = 'running' AND current_run IS NOT DISTINCT FROM $${run}::bigint AND claim_lock IS NOT DISTINCT FROM $${lock}::text`

type EndedRow = Pick<RunningRow, 'id' | 'run_id' | 'claim_lock'>

export const readRunning = (client: Client, s: string): Promise<readonly RunningRow[]> =>
  rows(
    client,
    `SELECT ${CANDIDATE}, t.failures, t.max_retries, t.once, t.pauses, t.started_at, t.heartbeat_at, t.max_runtime_ms,
       (t.result_schema IS NOT NULL AND t.result_json IS NULL)::integer AS lacks_result,
       t.claim_expires_at, t.worker_pid, t.worker_start_time,
       r.id AS run_id, r.host, r.instance, r.slot, r.started_at AS run_started_at, r.profile
     FROM ${s}.tasks t LEFT JOIN ${s}.runs r ON r.id = t.current_run WHERE t.status = 'running' ORDER BY t.seq`,
  )

export async function readPromotable(client: Client, s: string): Promise<readonly WaitingTask[]> {
  const found = await rows<CandidateRow>(
    client,
    `(SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'todo' AND t.open_parents = 0 ORDER BY t.seq)
     UNION ALL
     (SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'scheduled' AND t.scheduled_at <= ${NOW}
      ORDER BY t.scheduled_at)`,
  )
  return found.map(toWaiting)
}

export async function readWaitingChildren(client: Client, s: string, parent: string): Promise<readonly WaitingTask[]> {
  const found = await rows<CandidateRow>(
    client,
    `SELECT ${CANDIDATE} FROM ${s}.links l JOIN ${s}.tasks t ON t.id = l.child
     WHERE l.parent = $1 AND t.status IN ('todo', 'scheduled') ORDER BY t.seq`,
    parent,
  )
  return found.map(toWaiting)
}

export async function readReady(
  client: Client,
  s: string,
  after: Candidate | null,
  limit: number,
): Promise<readonly Candidate[]> {
  const key = after === null ? [-2_000_000_000, 0, 0] : [-after.priority, after.createdAtMs, after.seq]
  const found = await rows<CandidateRow>(
    client,
    `SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'ready' AND t.claim_lock IS NULL
       AND (t.rank, t.created_at, t.seq) > ($1, $2, $3) ORDER BY t.rank, t.created_at, t.seq LIMIT $4`,
    ...key,
    limit,
  )
  return found.map(toCandidate)
}

export async function readAttempt(
  client: Client,
  s: string,
  taskId: string,
  runId: number,
  slot: string,
): Promise<Attempt | undefined> {
  const [run] = await rows<{ current_run: number | null; outcome: Outcome | null; ended_at: number | null }>(
    client,
    `SELECT t.current_run, r.outcome, r.ended_at FROM ${s}.tasks t JOIN ${s}.runs r ON r.task_id = t.id
     WHERE t.id = $1 AND r.id = $2 AND r.slot = $3`,
    taskId,
    runId,
    slot,
  )
  return run && { currentRun: run.current_run, outcome: run.outcome, endedAtMs: run.ended_at }
}

export async function readTaskOfSlot(client: Client, s: string, slot: string): Promise<string | undefined> {
  const [task] = await rows<{ id: string }>(
    client,
    `SELECT t.id FROM ${s}.tasks t JOIN ${s}.runs r ON r.id = t.current_run WHERE t.status = 'running' AND r.slot = $1`,
    slot,
  )
  return task?.id
}

export async function extendClaim({ client, s }: Writing, row: EndedRow): Promise<boolean> {
  const found = await rows(
    client,
    `WITH moved AS (
       UPDATE ${s}.tasks SET claim_expires_at = ${NOW} + ${CLAIM_TTL_MS} WHERE id = $1 AND ${same(2, 3)} RETURNING id
     ) INSERT INTO ${s}.events (task_id, run_id, kind, at) SELECT id, $2::bigint, 'claim_extended', ${NOW} FROM moved
     RETURNING id`,
    row.id,
    row.run_id,
    row.claim_lock,
  )
  return found.length > 0
}

export async function endRun(on: Writing, row: EndedRow, end: RunEnd, settlement: Settlement): Promise<boolean> {
  const { client, s } = on
  const isCompleted = end.outcome === 'completed'
  const { rowCount } = await client.query(
    `UPDATE ${s}.tasks SET status = $4, failures = $5, pauses = $6,
       paused_until = CASE WHEN $7 THEN $8::bigint ELSE paused_until END,
       last_error = CASE WHEN $9 THEN NULL ELSE coalesce($10, last_error) END,
       result = CASE WHEN $9 THEN coalesce($11, result) ELSE result END,
       completed_at = CASE WHEN $12 THEN ${NOW} ELSE completed_at END,
       succeeded_at = CASE WHEN $9 THEN ${NOW} ELSE succeeded_at END, ${FREE}
     WHERE id = $1 AND ${same(2, 3)}`,
    [
      row.id,
      row.run_id,
      row.claim_lock,
      settlement.status,
      settlement.failures,
      settlement.pauses,
      isCompleted || settlement.pausedUntilMs !== null,
      settlement.pausedUntilMs,
      isCompleted,
      settlement.reason ?? end.error ?? null,
      end.summary ?? null,
      settlement.status === 'done',
    ],
  )
  if (rowCount === 0) return false
  await client.query(
    `UPDATE ${s}.runs SET outcome = $2, ended_at = ${NOW}, exit_code = $3, signal = $4, summary = $5, error = $6
     WHERE id = $1 AND ended_at IS NULL`,
    [row.run_id, end.outcome, end.exitCode ?? null, end.signal ?? null, end.summary ?? null, end.error ?? null],
  )
  for (const { kind, payload } of runEvents(end, settlement)) await record(on, row.id, kind, payload, row.run_id)
  return true
}

export async function promote({ client, s }: Writing, id: string, from: string, to: string): Promise<boolean> {
  const found = await rows(
    client,
    `WITH moved AS (
       UPDATE ${s}.tasks SET status = $3 WHERE id = $1 AND status = $2 AND (open_parents = 0) = ($3 = 'ready')
         AND (status = 'todo' OR scheduled_at <= ${NOW}) RETURNING id
     ) INSERT INTO ${s}.events (task_id, kind, payload, at)
     SELECT id, 'promoted', json_build_object('from', $2::text, 'to', $3::text), ${NOW} FROM moved RETURNING id`,
    id,
    from,
    to,
  )
  return found.length > 0
}

export async function assignDefault({ client, s }: Writing, id: string, assignee: string): Promise<boolean> {
  const payload = jsonText({ assignee, source: 'kanban.default_assignee' })
  const found = await rows(
    client,
    `WITH moved AS (
       UPDATE ${s}.tasks SET assignee = $2 WHERE id = $1 AND status = 'ready' AND trim(coalesce(assignee, '')) = ''
       RETURNING id
     ) INSERT INTO ${s}.events (task_id, kind, payload, at) SELECT id, 'assigned', $3::json, ${NOW} FROM moved
     RETURNING id`,
    id,
    assignee,
    payload,
  )
  return found.length > 0
}

/**
 * Claims in one statement. The row is locked in a CTE: a subquery of the UPDATE itself can run per row and claim more
 * than one. SKIP LOCKED: a task that another process changes now is not ours, and the next tick looks again.
 */
export async function claim(
  { client, s }: Writing,
  id: string,
  assignee: string,
  where: ClaimPlace,
): Promise<Claimed | undefined> {
  const [found] = await rows<TaskRow & { readonly run_id: number; readonly slot: string; readonly lock: string }>(
    client,
    `WITH picked AS (
       SELECT ${TASK}, nextval(pg_get_serial_sequence($5, 'id')) AS run_id FROM ${s}.tasks t
       WHERE id = $1 AND status = 'ready' AND claim_lock IS NULL AND assignee IN ($2, '${ANY}') FOR NO KEY UPDATE SKIP LOCKED
     ), run AS (
       INSERT INTO ${s}.runs (id, task_id, profile, started_at, host, instance, slot) OVERRIDING SYSTEM VALUE
       SELECT run_id, id, $2, ${NOW}, $3, $4, 'job-' || id || '-' || run_id FROM picked RETURNING id, task_id, slot
     ), moved AS (
       UPDATE ${s}.tasks t SET status = 'running', started_at = ${NOW}, heartbeat_at = NULL, current_run = run.id,
         claim_lock = $3 || ':' || $4 || ':' || run.id, claim_expires_at = ${NOW} + ${CLAIM_TTL_MS}
       FROM run WHERE t.id = run.task_id RETURNING t.claim_lock AS lock
     ), event AS (
       INSERT INTO ${s}.events (task_id, run_id, kind, payload, at)
       SELECT task_id, id, 'claimed', json_build_object('assignee', $2::text, 'slot', slot), ${NOW} FROM run
     )
     SELECT picked.*, run.slot, moved.lock FROM picked, run, moved`,
    id,
    assignee,
    where.host,
    where.instance,
    `${s}.runs`,
  )
  if (found === undefined) return undefined
  const { run_id: runId, slot, lock: claimLock, ...row } = found
  return { row, runId, slot, claimLock }
}

export async function recordWorker(
  { client, s }: Writing,
  id: string,
  runId: number,
  worker: Worker | undefined,
  workspace: string,
): Promise<void> {
  await client.query(
    `WITH moved AS (
       UPDATE ${s}.tasks SET worker_pid = $3, worker_start_time = $4
       WHERE id = $1 AND status = 'running' AND current_run = $2 RETURNING id
     ) INSERT INTO ${s}.events (task_id, run_id, kind, payload, at)
     SELECT id, $2, 'spawned', $5::json, ${NOW} FROM moved`,
    [
      id,
      runId,
      worker?.pid ?? null,
      worker?.startTime ?? null,
      jsonText({ workspace, ...(worker && { pid: worker.pid }) }),
    ],
  )
}

export async function releaseClaim(
  on: Writing,
  claimed: Claimed,
  failed: FailedSpawn,
  rules: ReleaseRules,
  wallMs: number,
): Promise<Settlement> {
  const end = spawnFailure(failed)
  const settlement = settle(settledTask(claimed), end, rules, wallMs)
  await endRun(on, rowOfClaim(claimed), end, settlement)
  return settlement
}
