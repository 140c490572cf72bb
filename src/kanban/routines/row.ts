/** A routine as both kinds of board keep it. */
import { HermesError } from '../../system/errors.ts'
import type { CatchUp, NewRoutine, Routine, RoutineTask } from './routine.ts'

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
  readonly catch_up: CatchUp
  /** JSON */
  readonly task: string
  readonly paused: number
  readonly created_at: number
  readonly settled_until: number
}

export const routineOf = (row: Row): Routine => ({
  name: row.name,
  cron: row.cron,
  tz: row.tz,
  catchUp: row.catch_up,
  task: JSON.parse(row.task) as RoutineTask,
  isPaused: row.paused !== 0,
  createdAtMs: row.created_at,
  settledUntilMs: row.settled_until,
})

export const isTaken = (name: string): HermesError =>
  new HermesError('REFUSED', `there is a routine "${name}" already`, { next: `hermes kanban routine show ${name}` })
