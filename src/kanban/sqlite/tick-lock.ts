/**
 * Allows one tick at a time per board. The lock is SQLite's own, on an empty file next to the board: it works
 * wherever the board works, and the kernel releases it however its holder dies.
 */
import type { Clock } from '../../system/clock.ts'
import { databaseProblem, openDatabase } from '../../system/files/sqlite.ts'
import type { FilePlace, TickLock } from '../port/board.ts'

const POLL_MS = 50

/**
 * @param waitMs how long to wait for another dispatcher
 * @returns undefined: another one holds the board
 */
export async function takeTickLock(place: FilePlace, clock: Clock, waitMs: number): Promise<TickLock | undefined> {
  const untilMs = clock.nowMs() + waitMs
  for (;;) {
    const lock = tryLock(place)
    if (lock !== undefined) return lock
    const nowMs = clock.nowMs()
    if (nowMs >= untilMs) return undefined
    await new Promise<void>((wake) => clock.at(Math.min(untilMs, nowMs + POLL_MS), wake))
  }
}

function tryLock(place: FilePlace): TickLock | undefined {
  let database: ReturnType<typeof openDatabase> | undefined
  try {
    database = openDatabase(`${place.file}.lock`, { busyTimeoutMs: 0, durable: false, journal: 'keep' })
    database.exec('BEGIN IMMEDIATE')
    const held = database
    return { isHeld: () => held.open, release: async () => void held.close() }
  } catch (error) {
    database?.close()
    if (databaseProblem(error) === 'busy') return undefined
    throw error
  }
}
