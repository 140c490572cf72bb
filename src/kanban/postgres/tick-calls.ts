/** Calls the server's functions of a tick, and keeps all ticks out. */
import { type Clock, pause } from '../../system/clock.ts'
import type { TickLock, TickReadings } from '../port/board.ts'
import { type CandidateRow, type RunningRow, type TaskRow, toCandidate, toWaiting } from '../port/rows.ts'
import { runEvents } from '../port/run-end.ts'
import type { Claimed } from '../port/tick-writes.ts'
import { type ClaimLimits, claimResults, type TickWrite, type Written, writeId } from '../port/tick-writes.ts'
import { jobSlot } from '../task.ts'
import { type Connection, jsonText } from './connection.ts'
import { isMissing, makeTickFunctions, type TickFunctions } from './tick-functions.ts'

interface Read {
  readonly wallMs: number
  readonly running: readonly RunningRow[]
  readonly promotable: readonly CandidateRow[]
  readonly ready: readonly CandidateRow[]
}

/** @returns undefined: the server does not have the function yet */
export async function callReads(
  connection: Connection,
  { reads }: TickFunctions,
  page: number,
): Promise<TickReadings | undefined> {
  try {
    const found = await connection.get<{ read: Read }>(`SELECT ${reads.name}($1) AS read`, page)
    if (found === undefined) throw new Error(`${reads.name} has returned no row`)
    const { wallMs, running, promotable, ready } = found.read
    return { wallMs, running, promotable: promotable.map(toWaiting), ready: ready.map(toCandidate) }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

interface Wrote {
  readonly extended: readonly string[] | null
  readonly ended: readonly string[] | null
  readonly promoted: readonly string[] | null
  readonly assigned: readonly string[] | null
  readonly claimed: readonly (TaskRow & { readonly rank?: unknown })[] | null
  readonly full: readonly string[] | null
}

/** @returns as {@link TickBoard.write} */
export async function callWrites(
  connection: Connection,
  functions: TickFunctions,
  slug: string,
  writes: readonly TickWrite[],
  limits: ClaimLimits,
): Promise<readonly Written[] | undefined> {
  if (writes.length === 0) return []
  const input = jsonText(inputOf(slug, writes, limits))
  const call = (): Promise<readonly unknown[]> =>
    connection.inOneMessage((quoted) => `SELECT ${functions.writes.name}(${quoted(input)}::json) AS wrote`)
  const found = await call().catch(async (error) => {
    if (!isMissing(error)) throw error
    await makeTickFunctions(connection, functions)
    return call()
  })
  const { wrote } = found[0] as { wrote: Wrote | null }
  return wrote === null ? undefined : resultsOf(writes, limits, wrote)
}

function inputOf(slug: string, writes: readonly TickWrite[], limits: ClaimLimits): Readonly<Record<string, unknown>> {
  const parts = new Map<string, object[]>()
  for (const write of writes) {
    const [name, part] = partOf(write)
    const known = parts.get(name)
    if (known === undefined) parts.set(name, [part])
    else known.push(part)
  }
  const claims = parts.has('claims')
  return {
    lock: tickLockName(slug),
    wait_ms: Math.max(0, Math.round(limits.waitMs)),
    ...limits.place,
    most: limits.most,
    // Without a claim there is no need to keep others out.
    per_profile: claims ? limits.perProfile : null,
    board: claims ? limits.board : null,
    pools: claims && Object.keys(limits.pools.caps).length > 0 ? limits.pools.caps : null,
    pool_of: limits.pools.of,
    ...Object.fromEntries(parts),
  }
}

export const tickLockName = (slug: string): string => `hermes.tick.${slug}`

function partOf(write: TickWrite): readonly [string, object] {
  switch (write.type) {
    case 'note': {
      const { id, runId, worker, workspace } = write
      const payload = { workspace, ...(worker && { pid: worker.pid }) }
      return ['notes', { id, run: runId, pid: worker?.pid ?? null, start_time: worker?.startTime ?? null, payload }]
    }
    case 'extend':
      return ['extends', attemptOf(write.row)]
    case 'end': {
      const { row, end, settlement } = write
      const isCompleted = end.outcome === 'completed'
      const { status, failures, pauses, pausedUntilMs } = settlement
      const { outcome, exitCode, signal, summary, error } = end
      return [
        'ends',
        {
          ...attemptOf(row),
          ...{ status, failures, pauses, outcome, signal, summary, error },
          exit_code: exitCode,
          sets_pause: isCompleted || pausedUntilMs !== null,
          paused_until: pausedUntilMs,
          completed: isCompleted,
          last_error: settlement.reason ?? error,
          events: runEvents(end, settlement),
        },
      ]
    }
    case 'promote':
      return ['promotions', { id: write.id, from: write.from, to: write.to }]
    case 'assign': {
      const { id, assignee } = write
      return ['assigns', { id, assignee, payload: { assignee, source: 'kanban.default_assignee' } }]
    }
    case 'claim':
      return ['claims', { id: write.id, assignee: write.assignee }]
  }
}

const attemptOf = ({ id, run_id: run, claim_lock: lock }: Extract<TickWrite, { type: 'extend' }>['row']) => ({
  id,
  run,
  lock,
})

function resultsOf(writes: readonly TickWrite[], { most }: ClaimLimits, wrote: Wrote): readonly Written[] {
  const ids = (list: readonly string[] | null): ReadonlySet<string> => new Set(list)
  const done = {
    extend: ids(wrote.extended),
    end: ids(wrote.ended),
    promote: ids(wrote.promoted),
    assign: ids(wrote.assigned),
  }
  const offered = writes.flatMap((write) => (write.type === 'claim' ? [write.id] : []))
  const claimed = new Map((wrote.claimed ?? []).map((row) => [row.id, claimOf(row)]))
  const claims = claimResults(offered, claimed, ids(wrote.full), most)[Symbol.iterator]()
  return writes.map((write): Written => {
    if (write.type === 'note') return { state: 'done' }
    if (write.type === 'claim') return claims.next().value ?? { state: 'lost' }
    return { state: done[write.type].has(writeId(write)) ? 'done' : 'lost' }
  })
}

function claimOf({ rank: _, ...row }: TaskRow & { readonly rank?: unknown }): Claimed {
  const runId = row.current_run ?? 0
  return { row, runId, slot: jobSlot(row.id, runId), claimLock: row.claim_lock ?? '' }
}

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
    tickLockName(slug),
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
