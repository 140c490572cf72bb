/** Reads for a tick: all at once by a function of the server, and piece by piece. */
import type { Attempt } from '../port/board.ts'
import { attemptOfDeleted, DELETED } from '../port/changes.ts'
import { type CandidateRow, type RunningRow, toCandidate, toWaiting } from '../port/rows.ts'
import type { Outcome } from '../task.ts'
import type { Candidate, WaitingTask } from '../tick.ts'
import type { Client } from './connection.ts'
import { rows } from './queries.ts'
import { NOW } from './schema.ts'

export const CANDIDATE =
  't.id, t.seq, t.assignee, t.status, t.priority, t.created_at, t.paused_until, t.succeeded_at, t.changed_at, t.open_parents, t.claim_lock, t.needs'

/** Columns of a running task, and its run. */
export const running = (
  s: string,
): string => `${CANDIDATE}, t.failures, t.max_retries, t.once, t.pauses, t.started_at, t.heartbeat_at,
  t.max_runtime_ms, (t.result_schema IS NOT NULL AND t.result_json IS NULL)::integer AS lacks_result,
  t.claim_expires_at, t.worker_pid, t.worker_start_time,
  NOT EXISTS (SELECT 1 FROM ${s}.links l WHERE l.parent = t.id) AS childless,
  r.id AS run_id, r.host, r.instance, r.slot, r.started_at AS run_started_at, r.profile`

/** The function's body. @param s the board's schema, quoted */
export const readsBody = (s: string): string => `
DECLARE
  running json; promotable json; ready json;
BEGIN
  SELECT coalesce(json_agg(x), '[]') INTO running FROM (
    SELECT ${running(s)} FROM ${s}.tasks t
    LEFT JOIN LATERAL (SELECT * FROM ${s}.runs WHERE id = t.current_run AND task_id = t.id OFFSET 0) r ON true
    WHERE t.status = 'running' ORDER BY t.seq
  ) x;
  SELECT coalesce(json_agg(x), '[]') INTO promotable FROM (
    (SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'todo' AND t.open_parents = 0 ORDER BY t.seq)
    UNION ALL
    (SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'scheduled' AND t.scheduled_at <= ${NOW}
     ORDER BY t.scheduled_at)
  ) x;
  SELECT coalesce(json_agg(x), '[]') INTO ready FROM (
    SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'ready' AND t.claim_lock IS NULL
    ORDER BY t.rank, t.created_at, t.seq LIMIT page
  ) x;
  RETURN json_build_object('wallMs', ${NOW}, 'running', running, 'promotable', promotable, 'ready', ready);
END`

export const readRunning = (client: Client, s: string): Promise<readonly RunningRow[]> =>
  rows(
    client,
    `SELECT ${running(s)} FROM ${s}.tasks t LEFT JOIN ${s}.runs r ON r.id = t.current_run
     WHERE t.status = 'running' ORDER BY t.seq`,
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
  if (run !== undefined) return { currentRun: run.current_run, outcome: run.outcome, endedAtMs: run.ended_at }
  const [gone] = await rows<{ at: number }>(
    client,
    `SELECT at FROM ${s}.events WHERE task_id = $1 AND kind = '${DELETED}' LIMIT 1`,
    taskId,
  )
  return gone && attemptOfDeleted(gone.at)
}

export async function readTaskOfSlot(client: Client, s: string, slot: string): Promise<string | undefined> {
  const [task] = await rows<{ id: string }>(
    client,
    `SELECT t.id FROM ${s}.tasks t JOIN ${s}.runs r ON r.id = t.current_run WHERE t.status = 'running' AND r.slot = $1`,
    slot,
  )
  return task?.id
}
