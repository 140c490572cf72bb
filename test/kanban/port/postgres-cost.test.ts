// As in cost.test.ts, a tick's cost grows with the number of ready and running tasks, not of done ones. The plans of
// PostgreSQL say how many rows each statement looked at.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_POOLS } from '../../../src/kanban/pools.ts'
import type { TickWrite } from '../../../src/kanban/port/tick-writes.ts'
import type { Client, Connection } from '../../../src/kanban/postgres/connection.ts'
import { openPostgres } from '../../../src/kanban/postgres/database-boards.ts'
import { eventsTail } from '../../../src/kanban/postgres/queries.ts'
import { callWrites, tickFunctions } from '../../../src/kanban/postgres/tick-calls.ts'
import {
  readAttempt,
  readPromotable,
  readReady,
  readRunning,
  readTaskOfSlot,
  readWaitingChildren,
} from '../../../src/kanban/postgres/tick-reads.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { size } from '../../support/size.ts'

const S = '"hermes_costs"'
const completed = { outcome: 'completed', failure: false, stop: false } as const
const settled = { status: 'done', failures: 0, pauses: 0, pausedUntilMs: null, autoBlocked: false } as const
const READY = 30
const RUNNING = 8

interface Plan {
  readonly 'Actual Rows'?: number
  readonly 'Actual Loops'?: number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly Plan[]
}

