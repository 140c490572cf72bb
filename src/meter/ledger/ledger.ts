/**
 * What was used, in `usage.db`. A request is written down before it is forwarded, and counted in the transaction that
 * takes its note away: so it counts once, whenever the meter is killed. One meter writes; others read.
 */
import { join } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { type Database, databaseError, openDatabase } from '../../system/files/sqlite.ts'
import { requireSchema, statementsOf } from '../../system/files/sqlite-schema.ts'
import type { Spent } from '../budget.ts'
import type { UsageRow } from '../row.ts'
import type { Usage } from '../usage.ts'

const SCHEMA_VERSION = 1
const SCHEMA = `
  CREATE TABLE open_requests (
    id TEXT PRIMARY KEY,
    day TEXT NOT NULL,
    profile TEXT NOT NULL,
    board TEXT NOT NULL,
    task TEXT NOT NULL,
    model TEXT NOT NULL,
    input INTEGER, -- null: not counted yet
    cached INTEGER,
    output INTEGER,
    nanos INTEGER -- null: the model has no price
  ) WITHOUT ROWID;
  CREATE TABLE spent (
    profile TEXT NOT NULL,
    day TEXT NOT NULL,
    board TEXT NOT NULL,
    task TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    uncounted INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    output INTEGER NOT NULL,
    nanos INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    PRIMARY KEY (profile, day, board, task, model)
  ) WITHOUT ROWID;
  CREATE INDEX spent_by_task ON spent (profile, board, task);
  PRAGMA user_version = ${SCHEMA_VERSION};`

/** Writers are one process; a reader never keeps it waiting in WAL, and only for moments elsewhere. */
const BUSY_TIMEOUT_MS = 1000

export const usageFile = (home: string): string => join(home, 'usage.db')

export interface OpenRequest {
  /** A UUID. */
  readonly id: string
  readonly day: string
  readonly profile: string
  readonly board: string
  readonly task: string
  readonly model: string
}

export type UsageTotal = Pick<
  UsageRow,
  'profile' | 'model' | 'requests' | 'uncounted' | 'inputTokens' | 'outputTokens' | 'nanos'
>

/** Reads what was used. */
export interface UsageReader {
  /** @param since the first day, `2026-11-30` @param profile undefined: all */
  rows(since: string, profile?: string): readonly UsageRow[]
  /** Sums of all time by profile and model; a part of the rows of {@link rows}, added up by the database. */
  totals(): readonly UsageTotal[]
  /** Sum of a profile since a day. */
  spent(profile: string, since: string): Spent
  close(): void
}

/** @throws HermesError naming the file, from each method */
export interface Ledger extends UsageReader {
  /** Sum of a task over all of its runs. */
  taskSpent(profile: string, board: string, task: string): Spent
  begin(request: OpenRequest): void
  /** Notes what an answer has used, as of now; a later note replaces it. @param nanos undefined: no price */
  note(id: string, usage: Usage, nanos: number | undefined): void
  /** Counts the request with what was noted; without a note as one that is not counted. Only the first call counts. */
  finish(id: string): void
  /** The endpoint was not reached, or has refused: nothing was used. */
  drop(id: string): void
  /** Counts what a meter that was killed has left. @returns how many of them had no note */
  recover(): number
}

