/**
 * Connections to PostgreSQL. Everything has a limit: a database that hangs is an error after some seconds, and no
 * caller waits longer.
 */
import type { Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import type { CustomTypesConfig, Pool, PoolClient, PoolConfig, QueryResult } from 'pg'
import { HermesError } from '../../system/errors.ts'
import { databaseProblem } from '../../system/files/sqlite.ts'

/** Client and server give up after these; the server a little earlier, so that a refused statement has not happened. */
const CONNECT_MS = 2500
const QUERY_MS = 3300
const STATEMENT_MS = 2800
const CLOSE_MS = 500
const IDLE_IN_TRANSACTION_MS = 5000
const MAX_CONNECTIONS = 4
/** Limits of a transaction that copies a whole board: of a statement, and of the other end of a pipe. */
const LONG_STATEMENT_MS = 120_000
const LONG_IDLE_MS = 600_000
/** Attempts at a transaction that lost a deadlock or a serialization. */
const ATTEMPTS = 5

/**
 * Inside the transaction and not at the start of the session: PgBouncer refuses these as start-up parameters, and
 * shares sessions.
 */
const begin = (statementMs: number, idleMs: number): string =>
  `BEGIN; SET LOCAL statement_timeout = ${statementMs}; SET LOCAL lock_timeout = ${STATEMENT_MS};
SET LOCAL idle_in_transaction_session_timeout = ${idleMs}; SET LOCAL synchronous_commit = on`
const BEGIN = begin(STATEMENT_MS, IDLE_IN_TRANSACTION_MS)
const BEGIN_LONG = begin(LONG_STATEMENT_MS, LONG_IDLE_MS)

/**
 * A commit that waits for nothing, and a transaction that writes a record to the log and waits until the log is on the
 * disk up to there. A later commit of others, which may have seen the first, is behind it in the log.
 */
const UNFLUSHED = 'SET LOCAL synchronous_commit = off'
const FLUSH = `${BEGIN}; SELECT pg_logical_emit_message(true, 'hermes', ''); COMMIT`

/** A client inside {@link Connection}'s methods. Its texts are such as PostgreSQL can keep. */
export interface Client {
  query(sql: string, values?: readonly Value[]): Promise<QueryResult>
}

export type Value = string | number | boolean | null | readonly string[] | readonly number[]

/** PostgreSQL keeps neither NUL nor half of a surrogate pair, and a worker may print both. */
export const storable = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed()

/** For a parameter of type json. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value)
  // JSON escapes both. To look at each string takes several times as long, and such characters are rare.
  if (!/\\u(?:0000|d[89a-f])/.test(text)) return text
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'string' ? storable(one) : one))
}

/** @param limitMs how long to wait for an answer, if not {@link QUERY_MS} */
const clientOf = (client: PoolClient, limitMs?: number): Client => ({
  query: (text, values = []) =>
    client.query({
      text,
      values: values.map((value) => (typeof value === 'string' ? storable(value) : value)),
      ...(limitMs === undefined ? {} : { query_timeout: limitMs }),
    }),
})

/** int8 as a number: ids and milliseconds are far below 2^53. */
const INT8 = 20

/** A transaction that stays open. */
export interface HeldTransaction {
  query(sql: string, values?: readonly Value[]): Promise<{ readonly rows: readonly unknown[] }>
  /** false: the server has ended it, or the connection is lost. */
  isOpen(): boolean
  end(): Promise<void>
}

export class Connection {
  readonly #pool: Pool
  #closed: Promise<void> | undefined
  /** Every open connection. */
  readonly #clients = new Set<PoolClient>()
  /** Host, port and database, for messages. */
  readonly where: string

  /**
   * @param url such as postgres://user:password@host/database; never part of a message
   * @param max connections at once
   */
  constructor(url: string, pg: Pick<typeof import('pg'), 'Pool' | 'types'>, max = MAX_CONNECTIONS) {
    const types: CustomTypesConfig = {
      getTypeParser: ((oid: number, format?: 'text') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as CustomTypesConfig['getTypeParser'],
    }
    const config: PoolConfig = {
      connectionString: url,
      max,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 2000,
      allowExitOnIdle: true,
      application_name: 'hermes',
      types,
    }
    this.#pool = new pg.Pool(config)
    this.where = placeOf(url)
    // An idle connection that breaks is replaced by the next query, which reports what is wrong.
    this.#pool.on('error', () => undefined)
    this.#pool.on('connect', (client) => {
      this.#clients.add(client)
      // In use, the pool does not listen to it; the query that is under way, or the next one, reports what is wrong.
      // From its first moment on: the server may end it in the same packet in which it says that it is ready.
      client.on('error', () => undefined)
    })
    this.#pool.on('remove', (client) => this.#clients.delete(client))
  }

  /** Queries outside a transaction. */
  async use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.#client()
    return this.#using(client, () => work(clientOf(client)))
  }

  async get<Row>(sql: string, ...values: readonly Value[]): Promise<Row | undefined> {
    return this.use(async (client) => (await client.query(sql, values)).rows[0] as Row | undefined)
  }

  /**
   * Runs a transaction; when this returns, it is on the server's disk. It may run several times, because a deadlock
   * with another process ends one of the two.
   */
  async transaction<T>(work: (client: Client) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(work)
      } catch (error) {
        if (attempt >= ATTEMPTS || !isConflict(error)) throw error
      }
    }
  }

  /**
   * A transaction of one statement that travels as one message, so that none of its locks waits for this process. It
   * may run several times, as {@link transaction}. When this returns, it is on the server's disk.
   * @param sql gets the function that quotes a text; its statement has no parameters
   * @param isContended it has a lock that others wait for: then that ends before the disk is waited for
   * @returns the rows
   */
  async inOneMessage(
    sql: (quoted: (text: string) => string) => string,
    isContended = false,
  ): Promise<readonly unknown[]> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#client()
      try {
        return await this.#using(client, async () => {
          const text = sql((one) => client.escapeLiteral(one))
          // Of several statements, the client returns a list of results.
          const message = isContended
            ? `${BEGIN}; ${UNFLUSHED}; ${text}; COMMIT; ${FLUSH}`
            : `${BEGIN}; ${text}; COMMIT`
          const results = (await client.query(message)) as unknown as QueryResult[]
          return results.find(({ command }) => command === 'SELECT')?.rows ?? []
        })
      } catch (error) {
        if (attempt >= ATTEMPTS || !isConflict(error)) throw error
      }
    }
  }

  /** One consistent view. */
  async view<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return this.#once(async (client) => {
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY')
      return work(client)
    })
  }

  /**
   * A transaction for as much work as there is, once: what `work` reads from elsewhere cannot be read again.
   * @param mode the modes of the transaction, as SET TRANSACTION knows them
   */
  async long<T>(mode: string, work: (client: Client) => Promise<T>): Promise<T> {
    return this.#once(
      async (client) => {
        await client.query(`SET TRANSACTION ISOLATION LEVEL ${mode}`)
        return work(client)
      },
      BEGIN_LONG,
      LONG_STATEMENT_MS + 1000,
    )
  }

  /** A transaction that stays open until its end. Nothing in it is kept. @throws HermesError */
  async hold(): Promise<HeldTransaction> {
    const client = await this.#client()
    let isOpen = true
    const onError = (): void => {
      isOpen = false
    }
    client.on('error', onError)
    // One after the other: a client has no queue of its own, and the keeper of a lock asks whenever its time comes.
    let last: Promise<unknown> = Promise.resolve()
    const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
      const done = last.then(work)
      last = done.catch(() => undefined)
      return done
    }
    const query: HeldTransaction['query'] = (sql, values = []) =>
      inTurn(async () => {
        try {
          return await client.query(sql, values as Value[])
        } catch (error) {
          isOpen = false
          throw this.#named(error)
        }
      })
    const end = (): Promise<void> =>
      inTurn(async () => {
        const isSound = isOpen && (await rolledBack(client))
        isOpen = false
        client.off('error', onError)
        client.release(!isSound)
      })
    try {
      await client.query(BEGIN)
    } catch (error) {
      isOpen = false
      await end()
      throw this.#named(error)
    }
    return { query, isOpen: () => isOpen, end }
  }

  /** A server that hangs does not answer a farewell either, and its connections would keep this process alive. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const ended = this.#pool.end().then(() => true)
    const isDone = await Promise.race([ended, after(CLOSE_MS, false, { ref: false })])
    if (!isDone) for (const client of this.#clients) socketOf(client)?.destroy()
  }

  async #once<T>(work: (client: Client) => Promise<T>, beginning = BEGIN, limitMs?: number): Promise<T> {
    const client = await this.#client()
    return this.#using(client, async () => {
      await client.query(beginning)
      const limited = clientOf(client, limitMs)
      const result = await work(limited)
      const { command } = await limited.query('COMMIT')
      // COMMIT of a transaction that has failed succeeds as a ROLLBACK.
      if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`)
      return result
    })
  }

  async #client(): Promise<PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      throw this.#named(error)
    }
  }

  /**
   * A client is used again only if all went well: after a timeout, an answer may still be on its way. A transaction
   * that the server refuses is over when this rejects: the client rejects when the refusal arrives, and the server
   * sends that before it ends the transaction. Others would still meet its locks.
   */
  async #using<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
    let isSound = false
    try {
      const result = await work()
      isSound = true
      return result
    } catch (error) {
      const isOurs = error instanceof HermesError
      if (isOurs || isAnswer(error)) isSound = (await rolledBack(client)) && isOurs
      throw this.#named(error)
    } finally {
      client.release(!isSound)
    }
  }

  #named(error: unknown): unknown {
    if (error instanceof HermesError) return error
    const { code = '', message = String(error) } = error as { code?: string; message?: string }
    const isRefused = isAnswer(error)
    if (isRefused && databaseProblem(error) === undefined && isMistake(code)) return error
    return new HermesError(
      'FAILED',
      `the database at ${this.where} ${isRefused ? 'refuses' : 'does not answer'}: ${message}`,
      { detail: 'NO_DATABASE', next: NEXT_OF[code] ?? NEXT, cause: error },
    )
  }
}

