/** A routine as both kinds of board keep it. */
import { HermesError } from '../../system/errors.ts'
import { CATCH_UPS, type NewRoutine, type Routine, type RoutineTask, routineName } from './routine.ts'

export type { NewRoutine, Routine }

/** `isPaused: false`: what has passed during the pause is settled. */
export interface RoutineChange {
  readonly isPaused?: boolean
  readonly settledUntilMs?: number
}

export interface Row {
  readonly name: string
  readonly cron: string
  readonly tz: string
  readonly catch_up: string
  /** JSON */
  readonly task: string
  readonly paused: number
  readonly created_by: string
  readonly created_at: number
  readonly settled_until: number
}

export const routineOf = (row: Row): Routine => ({
  name: row.name,
  cron: row.cron,
  tz: row.tz,
  catchUp: CATCH_UPS.find((one) => one === row.catch_up) ?? 'one',
  task: JSON.parse(row.task) as RoutineTask,
  isPaused: row.paused !== 0,
  createdAtMs: row.created_at,
  settledUntilMs: row.settled_until,
})

export const isTaken = (name: string): HermesError =>
  new HermesError('REFUSED', `there is a routine "${name}" already`, { next: `hermes kanban routine show ${name}` })

/** The problem of a row that comes from elsewhere: what a dispatcher could not read would stop every routine. */
export function problemOfRow({ name, catch_up, task }: Row): string | undefined {
  try {
    routineName(name)
    const { title, body, assignee, priority } = JSON.parse(task) as Partial<Record<keyof RoutineTask, unknown>>
    const isTask =
      typeof title === 'string' &&
      typeof body === 'string' &&
      (assignee === null || typeof assignee === 'string') &&
      Number.isSafeInteger(priority)
    if (isTask && CATCH_UPS.some((one) => one === catch_up)) return undefined
  } catch (error) {
    if (!(error instanceof HermesError || error instanceof SyntaxError || error instanceof TypeError)) throw error
  }
  return `the routine ${JSON.stringify(name.slice(0, 80))} is not one that hermes makes`
}