/** @throws HermesError when it cannot be opened, is damaged, or was written by a newer version */
export function openLedger(home: string, warn: (text: string) => void): Ledger {
  const file = usageFile(home)
  // Commits survive the death of this process; a power cut may undo the last ones.
  const database = prepared(openDatabase(file, { durable: false, busyTimeoutMs: BUSY_TIMEOUT_MS, warn }), file)
  const explained = explaining(file)
  const begin = database.prepare<OpenRequest>(
    `INSERT INTO open_requests (id, day, profile, board, task, model)
     VALUES (@id, @day, @profile, @board, @task, @model)`,
  )
  const note = database.prepare('UPDATE open_requests SET input = ?, cached = ?, output = ?, nanos = ? WHERE id = ?')
  const drop = database.prepare('DELETE FROM open_requests WHERE id = ?')
  const count = database.prepare(
    `INSERT INTO spent
     SELECT profile, day, board, task, model, 1, input IS NULL, coalesce(input, 0), coalesce(cached, 0),
       coalesce(output, 0), coalesce(nanos, 0), CASE WHEN nanos IS NULL THEN coalesce(input + output, 0) ELSE 0 END
     FROM open_requests WHERE id = ?
     ON CONFLICT DO UPDATE SET requests = requests + 1, uncounted = uncounted + excluded.uncounted,
       input = input + excluded.input, cached = cached + excluded.cached, output = output + excluded.output,
       nanos = nanos + excluded.nanos, unpriced = unpriced + excluded.unpriced`,
  )
  const finish = database.transaction((id: string) => {
    count.run(id)
    drop.run(id)
  })
  const left = database.prepare<[], { id: string; input: number | null }>('SELECT id, input FROM open_requests')
  const taskSum = database.prepare<[string, string, string], Spent>(
    'SELECT coalesce(sum(nanos), 0) AS nanos, coalesce(sum(input + output), 0) AS tokens FROM spent ' +
      'WHERE profile = ? AND board = ? AND task = ?',
  )
  return {
    ...reader(database, explained),
    taskSpent: (profile, board, task) => explained(() => taskSum.get(profile, board, task) ?? NONE),
    begin: (request) => explained(() => void begin.run(request)),
    note: (id, { inputTokens, cachedTokens, outputTokens }, nanos) =>
      explained(() => void note.run(inputTokens, cachedTokens, outputTokens, nanos ?? null, id)),
    finish: (id) => explained(() => finish.immediate(id)),
    drop: (id) => explained(() => void drop.run(id)),
    recover: () =>
      explained(() => {
        const rows = left.all()
        for (const { id } of rows) finish.immediate(id)
        return rows.filter(({ input }) => input === null).length
      }),
  }
}

const NONE: Spent = { nanos: 0, tokens: 0 }

/** For commands, which only read. @throws HermesError when it cannot be read */
export function openUsage(home: string): UsageReader {
  const file = usageFile(home)
  const database = openDatabase(file, { readOnly: true, busyTimeoutMs: BUSY_TIMEOUT_MS })
  try {
    requireLedger(database, file)
    return reader(database, explaining(file))
  } catch (error) {
    database.close()
    throw databaseError(error, file)
  }
}

type Explained = <T>(attempt: () => T) => T

const explaining =
  (file: string): Explained =>
  (attempt) => {
    try {
      return attempt()
    } catch (error) {
      throw databaseError(error, file)
    }
  }

function reader(database: Database, explained: Explained): UsageReader {
  const columns =
    'day, profile, board, task, model, requests, uncounted, input AS inputTokens, cached AS cachedTokens, ' +
    'output AS outputTokens, nanos, unpriced AS unpricedTokens'
  const all = database.prepare<[string], UsageRow>(`SELECT ${columns} FROM spent WHERE day >= ?`)
  const own = database.prepare<[string, string], UsageRow>(
    `SELECT ${columns} FROM spent WHERE profile = ? AND day >= ?`,
  )
  const totals = database.prepare<[], UsageTotal>(
    'SELECT profile, model, sum(requests) AS requests, sum(uncounted) AS uncounted, sum(input) AS inputTokens, ' +
      'sum(output) AS outputTokens, sum(nanos) AS nanos FROM spent GROUP BY profile, model',
  )
  const sum = database.prepare<[string, string], Spent>(
    'SELECT coalesce(sum(nanos), 0) AS nanos, coalesce(sum(input + output), 0) AS tokens FROM spent ' +
      'WHERE profile = ? AND day >= ?',
  )
  return {
    rows: (since, profile) => explained(() => (profile === undefined ? all.all(since) : own.all(profile, since))),
    totals: () => explained(() => totals.all()),
    spent: (profile, since) => explained(() => sum.get(profile, since) ?? NONE),
    close: () => void database.close(),
  }
}

function prepared(database: Database, file: string): Database {
  try {
    database
      .transaction(() => {
        if (versionOf(database) === 0) database.exec(SCHEMA)
      })
      .immediate()
    requireLedger(database, file)
    return database
  } catch (error) {
    database.close()
    throw databaseError(error, file)
  }
}

const versionOf = (database: Database): unknown => database.pragma('user_version', { simple: true })

/** @throws HermesError for a ledger that this program does not read */
export function requireLedger(database: Database, file: string): void {
  const found = versionOf(database)
  if (found !== SCHEMA_VERSION)
    throw new HermesError('FAILED', `${file} has schema version ${found}; this program supports ${SCHEMA_VERSION}`, {
      next: 'use the newer version of hermes that wrote it, or move the file away',
    })
  requireSchema(database, file, { required: statementsOf(SCHEMA) })
}
