/**
 * Attachments of a board in a file. A row is the record that a file is attached, and the file is put in place before
 * the row is committed, under the write lock: an attachment that is listed has its content, whenever a process ends. A
 * file without a row is not an attachment, and the next one of its name takes its place.
 *
 * The table is made with the first attachment; versions that do not know it leave it alone.
 */
import {
  type Attachment,
  MAX_ATTACHMENTS,
  type NewAttachment,
  nameTaken,
  noAttachment,
  type TaskAttachment,
  tooMany,
} from './attachment.ts'

type Value = string | number | null
interface Sql {
  all<R>(sql: string, ...values: readonly Value[]): R[]
  run(sql: string, ...values: readonly Value[]): { readonly changes: number }
  write<T>(work: () => T): T
}

/** Actor and time. */
interface By {
  readonly name: string
  readonly wallMs: number
}

/** Records an event of the task. */
export type Note = (kind: string, payload: Readonly<Record<string, unknown>>) => void

const TABLE = `CREATE TABLE IF NOT EXISTS attachments (
  task_id TEXT NOT NULL, name TEXT NOT NULL, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, at INTEGER NOT NULL,
  author TEXT NOT NULL, PRIMARY KEY (task_id, name))`

interface Row {
  readonly task_id: string
  readonly name: string
  readonly size_bytes: number
  readonly sha256: string
  readonly at: number
  readonly author: string
}

const hasTable = (sql: Sql): boolean =>
  sql.all("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'attachments'").length > 0

/** By name. */
export const readAttachments = (sql: Sql, id: string): readonly Attachment[] =>
  hasTable(sql) ? sql.all<Row>('SELECT * FROM attachments WHERE task_id = ? ORDER BY name', id).map(attachmentOf) : []

/** Of every task, by task and name. A copy that came back from a database may lack tasks that had some. */
export const readAllAttachments = (sql: Sql): readonly TaskAttachment[] =>
  hasTable(sql)
    ? sql
        .all<Row>('SELECT * FROM attachments WHERE task_id IN (SELECT id FROM tasks) ORDER BY task_id, name')
        .map((row) => ({ taskId: row.task_id, ...attachmentOf(row) }))
    : []

const attachmentOf = ({ name, size_bytes, sha256, at, author }: Row): Attachment => ({
  name,
  sizeBytes: size_bytes,
  sha256,
  atMs: at,
  by: author,
})

/**
 * Inside a transaction with the write lock.
 * @param place puts the file in place, durably
 * @throws HermesError REFUSED: the name is taken, or there are too many
 */
export function addAttachment(sql: Sql, id: string, file: NewAttachment, place: () => void, by: By, note: Note): void {
  const { name, sizeBytes, sha256 } = file
  sql.run(TABLE)
  const known = readAttachments(sql, id)
  if (known.some((one) => one.name === name)) throw nameTaken(id, name)
  if (known.length >= MAX_ATTACHMENTS) throw tooMany(id)
  place()
  sql.run(
    'INSERT INTO attachments (task_id, name, size_bytes, sha256, at, author) VALUES (?, ?, ?, ?, ?, ?)',
    ...[id, name, sizeBytes, sha256, by.wallMs, by.name],
  )
  note('attached', { by: by.name, name, size_bytes: sizeBytes, sha256 })
}

/** Inside a transaction. @throws HermesError FAILED: there is none of this name */
export function dropAttachment(sql: Sql, id: string, name: string, by: By, note: Note): void {
  const found = readAttachments(sql, id).find((one) => one.name === name)
  if (found === undefined) throw noAttachment(id, name)
  sql.run('DELETE FROM attachments WHERE task_id = ? AND name = ?', id, name)
  note('detached', { by: by.name, name, size_bytes: found.sizeBytes, sha256: found.sha256 })
}

/** Inside a transaction: the attachments of a task that is removed. */
export function dropAll(sql: Sql, id: string): void {
  if (hasTable(sql)) sql.run('DELETE FROM attachments WHERE task_id = ?', id)
}
