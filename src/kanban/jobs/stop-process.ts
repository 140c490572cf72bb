import { type Clock, pause } from '../../system/clock.ts'
import { readLiving } from '../../system/programs/proc.ts'
import type { RunningRow } from '../port/rows.ts'
import { WORKER_STOP_MS } from './jobs.ts'

const LOOK_MS = 10

/** Ends the process of a run that another tool has started, and waits until it is gone. */
export async function stopProcess(row: RunningRow, clock: Clock): Promise<void> {
  const pid = row.worker_pid
  if (pid === null) return
  const lives = (): boolean => {
    const startTime = readLiving(pid)?.startTime
    return startTime !== undefined && (row.worker_start_time === null || startTime === row.worker_start_time)
  }
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!lives()) return
    process.kill(pid, signal)
    const untilMs = clock.nowMs() + WORKER_STOP_MS
    while (lives() && clock.nowMs() < untilMs) await pause(clock, LOOK_MS)
  }
}
