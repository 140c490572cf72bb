/** Makes the tasks of a board's routines whose time has come. */
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { dueTimes, keyOf, type Routine, type RoutineTask } from './routine.ts'
import type { RoutineChange } from './row.ts'

/** The board, as far as routines need it. */
export interface RoutineBoard {
  routines(): Promise<readonly Routine[]>
  changeRoutine(name: string, change: RoutineChange, wallMs: number): Promise<boolean>
  create(
    task: RoutineTask & { readonly idempotencyKey?: string },
    actor: { readonly name: string; readonly wallMs: number },
  ): Promise<{ readonly task: { readonly id: string }; readonly created: boolean }>
  wallMs(clock: Clock): Promise<number>
}

export interface RoutinesDone {
  /** A line for each task that was made. */
  readonly made: readonly string[]
  /** Problems of single routines; the others are not affected. */
  readonly warnings: readonly string[]
  /** By the clock of this machine; undefined: no time follows. */
  readonly nextAtMs: number | undefined
}

/**
 * The board has one task for each time, whichever of several dispatchers makes it: the time is the task's idempotency
 * key. Only then it counts as settled, so a dispatcher that is killed in between loses no task.
 */
export async function runRoutines(board: RoutineBoard, clock: Clock): Promise<RoutinesDone> {
  const made: string[] = []
  const warnings: string[] = []
  let next: number | undefined
  const routines = await board.routines()
  if (routines.length === 0) return { made, warnings, nextAtMs: undefined }
  // A board without routines does not pay for the reader of cron fields.
  const { cronTimes } = await import('../../system/text/cron.ts')
  const nowMs = await board.wallMs(clock)
  const aheadMs = nowMs - clock.wallMs()
  for (const routine of routines) {
    try {
      const times = cronTimes(routine.cron, routine.tz)
      const { due, settledUntilMs } = dueTimes(routine, times, nowMs)
      for (const dueAtMs of due) {
        const { task, created } = await makeTask(board, routine, nowMs, keyOf(routine.name, dueAtMs))
        if (created) made.push(`routine ${routine.name}, ${new Date(dueAtMs).toISOString()}: ${task.id}`)
      }
      if (settledUntilMs > routine.settledUntilMs) await board.changeRoutine(routine.name, { settledUntilMs }, nowMs)
      const after = routine.isPaused ? undefined : times.next(Math.max(nowMs, settledUntilMs))
      if (after !== undefined) next = Math.min(next ?? after, after)
    } catch (error) {
      if (!(error instanceof HermesError && error.code !== 'FAILED') && !(error instanceof TypeError)) throw error
      warnings.push(`routine ${routine.name}: ${error.message}`)
    }
  }
  return { made, warnings, nextAtMs: next === undefined ? undefined : next - aheadMs }
}

/** @param key of the time; absent: a task more */
export const makeTask = (board: Pick<RoutineBoard, 'create'>, { name, task }: Routine, wallMs: number, key?: string) =>
  board.create({ ...task, ...(key !== undefined && { idempotencyKey: key }) }, { name: `routine ${name}`, wallMs })
