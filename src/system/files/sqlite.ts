/**
 * The one place that opens SQLite files: the board and the sessions. better-sqlite3 is synchronous, so every wait for a
 * lock stalls its process; daemons give a short `busyTimeoutMs` and wait with {@link whenFree}, one-shot commands may
 * wait inside.
 */

import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import type { Clock } from '../clock.ts'
import { unlessCode } from '../error-code.ts'
import { HermesError } from '../errors.ts'
import { makeDirectory } from './directory.ts'
import { isKernelFile } from './small-file.ts'

/** Set by scripts/build.ts: the architecture of the native files beside the bundles. */
declare const HERMES_ARCH: string

export type Database = BetterSqlite3.Database

export interface OpenDatabaseOptions {
  /** Opens an existing file for reading only; journal mode and schema are left alone. */
  readonly readOnly?: boolean
  /** Time that one statement may block this process waiting for another's lock, ms. Default 250. */
  readonly busyTimeoutMs?: number
  /**
   * A commit is on the disk when it returns (synchronous=FULL, the default); false: a power cut may undo the last ones.
   */
  readonly durable?: boolean
  /** Runs PRAGMA quick_check first (reads the whole file: for small databases). A damaged file is trouble `corrupt`. */
  readonly check?: boolean
  /** `keep`: leaves the journal mode unchanged, so an empty file stays empty (for locks). */
  readonly journal?: 'keep'
  /** Called once per open with what the user should know: no WAL here, and why. */
  readonly warn?: (text: string) => void
}

/** Kinds of database failure that callers distinguish. */
export type DatabaseProblem = 'busy' | 'corrupt' | 'full' | 'read-only' | 'cannot-open' | 'io' | 'foreign'

const DEFAULT_BUSY_TIMEOUT_MS = 250

/**
 * Opens a database, creating it (0600, with its directory 0700) if needed: WAL, or a DELETE journal and a warning
 * where WAL's shared memory is not reliable (https://sqlite.org/wal.html: "does not work over a network filesystem");
 * foreign keys on.
 * @throws HermesError naming the file; {@link databaseProblem} returns the kind of trouble
 */
export function openDatabase(file: string, options: OpenDatabaseOptions = {}): Database {
  const { readOnly = false, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS, durable = true } = options
  let database: Database | undefined
  try {
    if (!isThere(file) && !readOnly) touch(file)
    const native = nativeBinding()
    database = new (sqlite())(file, {
      readonly: readOnly,
      fileMustExist: true,
      timeout: busyTimeoutMs,
      ...(native === undefined ? {} : { nativeBinding: native }),
    })
    if (options.check === true) quickCheck(database)
    if (!readOnly) {
      if (options.journal !== 'keep') setJournal(database, file, options.warn)
      database.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
    }
    database.pragma('foreign_keys = ON')
    // A foreign schema may call only functions without side effects.
    database.pragma('trusted_schema = OFF')
    // Reads the schema, so that a file that is not a database is found now and not at the first query.
    database.pragma('schema_version')
    return database
  } catch (error) {
    database?.close()
    throw databaseError(error, file)
  }
}

/** A database without a file, empty and gone when it is closed. */
export function memoryDatabase(): Database {
  const native = nativeBinding()
  return new (sqlite())(':memory:', native === undefined ? {} : { nativeBinding: native })
}

/**
 * Which trouble an error of better-sqlite3, or one made from it by {@link databaseError}, means; undefined: it is
 * something else (a bug).
 */
export function databaseProblem(error: unknown): DatabaseProblem | undefined {
  const cause = error instanceof HermesError ? error.cause : error
  const code = (cause as { code?: unknown } | undefined)?.code
  if (typeof code !== 'string') return undefined
  if (code.startsWith('SQLITE_')) return PROBLEM_OF[code.split('_')[1] ?? '']
  if (Object.hasOwn(PROBLEM_OF_STATE, code)) return PROBLEM_OF_STATE[code]
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'full'
  if (code === 'EROFS') return 'read-only'
  return /^E[A-Z]+$/.test(code) ? 'cannot-open' : undefined
}

