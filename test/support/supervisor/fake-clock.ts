import type { Clock } from '../../../src/system/clock.ts'

export interface FakeClock extends Clock {
  /** Moves time forward and stops at every alarm on its way, so that each callback sees its own due time. */
  advance(ms: number): void
  /**
   * Time passes while no process runs (a paused container): the alarms that were due ring late, all at this instant.
   */
  oversleep(ms: number): void
  /** Moves the wall clock alone, as ntpd or an operator does. */
  setWall(wallMs: number): void
  /** Due times of the alarms that are set, soonest first. */
  alarms(): readonly number[]
}

interface Alarm {
  readonly atMs: number
  readonly order: number
  readonly wake: () => void
}

/** A clock that stands still until a test advances it. Alarms of one instant ring in the order they were set. */
export function fakeClock({ nowMs = 1_000_000, wallMs = Date.UTC(2026, 10, 22, 12, 15, 18, 810) } = {}): FakeClock {
  let now = nowMs
  let wallOffset = wallMs - nowMs
  let order = 0
  const alarms = new Set<Alarm>()
  const next = (): Alarm | undefined => [...alarms].sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
  return {
    nowMs: () => now,
    wallMs: () => now + wallOffset,
    at(atMs, wake) {
      const alarm = { atMs: Math.max(now, atMs), order: order++, wake }
      alarms.add(alarm)
      return () => alarms.delete(alarm)
    },
    advance(ms) {
      const untilMs = now + ms
      for (let alarm = next(); alarm !== undefined && alarm.atMs <= untilMs; alarm = next()) {
        alarms.delete(alarm)
        now = alarm.atMs
        alarm.wake()
      }
      now = untilMs
    },
    oversleep(ms) {
      now += ms
      for (let alarm = next(); alarm !== undefined && alarm.atMs <= now; alarm = next()) {
        alarms.delete(alarm)
        alarm.wake()
      }
    },
    setWall(atMs) {
      wallOffset = atMs - now
    },
    alarms: () => [...alarms].map((alarm) => alarm.atMs).sort((a, b) => a - b),
  }
}
