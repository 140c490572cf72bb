/**
 * The messages that are to be sent, and what has been observed so far, in `notify.db`. An observation and its messages
 * are one transaction: whenever the notifier is killed, either both are there or the next one observes it again.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { NotifyTarget } from '../../profile/config/kinds/notify-kinds.ts'
import { type Database, databaseError, openDatabase } from '../../system/files/sqlite.ts'
import {
  type Collected,
  collect,
  digestOf,
  type Notification,
  notificationOf,
  type Observed,
  wants,
} from '../notification.ts'
import { type Attempt, GIVE_UP_MS, pauseAfter } from '../retry.ts'
import { admit, MOST_WAITING, WINDOW_MS, type Window } from '../storm.ts'
import { prepareSchema, requireOutbox } from './schema.ts'

export const outboxFile = (home: string): string => join(home, 'notify.db')

/** One writer; commands read. In WAL they never wait for each other. */
const BUSY_TIMEOUT_MS = 1000
/** Delivered and dead messages that are kept of each target, to be looked at. */
const KEPT_DELIVERED = 50
const KEPT_DEAD = 200

/** A message that is due. */
export interface Letter {
  readonly id: string
  readonly notification: Notification
  /** Attempts before this one. */
  readonly attempts: number
}

/** A fact that the notifier remembers about a subject, such as a slot or a board, as JSON. */
export interface Note {
  readonly subject: string
  /** undefined: nothing any more. */
  readonly value: unknown
}

/** @throws HermesError naming the file, from each method */
export interface Outbox {
  /** Everything that is remembered below a prefix, by the rest of its name. */
  notes(prefix: string): ReadonlyMap<string, unknown>
  /** The memory of one subject; undefined: there is none. */
  note(subject: string): unknown
  /**
   * Remembers, and makes the messages of what was observed; both or none.
   * @param node name of this node, if it has one
   */
  observe(
    notes: readonly Note[],
    observed: readonly Observed[],
    targets: readonly NotifyTarget[],
    facts: { readonly wallMs: number; readonly node: string | undefined },
  ): void
  /** The next message for a target that is due. A digest takes no more events from then on. */
  take(target: string, wallMs: number, node: string | undefined): Letter | undefined
  /** Records an attempt. */
  settle(target: string, id: string, attempt: Attempt, wallMs: number): void
  /** Gives up what has waited for too long, also for targets that are gone. @returns how many */
  expire(wallMs: number): number
  close(): void
}

/** @throws HermesError when it cannot be opened, is damaged, or was written by a newer version */
export function openOutbox(home: string, warn: (text: string) => void): Outbox {
  const file = outboxFile(home)
  // Commits survive the death of this process; a power cut may undo the last ones.
  const database = openDatabase(file, { durable: false, busyTimeoutMs: BUSY_TIMEOUT_MS, warn })
  try {
    prepareSchema(database)
    requireOutbox(database, file)
    return new SqliteOutbox(database, file)
  } catch (error) {
    database.close()
    throw databaseError(error, file)
  }
}

class SqliteOutbox implements Outbox {
  readonly #database: Database
  readonly #file: string
  readonly #sql

  constructor(database: Database, file: string) {
    this.#database = database
    this.#file = file
    this.#sql = statements(database)
  }