// Primary result codes (https://sqlite.org/rescode.html); extended ones such as SQLITE_IOERR_READ begin with them.
const PROBLEM_OF: Readonly<Record<string, DatabaseProblem>> = {
  BUSY: 'busy',
  LOCKED: 'busy',
  PROTOCOL: 'busy',
  CORRUPT: 'corrupt',
  NOTADB: 'corrupt',
  FULL: 'full',
  READONLY: 'read-only',
  PERM: 'cannot-open',
  CANTOPEN: 'cannot-open',
  IOERR: 'io',
  NOLFS: 'io',
  // Not a code of SQLite, but of requireSchema.
  FOREIGN: 'foreign',
}

// SQLSTATE of PostgreSQL (appendix A of its manual): a conflict, a deadlock, a lock, a limit of time; a full disk; a
// server that only reads.
const PROBLEM_OF_STATE: Readonly<Record<string, DatabaseProblem>> = {
  '40001': 'busy',
  '40P01': 'busy',
  '55P03': 'busy',
  '57014': 'busy',
  '53100': 'full',
  '25006': 'read-only',
}

const TEXT_OF: Readonly<Record<DatabaseProblem, { what: string; next: string }>> = {
  busy: { what: 'is locked by another process', next: 'try again; "fuser -v FILE" shows who has it open' },
  corrupt: { what: 'is damaged', next: 'put a backup in its place, or move it away to start with an empty one' },
  full: { what: 'cannot be written: the disk is full', next: 'free some space; "df -h" shows where it went' },
  'read-only': {
    what: 'cannot be written: it is read-only',
    next: 'check its owner and mode, and whether the volume is mounted read-only',
  },
  'cannot-open': { what: 'cannot be opened', next: 'check the owner and mode of the file and its directory' },
  foreign: {
    what: 'is not a database that hermes made',
    next: 'put a backup in its place, or move it away to start with an empty one',
  },
  io: { what: 'cannot be read or written', next: 'look for disk errors with "dmesg"' },
}

/**
 * Converts an error of better-sqlite3 to one that names the file and the next step; other errors are returned
 * unchanged.
 */
export function databaseError(error: unknown, file: string): unknown {
  if (error instanceof HermesError) return error
  const problem = databaseProblem(error)
  if (problem === undefined) return error
  const { what, next } = TEXT_OF[problem]
  return new HermesError('FAILED', `${file} ${what} (${(error as Error).message})`, {
    next: next.replace('FILE', file),
    cause: error,
  })
}

/**
 * Does `attempt` again while the database is locked, without stalling the process in between.
 * @param budgetMs after so long the last error is thrown
 */
export async function whenFree<T>(clock: Clock, budgetMs: number, attempt: () => T | Promise<T>): Promise<T> {
  const untilMs = clock.nowMs() + budgetMs
  for (let pauseMs = 5; ; pauseMs = Math.min(100, pauseMs * 2)) {
    try {
      return await attempt()
    } catch (error) {
      if (databaseProblem(error) !== 'busy' || clock.nowMs() >= untilMs) throw error
    }
    const atMs = Math.min(untilMs, clock.nowMs() + pauseMs)
    await new Promise<void>((wake) => clock.at(atMs, wake))
  }
}

/** Device and inode of the file that has this name now; undefined: it is not there, or out of reach. */
export function databaseId(file: string): string | undefined {
  try {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
    return stat && `${stat.dev}:${stat.ino}`
  } catch {
    return undefined // to open it gives the reason
  }
}

/**
 * Moves a damaged database and its journals away, so that a new one can be made; nothing is deleted.
 * @param damaged the file that was found damaged, as {@link databaseId} gave it before: another process may have moved
 * it already, and begun a new one
 * @param stamp part of the new name: `<file>.corrupt-<stamp>`
 * @returns the new name of the main file; undefined: another file has its name by now, and is left alone
 */
export function setAsideDatabase(file: string, damaged: string | undefined, stamp: string): string | undefined {
  const found = databaseId(file)
  if (found === undefined || found !== damaged) return undefined
  let target = `${file}.corrupt-${stamp}`
  for (let n = 2; existsSync(target); n++) target = `${file}.corrupt-${stamp}-${n}`
  // The journals first: a new database must never find an old one's.
  for (const suffix of ['-wal', '-shm', '-journal', ''])
    unlessCode(['ENOENT'], () => renameSync(file + suffix, target + suffix))
  return target
}

