/**
 * A tick in two calls: what it reads, and what it writes. They are functions of the server, because planning such
 * statements takes longer than running them, and a function keeps its plans without a named statement, which PgBouncer
 * does not allow.
 */
import { createHash } from 'node:crypto'
import { type Clock, pause } from '../../system/clock.ts'
import type { TickLock, TickReadings } from '../port/board.ts'
import { type CandidateRow, type RunningRow, type TaskRow, toCandidate, toWaiting } from '../port/rows.ts'
import type { Claimed } from '../port/tick-writes.ts'
import { type ClaimLimits, claimResults, type TickWrite, type Written, writeId } from '../port/tick-writes.ts'
import { jobSlot } from '../task.ts'
import { type Client, type Connection, jsonText } from './connection.ts'
import { lockBoards } from './node-tables.ts'
import { inputOf } from './tick-input.ts'
import { readsBody } from './tick-reads.ts'
import { writesBody } from './tick-writes.ts'

/**
 * Plans are made once, perhaps while the tables are empty, and must be right for a million rows: nothing is scanned
 * that an index finds. Where a partial index could be scanned instead of the primary key, its predicate is hidden from
 * the planner by IS TRUE; where a join could scan, ANY names the keys.
 */
const PLANS = `SET enable_seqscan = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
  SET plan_cache_mode = force_generic_plan`

interface ServerFunction {
  readonly name: string
  readonly create: string
}

/** The name has a hash of the text: versions that work on one board at the same time have functions of their own. */
function serverFunction(s: string, verb: string, argument: string, body: string): ServerFunction {
  const hash = createHash('sha256').update(`${argument}${PLANS}${body}`).digest('hex').slice(0, 8)
  const name = `${s}.tick_${verb}_${hash}`
  return { name, create: `CREATE FUNCTION ${name}(${argument}) RETURNS json LANGUAGE plpgsql ${PLANS} AS $$${body}$$` }
}

export interface TickFunctions {
  readonly reads: ServerFunction
  readonly writes: ServerFunction
}

/** @param s the board's schema, quoted */
export const tickFunctions = (s: string): TickFunctions => ({
  reads: serverFunction(s, 'reads', 'page integer', readsBody(s)),
  writes: serverFunction(s, 'writes', 'input json', writesBody(s)),
})

/** SQLSTATE undefined_function: no process of this version has written to the board yet. */
const isMissing = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === '42883'

const makeTickFunctions = (connection: Connection, functions: TickFunctions): Promise<void> =>
  connection.transaction(async (client: Client) => {
    await lockBoards(client)
    for (const { name, create } of [functions.reads, functions.writes]) {
      const known = await client.query('SELECT 1 WHERE to_regproc($1) IS NOT NULL', [name])
      if (known.rows.length === 0) await client.query(create)
    }
  })

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
  const input = jsonText(inputOf(tickLockName(slug), writes, limits))
  const hasCaps = limits.perProfile !== null || limits.board !== null || Object.keys(limits.pools.caps).length > 0
  const isContended = hasCaps && writes.some(({ type }) => type === 'claim')
  const call = (): Promise<readonly unknown[]> =>
    connection.inOneMessage((quoted) => `SELECT ${functions.writes.name}(${quoted(input)}::json) AS wrote`, isContended)
  const found = await call().catch(async (error) => {
    if (!isMissing(error)) throw error
    await makeTickFunctions(connection, functions)
    return call()
  })
  const { wrote } = found[0] as { wrote: Wrote | null }
  return wrote === null ? undefined : resultsOf(writes, limits, wrote)
}

export const tickLockName = (slug: string): string => `hermes.tick.${slug}`

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
  const { rows } = await held
    .query('SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS held', [tickLockName(slug)])
    .catch(async (error) => {
      await held.end() // its connection is one of few
      throw error
    })
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