  notes(prefix: string): ReadonlyMap<string, unknown> {
    return this.#explained(() => {
      const rows = this.#sql.notes.all(prefix, prefix, prefix)
      return new Map(rows.map(({ name, value }) => [name, JSON.parse(value)]))
    })
  }

  note(subject: string): unknown {
    return this.#explained(() => {
      const row = this.#sql.note.get(subject)
      return row === undefined ? undefined : JSON.parse(row.value)
    })
  }

  observe(...[notes, observed, targets, { wallMs, node }]: Parameters<Outbox['observe']>): void {
    if (notes.length === 0 && observed.length === 0) return
    this.#write(() => {
      for (const { subject, value } of notes)
        if (value === undefined) this.#sql.forget.run(subject)
        else this.#sql.remember.run(subject, JSON.stringify(value))
      for (const one of observed)
        for (const target of targets) if (wants(target, one)) this.#enqueue(target.name, one, wallMs, node)
    })
  }

  take(target: string, wallMs: number, node: string | undefined): Letter | undefined {
    return this.#write(() => {
      const row = this.#sql.due.get(target, wallMs)
      if (row === undefined) return undefined
      const { id, body, collected, attempts } = row
      if (body !== null) return { id, notification: JSON.parse(body) as Notification, attempts }
      // Each attempt sends the same bytes under the same id.
      const notification = digestOf(id, JSON.parse(collected) as Collected, node)
      this.#sql.close.run(JSON.stringify(notification), target, id)
      return { id, notification, attempts }
    })
  }

  settle(target: string, id: string, attempt: Attempt, wallMs: number): void {
    this.#write(() => {
      const row = this.#sql.state.get(target, id)
      if (row === undefined) return
      const attempts = row.attempts + 1
      if (attempt.is !== 'failed') {
        const state = attempt.is === 'delivered' ? 'delivered' : 'dead'
        this.#sql.end.run(state, attempts, attempt.text, wallMs, target, id)
        this.#prune(target)
        return
      }
      this.#sql.again.run(attempts, attempt.text, wallMs + pauseAfter(attempts, attempt.afterMs), target, id)
    })
  }

  expire(wallMs: number): number {
    return this.#write(() => {
      const targets = this.#sql.late.all(wallMs - GIVE_UP_MS)
      const { changes } = this.#sql.giveUp.run(wallMs, wallMs - GIVE_UP_MS)
      for (const { target } of targets) this.#prune(target)
      return changes
    })
  }

  close(): void {
    this.#database.close()
  }

  #enqueue(target: string, observed: Observed, wallMs: number, node: string | undefined): void {
    const known = this.#sql.window.get(target)
    const { window, alone } = admit(
      known && ({ startMs: known.start_ms, events: known.events } satisfies Window),
      wallMs,
    )
    this.#sql.setWindow.run(target, window.startMs, window.events)
    const id = randomUUID()
    if (alone && (this.#sql.waiting.get(target)?.n ?? 0) < MOST_WAITING) {
      const notification = notificationOf(id, observed, node)
      this.#sql.add.run(target, id, observed.event, JSON.stringify(notification), null, wallMs, wallMs)
      return
    }
    const open = this.#sql.open.get(target)
    const collected = JSON.stringify(collect(open && (JSON.parse(open.collected) as Collected), observed))
    if (open !== undefined) this.#sql.collect.run(collected, target, open.id)
    else this.#sql.add.run(target, id, 'digest', null, collected, wallMs, window.startMs + WINDOW_MS)
  }

  #prune(target: string): void {
    this.#sql.prune.run(target, 'delivered', target, 'delivered', KEPT_DELIVERED)
    this.#sql.prune.run(target, 'dead', target, 'dead', KEPT_DEAD)
  }

  #write<T>(act: () => T): T {
    return this.#explained(() => this.#database.transaction(act).immediate())
  }

  #explained<T>(act: () => T): T {
    try {
      return act()
    } catch (error) {
      throw databaseError(error, this.#file)
    }
  }
}

interface DueRow {
  readonly id: string
  readonly body: string | null
  /** '' where there is a body. */
  readonly collected: string
  readonly attempts: number
}

function statements(database: Database) {
  const waiting = "target = ? AND state = 'waiting'"
  return {
    notes: database.prepare<[string, string, string], { name: string; value: string }>(
      'SELECT substr(subject, length(?) + 1) AS name, value FROM notes WHERE substr(subject, 1, length(?)) = ?',
    ),
    note: database.prepare<[string], { value: string }>('SELECT value FROM notes WHERE subject = ?'),
    remember: database.prepare(
      'INSERT INTO notes (subject, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    ),
    forget: database.prepare('DELETE FROM notes WHERE subject = ?'),
    window: database.prepare<[string], { start_ms: number; events: number }>(
      'SELECT start_ms, events FROM windows WHERE target = ?',
    ),
    setWindow: database.prepare(
      `INSERT INTO windows (target, start_ms, events) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET start_ms = excluded.start_ms, events = excluded.events`,
    ),
    waiting: database.prepare<[string], { n: number }>(`SELECT count(*) AS n FROM letters WHERE ${waiting}`),
    add: database.prepare(
      `INSERT INTO letters (target, id, event, body, collected, state, made_ms, due_ms, attempts)
       VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, 0)`,
    ),
    open: database.prepare<[string], { id: string; collected: string }>(
      `SELECT id, collected FROM letters WHERE ${waiting} AND body IS NULL`,
    ),
    collect: database.prepare('UPDATE letters SET collected = ? WHERE target = ? AND id = ?'),
    due: database.prepare<[string, number], DueRow>(
      `SELECT id, body, coalesce(collected, '') AS collected, attempts FROM letters
       WHERE ${waiting} AND due_ms <= ? ORDER BY due_ms LIMIT 1`,
    ),
    close: database.prepare('UPDATE letters SET body = ?, collected = NULL WHERE target = ? AND id = ?'),
    state: database.prepare<[string, string], { attempts: number }>(
      `SELECT attempts FROM letters WHERE target = ? AND id = ? AND state = 'waiting'`,
    ),
    end: database.prepare(
      'UPDATE letters SET state = ?, attempts = ?, last = ?, ended_ms = ? WHERE target = ? AND id = ?',
    ),
    again: database.prepare('UPDATE letters SET attempts = ?, last = ?, due_ms = ? WHERE target = ? AND id = ?'),
    late: database.prepare<[number], { target: string }>(
      `SELECT DISTINCT target FROM letters WHERE state = 'waiting' AND made_ms < ?`,
    ),
    giveUp: database.prepare(
      `UPDATE letters SET state = 'dead', ended_ms = ?, last = coalesce(last || ', ', '') || 'given up after 24 h'
       WHERE state = 'waiting' AND made_ms < ?`,
    ),
    prune: database.prepare(
      `DELETE FROM letters WHERE target = ? AND state = ? AND id NOT IN (
         SELECT id FROM letters WHERE target = ? AND state = ? ORDER BY ended_ms DESC, id LIMIT ?)`,
    ),
  }
}