/** Why WAL cannot be used in the directory; undefined: it can. */
export function walObstacle(dir: string): string | undefined {
  const name = SHARED_MEMORY_UNSAFE.get(Number(statfsSync(dir).type) >>> 0)
  return name === undefined ? undefined : `${dir} is on a network or FUSE file system (${name})`
}

// f_type of statfs(2). FUSE is among them: mmap of -shm fails or is not coherent on many (shfs, sshfs, Docker Desktop's
// shares).
const SHARED_MEMORY_UNSAFE: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x01021997, '9p'],
  [0x65735546, 'fuse'],
  [0x00c36400, 'ceph'],
  [0x0bd00bd0, 'lustre'],
  [0x01161970, 'gfs2'],
  [0x7461636f, 'ocfs2'],
  [0x5346414f, 'afs'],
  [0x6b414653, 'afs'],
  [0x73757245, 'coda'],
  [0x564c, 'ncp'],
  [0x786f4256, 'vboxsf'],
])

function setJournal(database: Database, file: string, warn: ((text: string) => void) | undefined): void {
  const obstacle = walObstacle(dirname(file))
  const wanted = obstacle === undefined ? 'wal' : 'delete'
  // Asking for the mode the file is in already takes no lock; asking for another one needs the file for itself.
  const mode = String(database.pragma(`journal_mode = ${wanted}`, { simple: true }))
  if (mode === 'wal') return
  const reason = obstacle ?? 'its file system cannot share memory'
  warn?.(`${file} uses a ${mode.toUpperCase()} journal: ${reason}. It is slower, and writers wait for readers`)
}

function quickCheck(database: Database): void {
  const found = String(database.pragma('quick_check(1)', { simple: true }))
  if (found !== 'ok') throw Object.assign(new Error(found), { code: 'SQLITE_CORRUPT' })
}

/** More than a board or conversations need; a file that claims more is not a valid database. */
const MAX_DATABASE_BYTES = 16e9

/**
 * SQLite opens with open(2), which blocks indefinitely on a FIFO. The journals are next to the file itself, not next to
 * a link to it. Checked by name: opening and closing the file would release every lock that this process has on it
 * (fcntl(2)).
 * @throws Error with `code` if something other than a database is there
 */
function isThere(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return false
  if (!found.isFile() || isKernelFile(file)) throw notADatabase(file, 'is not a regular file')
  if (found.size > MAX_DATABASE_BYTES) throw notADatabase(file, `has ${found.size} bytes`)
  const real = realpathSync(file)
  for (const suffix of ['-wal', '-shm', '-journal']) {
    const stat = lstatSync(real + suffix, { throwIfNoEntry: false })
    if (stat !== undefined && !stat.isFile()) throw notADatabase(real + suffix, 'is not a regular file')
  }
  return true
}

/** The code is SQLite's for a file that cannot be opened; the text, in place of "is damaged", says what to remove. */
const notADatabase = (file: string, what: string): Error =>
  Object.assign(new Error(`${file} ${what}`), { code: 'SQLITE_CANTOPEN' })

/** SQLite would make the file with the umask's mode; its journals take the mode of the file. */
function touch(file: string): void {
  makeDirectory(dirname(file), 0o700)
  closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK, 0o600))
}

/** better-sqlite3 costs about 2 MB and 5 ms: it comes with the first database. */
function sqlite(): typeof BetterSqlite3 {
  // In a bundle, esbuild resolves this require and runs the module at the first call; elsewhere Node finds the
  // package.
  if (typeof require === 'function') return require('better-sqlite3') as typeof BetterSqlite3
  return createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3
}

/**
 * A bundle has the native file next to it, or below for another architecture than that of the build (scripts/build.ts);
 * when running from source, the package finds its own.
 */
function nativeBinding(): string | undefined {
  if (typeof __dirname !== 'string' || typeof HERMES_ARCH !== 'string') return undefined
  const beside = join(__dirname, process.arch === HERMES_ARCH ? '.' : process.arch, 'better-sqlite3.node')
  return existsSync(beside) ? beside : undefined
}
