// As in cost.test.ts, a tick's cost grows with the number of ready and running tasks, not of done ones. The plans of
// PostgreSQL say how many rows each statement looked at.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../../src/kanban/postgres/connection.ts'
import { openPostgres } from '../../../src/kanban/postgres/open.ts'
import { eventsTail } from '../../../src/kanban/postgres/queries.ts'
import {
  readAttempt,
  readPromotable,
  readReady,
  readRunning,
  readTaskOfSlot,
  readWaitingChildren,
} from '../../../src/kanban/postgres/tick.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { size } from '../../support/size.ts'

const S = '"hermes_costs"'
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
  function fill(from: number, to: number, status: string): void {
    server.psql(`INSERT INTO ${S}.tasks (id, title, assignee, status, created_at, current_run, claim_lock)
      SELECT 't_' || lpad(to_hex(i), 8, '0'), 'task', 'alpha', '${status}', i,
        CASE WHEN '${status}' = 'running' THEN i END, CASE WHEN '${status}' = 'running' THEN 'h:i:' || i END
      FROM generate_series(${from}, ${to}) i;
      INSERT INTO ${S}.runs (id, task_id, profile, started_at, slot) OVERRIDING SYSTEM VALUE
      SELECT i, 't_' || lpad(to_hex(i), 8, '0'), 'alpha', i, 'job-t_' || lpad(to_hex(i), 8, '0') || '-' || i
      FROM generate_series(${from}, ${to}) i;
      INSERT INTO ${S}.events (task_id, kind, at)
      SELECT 't_' || lpad(to_hex(i), 8, '0'), 'created', i FROM generate_series(${from}, ${to}) i;
      ALTER SEQUENCE ${S}.runs_id_seq RESTART WITH 10000000;
      ANALYZE`)
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
    fill(1, READY, 'ready')
    fill(READY + 1, READY + RUNNING, 'running')
    fill(101, 2000, 'done')
    const small = await rowsLookedAt()
    fill(2001, size(50_000, 1_000_000), 'done')
    const large = await rowsLookedAt()
    for (const name of Object.keys(statements)) {
      expect(large[name], name).toBeLessThanOrEqual(2 * (small[name] ?? 0) + 20)
      expect(large[name], name).toBeLessThan(20 * (READY + RUNNING))
    }
  })
})
