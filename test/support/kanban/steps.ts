/** Single writes of a tick. */
import { NO_POOLS } from '../../../src/kanban/pools.ts'
import type { TickBoard } from '../../../src/kanban/port/board.ts'
import { endOfClaim, type FailedSpawn } from '../../../src/kanban/port/run-end.ts'
import type {
  Claimed,
  ClaimLimits,
  ClaimPlace,
  EndedRow,
  TickWrite,
  Worker,
  Written,
} from '../../../src/kanban/port/tick-writes.ts'
import type { Rules } from '../../../src/kanban/rules.ts'
import type { RunEnd, Settlement } from '../../../src/kanban/running.ts'

/** No caps. */
export const freeLimits = (place: ClaimPlace): ClaimLimits => ({
  place,
  most: 1000,
  perProfile: null,
  pools: NO_POOLS,
  board: null,
  waitMs: 0,
})

/** Each writes at once, and answers whether it has. */
export function steps(board: Pick<TickBoard, 'write'>) {
  const one = async (write: TickWrite, wallMs: number, place = { host: '', instance: '' }): Promise<Written> => {
    const written = await board.write([write], freeLimits(place), wallMs)
    if (written?.[0] === undefined) throw new Error('the ticks of the board are held')
    return written[0]
  }
  const isDone = async (write: TickWrite, wallMs: number): Promise<boolean> =>
    (await one(write, wallMs)).state === 'done'
  return {
    extendClaim: (row: EndedRow, wallMs: number) => isDone({ type: 'extend', row }, wallMs),
    endRun: (row: EndedRow, end: RunEnd, settlement: Settlement, wallMs: number) =>
      isDone({ type: 'end', row, end, settlement }, wallMs),
    promote: (id: string, from: 'todo' | 'scheduled', to: 'ready' | 'todo', wallMs: number) =>
      isDone({ type: 'promote', id, from, to }, wallMs),
    assignDefault: (id: string, assignee: string, wallMs: number) => isDone({ type: 'assign', id, assignee }, wallMs),
    recordWorker: (id: string, runId: number, worker: Worker, workspace: string, wallMs: number) =>
      isDone({ type: 'note', id, runId, worker, workspace }, wallMs),
    async claim(id: string, assignee: string, place: ClaimPlace, wallMs: number): Promise<Claimed | undefined> {
      const written = await one({ type: 'claim', id, assignee }, wallMs, place)
      return written.state === 'done' ? written.claimed : undefined
    },
    async releaseClaim(
      claimed: Claimed,
      failed: FailedSpawn,
      rules: Pick<Rules, 'failureLimit' | 'requireReview'>,
      wallMs: number,
    ): Promise<Settlement> {
      const end = endOfClaim(claimed, failed, rules, wallMs)
      await one(end, wallMs)
      return end.settlement
    },
  }
}
