/** Observes workers: by the supervisor's jobs if it can be asked, else in the process table. */

import type { Clock } from '../../system/clock.ts'
import { readLiving } from '../../system/programs/proc.ts'
import type { JobState, Jobs } from '../jobs/jobs.ts'
import { keptResult, keptSlots } from '../jobs/kept-results.ts'
import { outputSince } from '../jobs/output-tail.ts'
import type { RunPlace } from '../nodes/other-nodes.ts'
import type { Board } from '../port/board.ts'
import type { RunningRow } from '../port/rows.ts'
import type { ObservedWorker } from '../running.ts'
import { taskLog } from '../store/places.ts'
import { parseJobSlot } from '../task.ts'

/** Time that a worker may take to exit after it has reported that its task is done. */
const EXIT_GRACE_MS = 60_000

export async function observeWorker(
  row: RunningRow,
  home: string,
  host: string,
  jobs: Jobs | null,
  place?: RunPlace,
): Promise<ObservedWorker> {
  if (place !== undefined) return { state: 'elsewhere', ...place }
  if (row.slot) {
    const ours = jobs !== null && row.instance === jobs.instance
    const asked: JobState = ours ? await jobs.look(row.slot) : { state: 'none' }
    const job = asked.state === 'none' ? keptResult(home, row.slot) : asked
    if (job.state === 'running') return { state: 'alive', pid: job.pid ?? null }
    if (job.state === 'ended') {
      const { state, exitCode, signal, asked, reason } = job
      if (reason !== undefined) return { state, exitCode, signal, asked, output: '', reason }
      const output = outputSince(taskLog(home, row.id), row.run_started_at ?? 0)
      return { state, exitCode, signal, asked, output }
    }
  }
  // Other tools' claims name no host; assume that they are on this one.
  if (row.host !== null && row.host !== '' && row.host !== host) return { state: 'unknown' }
  if (row.worker_pid === null) return { state: 'gone' }
  const startTime = readLiving(row.worker_pid)?.startTime
  const same = startTime !== undefined && (row.worker_start_time === null || row.worker_start_time === startTime)
  return same ? { state: 'alive', pid: row.worker_pid } : { state: 'gone' }
}

export interface LeftoverJobs {
  /** Jobs of runs that are over and still have a process to stop. */
  readonly stop: readonly string[]
  /** Jobs that have ended, and files of earlier lives, whose runs are over: remove them. */
  readonly take: readonly string[]
  /** Tasks with a process of an earlier run. */
  readonly ending: ReadonlySet<string>
}

/**
 * Jobs of this board that are not the current run of a task: workers that outlived their claim, and results that are no
 * longer needed.
 */
export async function leftoverJobs(board: Board, home: string, jobs: Jobs, clock: Clock): Promise<LeftoverJobs> {
  const stop: string[] = []
  const take: string[] = []
  const ending = new Set<string>()
  for (const slot of new Set([...(await jobs.list()), ...keptSlots(home)])) {
    const job = parseJobSlot(slot)
    if (job === undefined) continue
    const run = await board.attempt(job.taskId, job.runId, slot)
    // Another board's, or the current run's.
    if (run === undefined || run.currentRun === job.runId) continue
    const seen = await jobs.look(slot)
    if (seen.state !== 'running') {
      take.push(slot)
      continue
    }
    ending.add(job.taskId)
    const own = run.outcome === 'completed' || run.outcome === 'blocked'
    if (!own || clock.wallMs() - (run.endedAtMs ?? 0) > EXIT_GRACE_MS) stop.push(slot)
  }
  return { stop, take, ending }
}
