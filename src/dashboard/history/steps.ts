/** The history of a slot as plots want it: one value a step, for a whole day. Pure. */
import { type Point, RING_MINUTES } from './ring.ts'

/** One entry a step, the oldest first; null: the dashboard did not run then, or could not know. */
export interface Steps {
  /** When the first step began, in minutes of Unix time. */
  readonly fromMinute: number
  readonly stepMinutes: number
  /** In cores, on average. */
  readonly cpu: readonly (number | null)[]
  /** The most there was. */
  readonly memoryBytes: readonly (number | null)[]
  readonly restarts: readonly (number | null)[]
  /** The most tasks that waited. */
  readonly queued: readonly (number | null)[]
}

/**
 * Adds the points of the day before `nowMinute` up. Steps begin at multiples of their length, so that the same minute
 * is in the same step whenever it is asked for; the last one contains `nowMinute` and may be short.
 * @param stepMinutes a divisor of a day
 */
export function inSteps(points: readonly Point[], stepMinutes: number, nowMinute: number): Steps {
  const count = RING_MINUTES / stepMinutes
  const last = Math.floor(nowMinute / stepMinutes)
  const first = last - count + 1
  const groups = Map.groupBy(points, ({ minute }) => Math.floor(minute / stepMinutes) - first)
  const each = (value: (group: readonly Point[]) => number | null): readonly (number | null)[] =>
    Array.from({ length: count }, (_, i) => {
      const group = groups.get(i)
      return group === undefined ? null : value(group)
    })
  return {
    fromMinute: first * stepMinutes,
    stepMinutes,
    cpu: each((group) => Math.round(sum(group.map(({ cpuMillis }) => cpuMillis)) / group.length) / 1000),
    memoryBytes: each((group) => Math.max(...group.map(({ memoryKiB }) => memoryKiB)) * 1024),
    restarts: each((group) => sum(group.map(({ restarts }) => restarts))),
    queued: each((group) => {
      const known = group.flatMap(({ queued }) => queued ?? [])
      return known.length === 0 ? null : Math.max(...known)
    }),
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
