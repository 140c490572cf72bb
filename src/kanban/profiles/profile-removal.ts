/** Removes a profile that may have workers: they are stopped, and their tasks go back to the board. */
import { removeProfile } from '../../control/profile-actions.ts'
import { ifSupervised, type Supervised } from '../../control/slot-actions.ts'
import type { Progress } from '../../profile/directory/staging.ts'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { supervisorJobs } from '../jobs/jobs.ts'
import { forgetJob } from '../jobs/kept-results.ts'
import type { BoardPlace, TickLock } from '../port/board.ts'
import { type Boards, withBoard } from '../port/boards.ts'
import { LONG_BUSY_TIMEOUT_MS } from '../store/board.ts'
import { holdDispatch } from '../store/dispatch-lock.ts'

/** A tick that stops workers itself may take this long. */
const LOCK_WAIT_MS = 10_000

export interface RemovalFacts extends Supervised {
  readonly boards: Boards
  readonly clock: Clock
  /** Name of the person removing it, for the events of the tasks. */
  readonly actor: string
  readonly warn: (text: string) => void
  /** Called for each file that is removed. */
  readonly progress?: Progress
}

/**
 * @param name a profile that exists, never `default`
 * @returns the tasks whose workers were stopped
 * @throws HermesError FAILED while another tick holds a board for long
 */
export const removeProfileAndWorkers = (
  facts: RemovalFacts,
  name: string,
  keepLogs: boolean,
): Promise<readonly string[]> =>
  withoutWorkers(facts, name, `its profile "${name}" was deleted`, () =>
    removeProfile(facts, name, keepLogs, facts.progress),
  )

/**
 * Does something to a profile while no worker of its runs and none is started.
 * @param reason for the tasks that go back to the board
 * @returns the tasks whose workers were stopped
 * @throws HermesError FAILED while another tick holds a board for long
 */
export async function withoutWorkers(
  facts: RemovalFacts,
  name: string,
  reason: string,
  use: () => Promise<void>,
): Promise<readonly string[]> {
  const places = await facts.boards.list()
  // No tick may start a worker of this profile between the stop and the removal: it would create the directory again.
  const locks: TickLock[] = []
  try {
    for (const place of places) locks.push(await ticksOf(place, facts))
    const stopped = await stopWorkers(facts, name, reason, places)
    await use()
    return stopped
  } finally {
    for (const lock of locks) await lock.release()
  }
}

async function ticksOf(place: BoardPlace, { home, clock }: RemovalFacts): Promise<TickLock> {
  const lock = await holdDispatch(home, place, clock, LOCK_WAIT_MS)
  if (lock !== undefined) return lock
  throw new HermesError('FAILED', `the board "${place.slug}" is being dispatched; nothing was changed`, {
    next: 'try again in a moment',
  })
}

async function stopWorkers(
  facts: RemovalFacts,
  name: string,
  reason: string,
  places: readonly BoardPlace[],
): Promise<string[]> {
  const { home } = facts
  const stopped = await ifSupervised(facts, async (client) => {
    const jobs = await supervisorJobs(client)
    const { slots } = await client.request('status', {})
    const own = slots.filter(({ slot, profile }) => slot.startsWith('job-') && profile === name).map(({ slot }) => slot)
    const stopOne = async (slot: string): Promise<string[]> => {
      // A worker that ended by itself has a result, which the next tick collects.
      if ((await jobs.look(slot)).state !== 'running') return []
      await jobs.stop(slot)
      const tasks = await giveBack(facts, slot, reason, places)
      await forgetJob(home, jobs, slot)
      return tasks
    }
    return (await Promise.all(own.map(stopOne))).flat()
  })
  return stopped ?? []
}

/** @returns the task whose run the job was; undefined if the run is over */
async function giveBack(
  { boards, clock, actor, warn }: RemovalFacts,
  slot: string,
  reason: string,
  places: readonly BoardPlace[],
): Promise<string[]> {
  const found: string[] = []
  for (const place of places) {
    try {
      const options = { mode: 'write', busyTimeoutMs: LONG_BUSY_TIMEOUT_MS, warn } as const
      await withBoard(boards, place, options, async (board) => {
        const id = await board.taskOfSlot(slot)
        if (id === undefined) return
        await board.change('reclaim', id, { reason }, { name: actor, wallMs: clock.wallMs() })
        found.push(id)
      })
    } catch (error) {
      // The worker has been stopped; a tick notes that once the board can be written.
      warn(`board "${place.slug}": ${(error as Error).message}`)
    }
  }
  return found
}
