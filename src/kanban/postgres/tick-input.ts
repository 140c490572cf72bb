/** The input of the function that writes a tick: each list of writes as columns, which the server parses once. */
import { runEvents } from '../port/run-end.ts'
import type { ClaimLimits, TickWrite } from '../port/tick-writes.ts'

/** Fields and their types in the database. */
export const INPUT = {
  lock: 'text',
  wait_ms: 'integer',
  host: 'text',
  instance: 'text',
  most: 'integer',
  per_profile: 'integer',
  board: 'integer',
  pools: 'jsonb',
  pool_of: 'jsonb',
  note_id: 'text[]',
  note_run: 'bigint[]',
  note_pid: 'bigint[]',
  note_start: 'bigint[]',
  note_payload: 'json[]',
  has_pids: 'boolean',
  extend_id: 'text[]',
  extend_run: 'bigint[]',
  extend_lock: 'text[]',
  end_id: 'text[]',
  end_run: 'bigint[]',
  end_lock: 'text[]',
  end_status: 'text[]',
  end_failures: 'integer[]',
  end_pauses: 'integer[]',
  end_sets_pause: 'boolean[]',
  end_paused_until: 'bigint[]',
  end_completed: 'boolean[]',
  end_last_error: 'text[]',
  end_outcome: 'text[]',
  end_exit_code: 'integer[]',
  end_signal: 'text[]',
  end_summary: 'text[]',
  end_error: 'text[]',
  happened_id: 'text[]',
  happened_run: 'bigint[]',
  happened_kind: 'text[]',
  happened_payload: 'json[]',
  promote_id: 'text[]',
  promote_from: 'text[]',
  promote_to: 'text[]',
  assign_id: 'text[]',
  assign_to: 'text[]',
  assign_payload: 'json[]',
  claim_id: 'text[]',
  claim_profile: 'text[]',
} as const

type Field = keyof typeof INPUT
type Columns = Readonly<Partial<Record<Field, unknown>>>

const of = <T extends TickWrite['type']>(writes: readonly TickWrite[], type: T) =>
  writes.filter((write): write is Extract<TickWrite, { readonly type: T }> => write.type === type)

/** A list that is empty is left out. */
function columns<T>(list: readonly T[], make: Readonly<Partial<Record<Field, (one: T) => unknown>>>): Columns {
  if (list.length === 0) return {}
  return Object.fromEntries(Object.entries(make).map(([name, value]) => [name, list.map(value)]))
}

/** @param lock name of the lock that ticks of the board share */
export function inputOf(lock: string, writes: readonly TickWrite[], limits: ClaimLimits): Columns {
  const ends = of(writes, 'end')
  // The end of a run clears its process.
  const ending = new Set(ends.map(({ row }) => row.run_id))
  const notes = of(writes, 'note').map((note) => ({ ...note, kept: ending.has(note.runId) ? undefined : note.worker }))
  const hasPids = notes.some(({ kept }) => kept !== undefined)
  return {
    lock,
    wait_ms: Math.max(0, Math.round(limits.waitMs)),
    ...limits.place,
    most: limits.most,
    per_profile: limits.perProfile,
    board: limits.board,
    pools: Object.keys(limits.pools.caps).length > 0 ? limits.pools.caps : null,
    pool_of: limits.pools.of,
    ...columns(notes, {
      note_id: ({ id }) => id,
      note_run: ({ runId }) => runId,
      note_payload: ({ workspace, worker }) => ({ workspace, ...(worker && { pid: worker.pid }) }),
    }),
    ...(hasPids && {
      has_pids: true,
      ...columns(notes, {
        note_pid: ({ kept }) => kept?.pid ?? null,
        note_start: ({ kept }) => kept?.startTime ?? null,
      }),
    }),
    ...columns(of(writes, 'extend'), {
      extend_id: ({ row }) => row.id,
      extend_run: ({ row }) => row.run_id,
      extend_lock: ({ row }) => row.claim_lock,
    }),
    ...endColumns(ends),
    ...columns(of(writes, 'promote'), {
      promote_id: ({ id }) => id,
      promote_from: ({ from }) => from,
      promote_to: ({ to }) => to,
    }),
    ...columns(of(writes, 'assign'), {
      assign_id: ({ id }) => id,
      assign_to: ({ assignee }) => assignee,
      assign_payload: ({ assignee }) => ({ assignee, source: 'kanban.default_assignee' }),
    }),
    ...columns(of(writes, 'claim'), { claim_id: ({ id }) => id, claim_profile: ({ assignee }) => assignee }),
  }
}

type End = Extract<TickWrite, { readonly type: 'end' }>

function endColumns(ends: readonly End[]): Columns {
  const events = ends.flatMap(({ row, end, settlement }) =>
    runEvents(end, settlement).map((event) => ({ row, ...event })),
  )
  return {
    ...columns(ends, {
      end_id: ({ row }) => row.id,
      end_run: ({ row }) => row.run_id,
      end_lock: ({ row }) => row.claim_lock,
      end_status: ({ settlement }) => settlement.status,
      end_failures: ({ settlement }) => settlement.failures,
      end_pauses: ({ settlement }) => settlement.pauses,
      end_sets_pause: ({ end, settlement }) => end.outcome === 'completed' || settlement.pausedUntilMs !== null,
      end_paused_until: ({ settlement }) => settlement.pausedUntilMs,
      end_completed: ({ end }) => end.outcome === 'completed',
      end_last_error: ({ end, settlement }) => settlement.reason ?? end.error ?? null,
      end_outcome: ({ end }) => end.outcome,
      end_exit_code: ({ end }) => end.exitCode ?? null,
      end_signal: ({ end }) => end.signal ?? null,
      end_summary: ({ end }) => end.summary ?? null,
      end_error: ({ end }) => end.error ?? null,
    }),
    ...columns(events, {
      happened_id: ({ row }) => row.id,
      happened_run: ({ row }) => row.run_id,
      happened_kind: ({ kind }) => kind,
      happened_payload: ({ payload }) => payload,
    }),
  }
}
