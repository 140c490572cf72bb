/** The function of the server that writes a tick. */
import { CLAIM_TTL_MS } from '../running.ts'
import { ANY } from '../task.ts'
import { POOL } from './nodes.ts'
import { NOW } from './schema.ts'
import { INPUT } from './tick-input.ts'

const FREE = `current_run = NULL, claim_lock = NULL, claim_expires_at = NULL, worker_pid = NULL, worker_start_time = NULL,
      heartbeat_at = NULL`

const names = Object.keys(INPUT)
const typed = Object.entries(INPUT).map(([name, type]) => `${name} ${type}`)

/**
 * The input is parsed once, and each list is an array. All events are one INSERT, in the order of the changes.
 *
 * Two locks. The first is shared by all writers; it keeps them out while a migration holds the ticks of the board. The
 * second lets one dispatcher after the other count and claim: of a profile, or of the whole board if that or a pool has
 * a cap. It is taken after all else is written, so that only claims wait for each other; its holder waits for no row.
 * Without a cap, SKIP LOCKED gives each dispatcher its own tasks. Both locks end with this one call, so that a
 * dispatcher that hangs never holds them.
 * @param s the board's schema, quoted
 */
export const writesBody = (s: string): string => `
DECLARE
  ${typed.join(';\n  ')};
  has_caps boolean; lock_key bigint; now_ms bigint; one text; usual text;
  noted text[]; extended text[]; ended text[]; promoted text[]; assigned text[];
  got_id text[]; got_profile text[]; refused text[]; busy json; of_pools jsonb; total bigint;
  claimed json; claimed_id text[]; claimed_run bigint[]; claimed_profile text[];
BEGIN
  SELECT ${names.map((name) => `x.${name}`).join(', ')}
  INTO ${names.join(', ')}
  FROM json_to_record(input) AS x(${typed.join(', ')});
  has_caps := claim_id IS NOT NULL AND (per_profile IS NOT NULL OR board IS NOT NULL OR pools IS NOT NULL);
  lock_key := hashtextextended(lock, 0);
  IF NOT pg_try_advisory_xact_lock_shared(lock_key) THEN
    IF wait_ms <= 0 THEN RETURN NULL; END IF;
    usual := current_setting('lock_timeout');
    BEGIN
      PERFORM set_config('lock_timeout', wait_ms::text, true);
      PERFORM pg_advisory_xact_lock_shared(lock_key);
      PERFORM set_config('lock_timeout', usual, true);
    EXCEPTION WHEN lock_not_available THEN RETURN NULL;
    END;
  END IF;
  now_ms := ${NOW};

  IF note_id IS NOT NULL THEN
    SELECT array_agg(t.id) INTO noted
    FROM unnest(note_id, note_run) n(id, run) JOIN ${s}.tasks t ON t.id = n.id
    WHERE t.id = ANY (note_id) AND (t.status = 'running') IS TRUE AND t.current_run = n.run;
    IF has_pids THEN
      UPDATE ${s}.tasks t SET worker_pid = n.pid, worker_start_time = n.start_time
      FROM unnest(note_id, note_run, note_pid, note_start) n(id, run, pid, start_time)
      WHERE t.id = ANY (noted) AND t.id = n.id AND t.current_run = n.run AND n.pid IS NOT NULL;
    END IF;
  END IF;

  IF extend_id IS NOT NULL THEN
    WITH moved AS (
      UPDATE ${s}.tasks t SET claim_expires_at = now_ms + ${CLAIM_TTL_MS}
      FROM unnest(extend_id, extend_run, extend_lock) e(id, run, lock)
      WHERE t.id = ANY (extend_id) AND t.id = e.id AND (t.status = 'running') IS TRUE
        AND t.current_run IS NOT DISTINCT FROM e.run AND t.claim_lock IS NOT DISTINCT FROM e.lock
      RETURNING t.id
    )
    SELECT array_agg(id) INTO extended FROM moved;
  END IF;

  IF end_id IS NOT NULL THEN
    WITH e AS MATERIALIZED (
      SELECT * FROM unnest(end_id, end_run, end_lock, end_status, end_failures, end_pauses, end_sets_pause, end_paused_until,
        end_completed, end_last_error, end_outcome, end_exit_code, end_signal, end_summary, end_error)
      AS x(id, run, lock, status, failures, pauses, sets_pause, paused_until,
        completed, last_error, outcome, exit_code, signal, summary, error)
    ), moved AS (
      UPDATE ${s}.tasks t SET status = e.status, failures = e.failures, pauses = e.pauses,
        paused_until = CASE WHEN e.sets_pause THEN e.paused_until ELSE t.paused_until END,
        last_error = CASE WHEN e.completed THEN NULL ELSE coalesce(e.last_error, t.last_error) END,
        result = CASE WHEN e.completed THEN coalesce(e.summary, t.result) ELSE t.result END,
        completed_at = CASE WHEN e.status = 'done' THEN now_ms ELSE t.completed_at END,
        succeeded_at = CASE WHEN e.completed THEN now_ms ELSE t.succeeded_at END,
        ${FREE}
      FROM e
      WHERE t.id = ANY (end_id) AND t.id = e.id AND (t.status = 'running') IS TRUE
        AND t.current_run IS NOT DISTINCT FROM e.run AND t.claim_lock IS NOT DISTINCT FROM e.lock
      RETURNING e.*
    ), run AS (
      UPDATE ${s}.runs r SET outcome = m.outcome, ended_at = now_ms, exit_code = m.exit_code, signal = m.signal,
        summary = m.summary, error = m.error
      FROM moved m
      WHERE r.id = ANY (end_run) AND r.task_id = ANY (end_id) AND r.id = m.run AND r.ended_at IS NULL
    )
    SELECT array_agg(id) INTO ended FROM moved;
  END IF;

  IF promote_id IS NOT NULL THEN
    WITH moved AS (
      UPDATE ${s}.tasks t SET status = p.to_status
      FROM unnest(promote_id, promote_from, promote_to) p(id, from_status, to_status)
      WHERE t.id = ANY (promote_id) AND t.id = p.id AND (t.status = p.from_status) IS TRUE
        AND ((t.open_parents = 0) = (p.to_status = 'ready')) IS TRUE
        AND (t.status = 'todo' OR t.scheduled_at <= ${NOW}) IS TRUE
      RETURNING t.id
    )
    SELECT array_agg(id) INTO promoted FROM moved;
  END IF;

  IF assign_id IS NOT NULL THEN
    WITH moved AS (
      UPDATE ${s}.tasks t SET assignee = a.assignee FROM unnest(assign_id, assign_to) a(id, assignee)
      WHERE t.id = ANY (assign_id) AND t.id = a.id AND (t.status = 'ready') IS TRUE
        AND (trim(coalesce(t.assignee, '')) = '') IS TRUE
      RETURNING t.id
    )
    SELECT array_agg(id) INTO assigned FROM moved;
  END IF;

  IF has_caps THEN
    usual := current_setting('lock_timeout');
    BEGIN
      PERFORM set_config('lock_timeout', greatest(wait_ms, 1)::text, true);
      IF board IS NOT NULL OR pools IS NOT NULL THEN PERFORM pg_advisory_xact_lock(hashtextextended(lock, 1));
      ELSE
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(lock, 1));
        FOR one IN SELECT DISTINCT profile COLLATE "C" FROM unnest(claim_profile) x(profile) ORDER BY 1 LOOP
          PERFORM pg_advisory_xact_lock(hashtextextended(one, hashtextextended(lock, 1)));
        END LOOP;
      END IF;
      PERFORM set_config('lock_timeout', usual, true);
    EXCEPTION WHEN lock_not_available THEN
      IF coalesce(note_id, extend_id, end_id, promote_id, assign_id) IS NULL THEN RETURN NULL; END IF;
      refused := claim_id;
    END;
  END IF;

  IF claim_id IS NOT NULL AND refused IS NULL THEN
    -- The first that can be had, one by one: a task that another process changes now is not ours, and none is locked
    -- that is not wanted.
    SELECT array_agg(id), array_agg(profile) INTO got_id, got_profile FROM (
      SELECT x.id, c.profile FROM unnest(claim_id, claim_profile) c(id, profile) CROSS JOIN LATERAL (
        SELECT t.id FROM ${s}.tasks t
        WHERE t.id = c.id AND (t.status = 'ready') IS TRUE AND t.claim_lock IS NULL
          AND (t.assignee IN (c.profile, '${ANY}')) IS TRUE
        FOR NO KEY UPDATE SKIP LOCKED
      ) x
      LIMIT most
    ) y;
    IF has_caps AND got_id IS NOT NULL THEN
      SELECT coalesce(json_object_agg(assignee, n), '{}'), coalesce(sum(n), 0) INTO busy, total FROM (
        SELECT coalesce(CASE WHEN t.assignee = '${ANY}' THEN r.profile ELSE t.assignee END, '') AS assignee, count(*) AS n
        FROM ${s}.tasks t
        LEFT JOIN LATERAL (
          SELECT * FROM ${s}.runs WHERE id = t.current_run AND task_id = t.id AND t.assignee = '${ANY}' OFFSET 0
        ) r ON true
        WHERE t.status = 'running' GROUP BY 1
      ) x;
      IF pools IS NOT NULL THEN
        -- A profile of this installation is in the pool that its dispatcher names; those of others are in the table.
        pool_of := coalesce((SELECT jsonb_object_agg(p.name, ${POOL}) FROM hermes.profiles p
          WHERE p.name IN (SELECT json_object_keys(busy)) AND ${POOL} IS NOT NULL), '{}') || coalesce(pool_of, '{}');
        SELECT coalesce(jsonb_object_agg(pool, n), '{}') INTO of_pools FROM (
          SELECT pool_of->>key AS pool, sum(value::integer) AS n FROM json_each_text(busy)
          WHERE pool_of->>key IS NOT NULL GROUP BY 1
        ) x;
      END IF;
      WITH numbered AS (
        SELECT id, profile, place, row_number() OVER (PARTITION BY profile ORDER BY place) AS of_profile,
          pool_of->>profile AS pool, row_number() OVER (PARTITION BY pool_of->>profile ORDER BY place) AS of_pool
        FROM unnest(got_id, got_profile) WITH ORDINALITY AS x(id, profile, place)
      ), judged AS MATERIALIZED (
        SELECT id, profile, place, (per_profile IS NULL OR of_profile + coalesce((busy->>profile)::integer, 0) <= per_profile)
          AND (board IS NULL OR place + total <= board)
          AND (pools->>pool IS NULL OR of_pool + coalesce((of_pools->>pool)::integer, 0) <= (pools->>pool)::integer) AS has_room FROM numbered
      )
      SELECT array_agg(id ORDER BY place) FILTER (WHERE has_room), array_agg(profile ORDER BY place) FILTER (WHERE has_room),
        array_agg(id ORDER BY place) FILTER (WHERE NOT has_room)
      INTO got_id, got_profile, refused FROM judged;
    END IF;
    IF got_id IS NOT NULL THEN
      WITH allowed AS MATERIALIZED (
        SELECT id, profile, nextval('${s}.runs_id_seq') AS run FROM unnest(got_id, got_profile) AS x(id, profile)
      ), run AS (
        INSERT INTO ${s}.runs (id, task_id, profile, started_at, host, instance, slot) OVERRIDING SYSTEM VALUE
        SELECT a.run, a.id, a.profile, now_ms, host, instance, 'job-' || a.id || '-' || a.run FROM allowed a
      ), moved AS (
        UPDATE ${s}.tasks t SET status = 'running', started_at = now_ms, heartbeat_at = NULL, current_run = a.run,
          claim_lock = host || ':' || instance || ':' || a.run, claim_expires_at = now_ms + ${CLAIM_TTL_MS}
        FROM allowed a WHERE t.id = ANY (got_id) AND t.id = a.id
        RETURNING to_json(t) AS task, t.id, t.current_run, a.profile
      )
      SELECT json_agg(task), array_agg(id), array_agg(current_run), array_agg(profile)
      INTO claimed, claimed_id, claimed_run, claimed_profile FROM moved;
    END IF;
  END IF;

  INSERT INTO ${s}.events (task_id, run_id, kind, payload, at)
  SELECT id, run, 'spawned', payload, now_ms FROM unnest(note_id, note_run, note_payload) x(id, run, payload)
    WHERE id = ANY (noted)
  UNION ALL
  SELECT id, run, 'claim_extended', '{}', now_ms FROM unnest(extend_id, extend_run) x(id, run) WHERE id = ANY (extended)
  UNION ALL
  SELECT id, run, kind, payload, now_ms FROM unnest(happened_id, happened_run, happened_kind, happened_payload)
    x(id, run, kind, payload) WHERE id = ANY (ended)
  UNION ALL
  SELECT id, NULL, 'promoted', json_build_object('from', from_status, 'to', to_status), now_ms
    FROM unnest(promote_id, promote_from, promote_to) x(id, from_status, to_status) WHERE id = ANY (promoted)
  UNION ALL
  SELECT id, NULL, 'assigned', payload, now_ms FROM unnest(assign_id, assign_payload) x(id, payload)
    WHERE id = ANY (assigned)
  UNION ALL
  SELECT id, run, 'claimed', json_build_object('assignee', profile, 'slot', 'job-' || id || '-' || run), now_ms
    FROM unnest(claimed_id, claimed_run, claimed_profile) x(id, run, profile);

  RETURN json_build_object('extended', extended, 'ended', ended, 'promoted', promoted, 'assigned', assigned,
    'claimed', claimed, 'full', refused);
END`
