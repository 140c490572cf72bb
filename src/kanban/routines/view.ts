/** A routine as it is shown, and whether one can be made of what a person has written. */
import type { CatchUp, Routine, RoutineTask } from './routine.ts'

/** As in `hermes kanban routine list --json`. */
export interface RoutineView extends RoutineTask {
  readonly name: string
  readonly cron: string
  readonly tz: string
  readonly catch_up: CatchUp
  readonly paused: boolean
  /** RFC 3339; null: it is paused, or no time follows. */
  readonly next: string | null
  /** Why its times cannot be read; absent: they can. */
  readonly problem?: string
}

/** @param wallMs now */
export async function viewRoutine(
  { name, cron, tz, catchUp, isPaused, task }: Routine,
  wallMs: number,
): Promise<RoutineView> {
  const view = { name, cron, tz, catch_up: catchUp, paused: isPaused, next: null, ...task }
  if (isPaused) return view
  // A board without routines does not pay for the reader of cron fields.
  const { cronTimes } = await import('../../system/text/cron.ts')
  try {
    const nextMs = cronTimes(cron, tz).next(wallMs)
    return { ...view, next: nextMs === undefined ? null : new Date(nextMs).toISOString() }
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    return { ...view, problem: error.message }
  }
}

/** Which of the two names no times; undefined: both are fine. */
export async function wrongTimes(cron: string, tz: string): Promise<'cron' | 'tz' | undefined> {
  const { cronTimes, isCron } = await import('../../system/text/cron.ts')
  if (!isCron(cron)) return 'cron'
  try {
    cronTimes(cron, tz).next(0)
    return undefined
  } catch {
    return 'tz' // the fields are fine, so it is the time zone that croner does not know
  }
}
