/** Reads for a tick, piece by piece. */
import type { Attempt } from '../port/board.ts'
import { attemptOfDeleted, DELETED } from '../port/changes.ts'
import { type CandidateRow, type RunningRow, toCandidate, toWaiting } from '../port/rows.ts'
import type { Outcome } from '../task.ts'
import type { Candidate, WaitingTask } from '../tick.ts'
import type { Client } from './connection.ts'
import { rows } from './queries.ts'
import { NOW } from './schema.ts'
import { CANDIDATE, running } from './tick-functions.ts'

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
