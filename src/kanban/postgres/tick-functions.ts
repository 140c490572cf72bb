/**
 * A tick in two calls: what it reads, and what it writes. They are functions of the server, because planning such
 * statements takes longer than running them, and a function keeps its plans without a named statement, which PgBouncer
 * does not allow.
 */
import { createHash } from 'node:crypto'
import { CLAIM_TTL_MS } from '../running.ts'
import { ANY } from '../task.ts'
import type { Client, Connection } from './connection.ts'
import { lockBoards } from './node-tables.ts'
import { POOL } from './nodes.ts'
import { NOW } from './schema.ts'

export const CANDIDATE =
  't.id, t.seq, t.assignee, t.status, t.priority, t.created_at, t.paused_until, t.succeeded_at, t.changed_at, t.open_parents, t.claim_lock, t.needs'

/** Columns of a running task, and its run. */
export const running = (
  s: string,
): string => `${CANDIDATE}, t.failures, t.max_retries, t.once, t.pauses, t.started_at, t.heartbeat_at,
  t.max_runtime_ms, (t.result_schema IS NOT NULL AND t.result_json IS NULL)::integer AS lacks_result,
  t.claim_expires_at, t.worker_pid, t.worker_start_time,
  NOT EXISTS (SELECT 1 FROM ${s}.links l WHERE l.parent = t.id) AS childless,
  r.id AS run_id, r.host, r.instance, r.slot, r.started_at AS run_started_at, r.profile`

/**
 * Plans are made once, perhaps while the tables are empty, and must be right for a million rows: nothing is scanned
 * that an index finds. Where a partial index could be scanned instead of the primary key, its predicate is hidden from
 * the planner by IS TRUE; where a join could scan, ANY names the keys.
 */
const PLANS = `SET enable_seqscan = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
  SET plan_cache_mode = force_generic_plan`

const FREE = `current_run = NULL, claim_lock = NULL, claim_expires_at = NULL, worker_pid = NULL, worker_start_time = NULL,
      heartbeat_at = NULL`

const reads = (s: string): string => `
DECLARE
  running json; promotable json; ready json;
BEGIN
  SELECT coalesce(json_agg(x), '[]') INTO running FROM (
    SELECT ${running(s)} FROM ${s}.tasks t
    LEFT JOIN LATERAL (SELECT * FROM ${s}.runs WHERE id = t.current_run AND task_id = t.id OFFSET 0) r ON true
    WHERE t.status = 'running' ORDER BY t.seq
  ) x;
  SELECT coalesce(json_agg(x), '[]') INTO promotable FROM (
    (SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'todo' AND t.open_parents = 0 ORDER BY t.seq)
    UNION ALL
    (SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'scheduled' AND t.scheduled_at <= ${NOW}
     ORDER BY t.scheduled_at)
  ) x;
  SELECT coalesce(json_agg(x), '[]') INTO ready FROM (
    SELECT ${CANDIDATE} FROM ${s}.tasks t WHERE t.status = 'ready' AND t.claim_lock IS NULL
    ORDER BY t.rank, t.created_at, t.seq LIMIT page
  ) x;
  RETURN json_build_object('wallMs', ${NOW}, 'running', running, 'promotable', promotable, 'ready', ready);
END`

/**
 * With a cap, the lock lets one dispatcher after the other count and claim; without, all share it, and SKIP LOCKED
 * gives each its own. It is taken for this one call, so that a dispatcher that hangs never holds it.
 */
