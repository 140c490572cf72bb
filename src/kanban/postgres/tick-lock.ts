import type { Clock } from '../../system/clock.ts'
import { pause } from '../../system/clock.ts'
import type { TickLock } from '../port/board.ts'
import type { Connection } from './connection.ts'

const POLL_MS = 50
/** The server ends a transaction that has been silent for 5 s, so that a dispatcher that is stopped holds no board. */
const KEEP_MS = 1500

/**
 * An advisory lock of a transaction that stays open: it ends with the process, with its connection and with a process
 * that was stopped, and passes through PgBouncer, which shares sessions.
 * @returns undefined: another dispatcher holds the board
 */
export async function takeTickLock(
  connection: Connection,
  slug: string,
  clock: Clock,
  waitMs: number,
): Promise<TickLock | undefined> {
  const untilMs = clock.nowMs() + waitMs
  for (;;) {
    const lock = await tryLock(connection, slug)
    if (lock !== undefined) return lock
    if (clock.nowMs() >= untilMs) return undefined
    await pause(clock, POLL_MS)
  }
}

async function tryLock(connection: Connection, slug: string): Promise<TickLock | undefined> {
  const held = await connection.hold()
  const { rows } = await held.query('SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS held', [
    `hermes.tick.${slug}`,
  ])
  if ((rows[0] as { held: boolean }).held !== true) {
    await held.end()
    return undefined
  }
  const keeping = setInterval(() => void held.query('SELECT 1').catch(() => undefined), KEEP_MS)
  keeping.unref()
  return {
    isHeld: () => held.isOpen(),
    async release() {
      clearInterval(keeping)
      await held.end()
    },
  }
}