const socketOf = (client: unknown): Socket | undefined =>
  (client as { readonly connection?: { readonly stream?: Socket } }).connection?.stream

async function rolledBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return true
  } catch {
    return false // it is closed instead
  }
}

/** An error that the server has sent. EPIPE, of the way there, looks like an SQLSTATE, but has no severity. */
function isAnswer(error: unknown): boolean {
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && typeof severity === 'string'
}

/** SQLSTATE of a lost conflict: serialization_failure, deadlock_detected. */
function isConflict(error: unknown): boolean {
  const cause = error instanceof HermesError ? error.cause : error
  return ['40001', '40P01'].includes((cause as { code?: string } | undefined)?.code ?? '')
}

/**
 * SQLSTATE classes of statements that are wrong whenever they are sent: a bug, which keeps its stack. Not 42501: rights
 * are the operator's.
 */
const isMistake = (code: string): boolean => /^(22|23|42(?!501))/.test(code)

const NEXT = 'check that it runs and can be reached; tasks are kept there, and gateways go on without it'
const ADDRESS = 'correct HERMES_KANBAN_DATABASE, or the file that HERMES_KANBAN_DATABASE_FILE names'
/** Steps for people, by SQLSTATE. */
const NEXT_OF: Readonly<Record<string, string>> = {
  '28000': ADDRESS,
  '28P01': ADDRESS,
  '3D000': `create the database, or ${ADDRESS}`,
  '42501': 'GRANT the user CREATE on the database, and make it the owner of the schemas that begin with hermes',
  HM002: 'hermes nodes; a node whose lease has lapsed takes a new one by itself', // raised by node-tables.ts
  HM001: '"hermes kanban list" says where it is now', // raised by seal.ts
  '53300': 'raise max_connections of the server: each process of Hermes that uses the board takes up to four',
}

/** Host, port and database of an address. Whatever stands before the last `@` may be a password. */
function placeOf(url: string): string {
  const [, host = '', database = '', query = ''] = /^[a-z]+:\/\/(?:.*@)?([^/?]*)\/?([^?]*)(.*)$/i.exec(url) ?? []
  return `${host || new URLSearchParams(query).get('host') || 'localhost'}/${database}`
}