const writes = (s: string): string => `
DECLARE
  lock_key bigint := hashtextextended(input->>'lock', 0);
  wait_ms integer := (input->>'wait_ms')::integer;
  per_profile integer := (input->>'per_profile')::integer;
  board integer := (input->>'board')::integer;
  pools jsonb := nullif((input->'pools')::jsonb, 'null');
  pool_of jsonb := coalesce((input->'pool_of')::jsonb, '{}');
  has_caps boolean := per_profile IS NOT NULL OR board IS NOT NULL OR pools IS NOT NULL;
  most integer := (input->>'most')::integer;
  host text := input->>'host';
  instance text := input->>'instance';
  part json; ids text[]; run_ids bigint[]; busy json; of_pools jsonb; total integer; now_ms bigint;
  extended json; ended json; promoted json; assigned json; claimed json; refused json;
BEGIN
  IF NOT (CASE WHEN has_caps THEN pg_try_advisory_xact_lock(lock_key)
          ELSE pg_try_advisory_xact_lock_shared(lock_key) END) THEN
    IF wait_ms <= 0 THEN RETURN NULL; END IF;
    DECLARE
      usual text := current_setting('lock_timeout');
    BEGIN
      PERFORM set_config('lock_timeout', wait_ms::text, true);
      IF has_caps THEN PERFORM pg_advisory_xact_lock(lock_key);
      ELSE PERFORM pg_advisory_xact_lock_shared(lock_key); END IF;
      PERFORM set_config('lock_timeout', usual, true);
    EXCEPTION WHEN lock_not_available THEN RETURN NULL;
    END;
  END IF;
  now_ms := ${NOW};

  part := input->'notes';
  IF part IS NOT NULL THEN
    SELECT array_agg(x->>'id') INTO ids FROM json_array_elements(part) x;
    WITH n AS MATERIALIZED (
      SELECT * FROM json_to_recordset(part) AS x(id text, run bigint, pid bigint, start_time bigint, payload json)
    ), holding AS MATERIALIZED (
      SELECT n.* FROM n JOIN ${s}.tasks t ON t.id = n.id
      WHERE t.id = ANY (ids) AND (t.status = 'running') IS TRUE AND t.current_run = n.run
    ), noted AS (
      UPDATE ${s}.tasks t SET worker_pid = c.pid, worker_start_time = c.start_time FROM holding c
      WHERE t.id = ANY (ids) AND t.id = c.id AND t.current_run = c.run AND c.pid IS NOT NULL
    )
    INSERT INTO ${s}.events (task_id, run_id, kind, payload, at)
    SELECT id, run, 'spawned', payload, now_ms FROM holding;
  END IF;

  part := input->'extends';
  IF part IS NOT NULL THEN
    SELECT array_agg(x->>'id') INTO ids FROM json_array_elements(part) x;
    WITH e AS MATERIALIZED (
      SELECT * FROM json_to_recordset(part) AS x(id text, run bigint, lock text)
    ), moved AS (
      UPDATE ${s}.tasks t SET claim_expires_at = now_ms + ${CLAIM_TTL_MS} FROM e
      WHERE t.id = ANY (ids) AND t.id = e.id AND (t.status = 'running') IS TRUE
        AND t.current_run IS NOT DISTINCT FROM e.run AND t.claim_lock IS NOT DISTINCT FROM e.lock
      RETURNING t.id, e.run
    ), event AS (
      INSERT INTO ${s}.events (task_id, run_id, kind, at) SELECT id, run, 'claim_extended', now_ms FROM moved
    )
    SELECT json_agg(id) INTO extended FROM moved;
  END IF;

  part := input->'ends';
  IF part IS NOT NULL THEN
    SELECT array_agg(x->>'id'), array_agg((x->>'run')::bigint) INTO ids, run_ids FROM json_array_elements(part) x;
    WITH e AS MATERIALIZED (
      SELECT * FROM json_to_recordset(part) AS x(id text, run bigint, lock text, status text, failures integer,
        pauses integer, sets_pause boolean, paused_until bigint, completed boolean, last_error text, outcome text,
        exit_code integer, signal text, summary text, error text, events json)
    ), moved AS (
      UPDATE ${s}.tasks t SET status = e.status, failures = e.failures, pauses = e.pauses,
        paused_until = CASE WHEN e.sets_pause THEN e.paused_until ELSE t.paused_until END,
        last_error = CASE WHEN e.completed THEN NULL ELSE coalesce(e.last_error, t.last_error) END,
        result = CASE WHEN e.completed THEN coalesce(e.summary, t.result) ELSE t.result END,
        completed_at = CASE WHEN e.status = 'done' THEN now_ms ELSE t.completed_at END,
        succeeded_at = CASE WHEN e.completed THEN now_ms ELSE t.succeeded_at END,
        ${FREE}
      FROM e
      WHERE t.id = ANY (ids) AND t.id = e.id AND (t.status = 'running') IS TRUE
        AND t.current_run IS NOT DISTINCT FROM e.run AND t.claim_lock IS NOT DISTINCT FROM e.lock
      RETURNING t.id
    ), run AS (
      UPDATE ${s}.runs r SET outcome = e.outcome, ended_at = now_ms, exit_code = e.exit_code, signal = e.signal,
        summary = e.summary, error = e.error
      FROM e JOIN moved ON moved.id = e.id
      WHERE r.id = ANY (run_ids) AND r.task_id = ANY (ids) AND r.id = e.run AND r.ended_at IS NULL
    ), event AS (
      INSERT INTO ${s}.events (task_id, run_id, kind, payload, at)
      SELECT e.id, e.run, one->>'kind', one->'payload', now_ms
      FROM e JOIN moved ON moved.id = e.id, json_array_elements(e.events) WITH ORDINALITY AS x(one, place)
      ORDER BY e.id, place
    )
    SELECT json_agg(id) INTO ended FROM moved;
  END IF;

  part := input->'promotions';
  IF part IS NOT NULL THEN
    SELECT array_agg(x->>'id') INTO ids FROM json_array_elements(part) x;
    WITH p AS MATERIALIZED (
      SELECT * FROM json_to_recordset(part) AS x(id text, "from" text, "to" text)
    ), moved AS (
      UPDATE ${s}.tasks t SET status = p."to" FROM p
      WHERE t.id = ANY (ids) AND t.id = p.id AND (t.status = p."from") IS TRUE
        AND ((t.open_parents = 0) = (p."to" = 'ready')) IS TRUE
        AND (t.status = 'todo' OR t.scheduled_at <= ${NOW}) IS TRUE
      RETURNING t.id, p."from", p."to"
    ), event AS (
      INSERT INTO ${s}.events (task_id, kind, payload, at)
      SELECT id, 'promoted', json_build_object('from', "from", 'to', "to"), now_ms FROM moved
    )
    SELECT json_agg(id) INTO promoted FROM moved;
  END IF;

  part := input->'assigns';
  IF part IS NOT NULL THEN
    SELECT array_agg(x->>'id') INTO ids FROM json_array_elements(part) x;
    WITH a AS MATERIALIZED (
      SELECT * FROM json_to_recordset(part) AS x(id text, assignee text, payload json)
    ), moved AS (
      UPDATE ${s}.tasks t SET assignee = a.assignee FROM a
      WHERE t.id = ANY (ids) AND t.id = a.id AND (t.status = 'ready') IS TRUE
        AND (trim(coalesce(t.assignee, '')) = '') IS TRUE
      RETURNING t.id, a.payload
    ), event AS (
      INSERT INTO ${s}.events (task_id, kind, payload, at) SELECT id, 'assigned', payload, now_ms FROM moved
    )
    SELECT json_agg(id) INTO assigned FROM moved;
  END IF;

  part := input->'claims';
  IF part IS NOT NULL THEN
    SELECT array_agg(x->>'id') INTO ids FROM json_array_elements(part) x;
    IF has_caps THEN
      SELECT coalesce(json_object_agg(assignee, n), '{}'), coalesce(sum(n), 0) INTO busy, total FROM (
        SELECT coalesce(CASE WHEN t.assignee = '${ANY}' THEN r.profile ELSE t.assignee END, '') AS assignee, count(*) AS n
        FROM ${s}.tasks t
        LEFT JOIN LATERAL (SELECT * FROM ${s}.runs WHERE id = t.current_run AND task_id = t.id OFFSET 0) r ON true
        WHERE t.status = 'running' GROUP BY 1
      ) x;
    END IF;
    IF pools IS NOT NULL THEN
      -- A profile of this installation is in the pool that its dispatcher names; those of others are in the table.
      pool_of := coalesce((SELECT jsonb_object_agg(p.name, ${POOL}) FROM hermes.profiles p
                           WHERE p.name IN (SELECT json_object_keys(busy)) AND ${POOL} IS NOT NULL), '{}') || pool_of;
      SELECT coalesce(jsonb_object_agg(pool, n), '{}') INTO of_pools FROM (
        SELECT pool_of->>key AS pool, sum(value::integer) AS n FROM json_each_text(busy)
        WHERE pool_of->>key IS NOT NULL GROUP BY 1
      ) x;
    END IF;
    -- Locked in a CTE of its own: a subquery of the UPDATE can run per row, and claim more than the limit. SKIP LOCKED:
    -- a task that another process changes now is not ours.
    WITH c AS MATERIALIZED (
      SELECT x.one->>'id' AS id, x.one->>'assignee' AS profile, x.place
      FROM json_array_elements(part) WITH ORDINALITY AS x(one, place)
    ), picked AS MATERIALIZED (
      SELECT t.id, c.profile, c.place FROM c JOIN ${s}.tasks t ON t.id = c.id
      WHERE t.id = ANY (ids) AND (t.status = 'ready') IS TRUE AND t.claim_lock IS NULL
        AND (t.assignee IN (c.profile, '${ANY}')) IS TRUE
      ORDER BY c.place LIMIT most FOR NO KEY UPDATE OF t SKIP LOCKED
    ), numbered AS MATERIALIZED (
      SELECT id, profile, row_number() OVER (PARTITION BY profile ORDER BY place) AS of_profile,
        row_number() OVER (ORDER BY place) AS of_board, pool_of->>profile AS pool,
        row_number() OVER (PARTITION BY pool_of->>profile ORDER BY place) AS of_pool FROM picked
    ), judged AS MATERIALIZED (
      SELECT id, (per_profile IS NULL OR of_profile + coalesce((busy->>profile)::integer, 0) <= per_profile)
        AND (board IS NULL OR of_board + total <= board)
        AND (pools->>pool IS NULL OR of_pool + coalesce((of_pools->>pool)::integer, 0) <= (pools->>pool)::integer)
        AS has_room FROM numbered
    ), allowed AS MATERIALIZED (
      SELECT id, nextval(pg_get_serial_sequence('${s}.runs', 'id')) AS run FROM judged WHERE has_room
    ), run AS (
      INSERT INTO ${s}.runs (id, task_id, profile, started_at, host, instance, slot) OVERRIDING SYSTEM VALUE
      SELECT a.run, p.id, p.profile, now_ms, host, instance, 'job-' || p.id || '-' || a.run
      FROM allowed a JOIN picked p ON p.id = a.id
    ), moved AS (
      UPDATE ${s}.tasks t SET status = 'running', started_at = now_ms, heartbeat_at = NULL, current_run = a.run,
        claim_lock = host || ':' || instance || ':' || a.run, claim_expires_at = now_ms + ${CLAIM_TTL_MS}
      FROM allowed a WHERE t.id = ANY (ids) AND t.id = a.id RETURNING t.*
    ), event AS (
      INSERT INTO ${s}.events (task_id, run_id, kind, payload, at)
      SELECT p.id, m.current_run, 'claimed',
        json_build_object('assignee', p.profile, 'slot', 'job-' || p.id || '-' || m.current_run), now_ms
      FROM picked p JOIN moved m ON m.id = p.id
    )
    SELECT (SELECT json_agg(moved) FROM moved), (SELECT json_agg(id) FROM judged WHERE NOT has_room)
    INTO claimed, refused;
  END IF;
  RETURN json_build_object('extended', extended, 'ended', ended, 'promoted', promoted, 'assigned', assigned,
    'claimed', claimed, 'full', refused);
END`

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
  reads: serverFunction(s, 'reads', 'page integer', reads(s)),
  writes: serverFunction(s, 'writes', 'input json', writes(s)),
})

/** SQLSTATE undefined_function: no process of this version has written to the board yet. */
export const isMissing = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === '42883'

export const makeTickFunctions = (connection: Connection, functions: TickFunctions): Promise<void> =>
  connection.transaction(async (client: Client) => {
    await lockBoards(client)
    for (const { name, create } of [functions.reads, functions.writes]) {
      const known = await client.query('SELECT 1 WHERE to_regproc($1) IS NOT NULL', [name])
      if (known.rows.length === 0) await client.query(create)
    }
  })
