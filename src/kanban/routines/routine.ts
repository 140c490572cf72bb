/** A routine: a task that is made again and again, at times that cron fields name. */
import { HermesError } from '../../system/errors.ts'

export const CATCH_UPS = ['none', 'one', 'all'] as const
/** Tasks for times that have passed while nothing looked at them. */
export type CatchUp = (typeof CATCH_UPS)[number]

/** The tasks that a routine makes. */
export interface RoutineTask {
  readonly title: string
  readonly body: string
  readonly assignee: string | null
  readonly priority: number
}

export interface NewRoutine {
  readonly name: string
  /** Five or six fields. */
  readonly cron: string
  /** IANA name of the time zone. */
  readonly tz: string
  readonly catchUp: CatchUp
  readonly task: RoutineTask
}

export interface Routine extends NewRoutine {
  readonly isPaused: boolean
  readonly createdAtMs: number
  /** Times up to this one are settled. It never moves back, whatever a clock does. */
  readonly settledUntilMs: number
}

/** The times of a routine. */
export interface CronTimes {
  /** The first time after an instant; undefined: none follows. */
  next(afterMs: number): number | undefined
  /** The last time before an instant. */
  previous(beforeMs: number): number | undefined
}

/** A time that is looked at no later than this was not missed. */
export const ON_TIME_MS = 5 * 60_000
/** Tasks of missed times that are made at once; of more, the newest. */
export const MOST_AT_ONCE = 100

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/

/** @throws HermesError USAGE */
export function routineName(text: string): string {
  if (NAME.test(text)) return text
  throw new HermesError('USAGE', `${JSON.stringify(text.slice(0, 80))} is not a name of a routine`, {
    next: 'use up to 64 lower-case letters, digits, - and _',
  })
}

/** The same for each time of a routine, so that the board has one task of it, however many dispatchers make it. */
export const keyOf = (name: string, dueAtMs: number): string => `routine:${name}:${new Date(dueAtMs).toISOString()}`

/**
 * The times for which a routine makes a task now, oldest first, and until when its times are settled then.
 * @param nowMs by the clock of the board
 */
export function dueTimes(
  { catchUp, isPaused, settledUntilMs }: Pick<Routine, 'catchUp' | 'isPaused' | 'settledUntilMs'>,
  times: CronTimes,
  nowMs: number,
): { readonly due: readonly number[]; readonly settledUntilMs: number } {
  const first = isPaused ? undefined : times.next(settledUntilMs)
  // Also after a clock was put back: what has been settled stays so.
  if (first === undefined || first > nowMs) return { due: [], settledUntilMs }
  const most = catchUp === 'all' ? MOST_AT_ONCE : 1
  const due: number[] = []
  // In steps of a second: a time that is now counts.
  let at = times.previous(nowMs + 1000)
  while (at !== undefined && at > settledUntilMs && due.length < most) {
    if (at <= nowMs) due.unshift(at)
    at = times.previous(at)
  }
  const last = due.at(-1) ?? first
  const isMissed = nowMs - last > ON_TIME_MS
  return { due: catchUp === 'none' && isMissed ? [] : due, settledUntilMs: last }
}