const rowsIn = (plan: Plan): number =>
  ((plan['Actual Rows'] ?? 0) + (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Index Recheck'] ?? 0)) *
    (plan['Actual Loops'] ?? 1) +
  (plan.Plans ?? []).reduce((sum, one) => sum + rowsIn(one), 0)

const why = whyNoPostgres()

describe.skipIf(why !== undefined)(`a tick's statements in PostgreSQL (${why ?? 'a server of our own'})`, () => {
  let server: PostgresServer
  let connection: pg.Client
  beforeAll(async () => {
    server = await startPostgres()
    connection = new pg.Client({ connectionString: server.url })
    await connection.connect()
    const board = await openPostgres({ slug: 'costs' }, server.url, { mode: 'create', warn: () => undefined })
    await board.close()
  })
  afterAll(async () => {
    await connection.end()
    await server[Symbol.asyncDispose]()
  })

  /** Performs nothing: explains each statement, and counts the rows that all its steps have looked at. */
  const counting = () => {
    const looked = { rows: 0 }
    const client: Client = {
      async query(sql, values = []) {
        await connection.query('BEGIN')
        const explained = await connection.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, [...values])
        await connection.query('ROLLBACK')
        looked.rows += rowsIn((explained.rows[0] as { 'QUERY PLAN': { Plan: Plan }[] })['QUERY PLAN'][0]?.Plan ?? {})
        return { ...explained, rows: [], rowCount: 1 }
      },
    }
    return { looked, client, on: { client, s: S, slug: 'costs' } }
  }

  const run = { id: 't_0000001f', run_id: 31, claim_lock: 'h:i:31' }
  const statements: Readonly<Record<string, (at: ReturnType<typeof counting>) => Promise<unknown>>> = {
    running: ({ client }) => readRunning(client, S),
    promotable: ({ client }) => readPromotable(client, S),
    'a page of ready tasks': ({ client }) => readReady(client, S, null, 500),
    'children that wait': ({ client }) => readWaitingChildren(client, S, run.id),
    'a run': ({ client }) => readAttempt(client, S, run.id, 31, 'job-t_0000001f-31'),
    'the task of a slot': ({ client }) => readTaskOfSlot(client, S, 'job-t_0000001f-31'),
    'the end of the events': ({ client }) => eventsTail(client, S, 10),
  }

  /** Done tasks, each with a run and events; before them some that are ready, and some that run. */
  function fill(s: string, from: number, to: number, status: string, last = 'ANALYZE'): void {
    server.psql(`INSERT INTO ${s}.tasks (id, title, assignee, status, created_at, current_run, claim_lock)
      SELECT 't_' || lpad(to_hex(i), 8, '0'), 'task', 'alpha', '${status}', i,
        CASE WHEN '${status}' = 'running' THEN i END, CASE WHEN '${status}' = 'running' THEN 'h:i:' || i END
      FROM generate_series(${from}, ${to}) i;
      INSERT INTO ${s}.runs (id, task_id, profile, started_at, slot) OVERRIDING SYSTEM VALUE
      SELECT i, 't_' || lpad(to_hex(i), 8, '0'), 'alpha', i, 'job-t_' || lpad(to_hex(i), 8, '0') || '-' || i
      FROM generate_series(${from}, ${to}) i;
      INSERT INTO ${s}.events (task_id, kind, at)
      SELECT 't_' || lpad(to_hex(i), 8, '0'), 'created', i FROM generate_series(${from}, ${to}) i;
      ALTER SEQUENCE ${s}.runs_id_seq RESTART WITH 10000000;
      ${last}`)
  }

  const rowsLookedAt = async () => {
    const counts: Record<string, number> = {}
    for (const [name, statement] of Object.entries(statements)) {
      const at = counting()
      await statement(at)
      counts[name] = at.looked.rows
    }
    return counts
  }

  test('look at no more rows on a board with many done tasks than on a small one', {
    timeout: size(60_000, 0),
  }, async () => {
    fill(S, 1, READY, 'ready')
    fill(S, READY + 1, READY + RUNNING, 'running')
    fill(S, 101, 2000, 'done')
    const small = await rowsLookedAt()
    fill(S, 2001, size(50_000, 1_000_000), 'done')
    const large = await rowsLookedAt()
    for (const name of Object.keys(statements)) {
      expect(large[name], name).toBeLessThanOrEqual(2 * (small[name] ?? 0) + 20)
      expect(large[name], name).toBeLessThan(20 * (READY + RUNNING))
    }
  })

  /** Calls a function, undoes it, and counts the pages that its statements have looked at. */
  const pagesOf = async (call: string): Promise<number> => {
    await connection.query('BEGIN')
    const explained = await connection.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${call}`)
    await connection.query('ROLLBACK')
    const plan = (explained.rows[0] as { 'QUERY PLAN': { Plan: Record<string, number> }[] })['QUERY PLAN'][0]?.Plan
    return (plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0)
  }

  test('a tick whose plans were made on an empty board looks at no more of it when most of a large one is done', {
    timeout: size(60_000, 0),
  }, async () => {
    const slug = 'plans'
    const board = await openPostgres({ slug }, server.url, { mode: 'create', warn: () => undefined })
    const limits = {
      place: { host: 'h', instance: 'i' },
      most: 10,
      perProfile: 20,
      board: 40,
      pools: NO_POOLS,
      waitMs: 0,
    }
    await board.write([{ type: 'assign', id: 'none', assignee: 'alpha' }], limits, 0)
    await board.close()
    const s = `"hermes_${slug}"`
    for (const table of ['tasks', 'runs', 'events'])
      server.psql(`ALTER TABLE ${s}.${table} SET (autovacuum_enabled = false)`)
    const functions = tickFunctions(s)
    const id = (n: number): string => `t_${n.toString(16).padStart(8, '0')}`
    const row = (n: number) => ({ id: id(n), run_id: n, claim_lock: `h:i:${n}` })
    const of = <T>(from: number, make: (n: number) => T): T[] => Array.from({ length: 5 }, (_, at) => make(from + at))
    const writes: readonly TickWrite[] = [
      ...of(
        31,
        (n) => ({ type: 'note', id: id(n), runId: n, worker: { pid: 1, startTime: 1 }, workspace: '/w' }) as const,
      ),
      ...of(36, (n) => ({ type: 'extend', row: row(n) }) as const),
      ...of(31, (n) => ({ type: 'end', row: row(n), end: completed, settlement: settled }) as const),
      ...of(1, (n) => ({ type: 'assign', id: id(n), assignee: 'alpha' }) as const),
      ...of(1, (n) => ({ type: 'promote', id: id(n), from: 'todo', to: 'ready' }) as const),
      ...of(1, (n) => ({ type: 'claim', id: id(n), assignee: 'alpha' }) as const),
    ]
    let input = ''
    const sent = {
      async inOneMessage(sql: (quoted: (text: string) => string) => string) {
        input = sql((text) => connection.escapeLiteral(text))
        return [{ wrote: {} }]
      },
    }
    await callWrites(sent as unknown as Connection, functions, slug, writes, limits)
    const reading = `SELECT ${functions.reads.name}(50)`
    // In one session, so that plans that a server has made once are the ones that it keeps.
    for (let time = 0; time < 10; time++) for (const call of [reading, input]) await pagesOf(call)
    // Without ANALYZE, which would let the server plan again.
    fill(s, 1, READY, 'ready', '')
    fill(s, READY + 1, READY + RUNNING, 'running', '')
    fill(s, 101, 1000, 'done', '')
    const small = [await pagesOf(reading), await pagesOf(input)] as const
    fill(s, 1001, size(50_000, 1_000_000), 'done', '')
    const large = [await pagesOf(reading), await pagesOf(input)] as const
    expect(small[1]).toBeGreaterThan(100)
    expect(large[0]).toBeLessThanOrEqual(2 * small[0])
    expect(large[1]).toBeLessThanOrEqual(2 * small[1])
  })
})
