/** The lines of an exported board: docs/kanban.md, "A whole board as text". */
import { HermesError } from '../../system/errors.ts'
import type { TableName } from '../port/transfer.ts'
import {
  ADDED_COLUMNS,
  ADDED_TABLE,
  type ColumnKind,
  type CopiedRow,
  columnsOf,
  inOrder,
  type LastNumbers,
  NUMBERED,
  TABLES,
} from '../port/transfer.ts'
import { problemOfRow, type Row as RoutineRow } from '../routines/row.ts'
import { STATUSES } from '../task.ts'

const FORMAT = 'hermes-kanban'
/** Grows when an older reader would lose or misread something. */
const VERSION = 1

/** The word that begins a row of a table. */
const WORD: Readonly<Record<TableName, string>> = {
  tasks: 'task',
  links: 'link',
  runs: 'run',
  comments: 'comment',
  events: 'event',
  routines: 'routine',
}
const TABLE_OF: ReadonlyMap<string, TableName> = new Map(TABLES.map((table) => [WORD[table], table]))

export type RowCounts = Readonly<Record<TableName, number>>

export type Line =
  /** `attachments`: files that are attached to its tasks, and are not in the text. */
  | { readonly type: 'header'; readonly board: string; readonly attachments?: number }
  | { readonly type: 'row'; readonly table: TableName; readonly row: CopiedRow }
  | { readonly type: 'last'; readonly last: LastNumbers }
  /** `sha256`: of all bytes before this line. */
  | { readonly type: 'end'; readonly counts: RowCounts; readonly sha256: string }

/** A line without its newline, and without characters that a terminal acts on. */
export const formatLine = (line: Line): string =>
  jsonOf(line).replaceAll(/[\x7f-\x9f\u2028\u2029]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)

function jsonOf(line: Line): string {
  switch (line.type) {
    case 'header':
      return JSON.stringify({
        format: FORMAT,
        version: VERSION,
        board: line.board,
        ...(line.attachments && { attachments: line.attachments }),
      })
    case 'row':
      return JSON.stringify({ [WORD[line.table]]: rowInOrder(line.table, line.row) })
    case 'last':
      return JSON.stringify({ last: Object.fromEntries(NUMBERED.map((table) => [table, line.last[table]])) })
    case 'end':
      return JSON.stringify({
        end: {
          ...Object.fromEntries(
            TABLES.filter((table) => table !== ADDED_TABLE || line.counts[table] > 0).map((table) => [
              table,
              line.counts[table],
            ]),
          ),
          sha256: line.sha256,
        },
      })
  }
}

/** Equal rows are equal texts, whatever order their columns came in. */
const rowInOrder = (table: TableName, row: CopiedRow): CopiedRow =>
  Object.fromEntries(
    Object.entries(columnsOf(table))
      .filter(([name]) => row[name] !== null || ADDED_COLUMNS[table]?.includes(name) !== true)
      .map(([name, kind]) => [name, kind === 'json' ? inOrder(row[name]) : row[name]]),
  )

/** @throws HermesError that says what is wrong with the line, without its number */
export function parseLine(text: string): Line {
  const [word, value, ...more] = Object.entries(objectIn(text)).flat()
  if (word === 'format') return header(objectIn(text))
  if (typeof word !== 'string' || more.length > 0) throw wrong('it is not a line of an exported board')
  if (word === 'last') {
    const last = fields(value, 'last')
    return {
      type: 'last',
      last: Object.fromEntries(NUMBERED.map((table) => [table, count(last, table)])) as LastNumbers,
    }
  }
  if (word === 'end') {
    const end = fields(value, 'end')
    const counts = Object.fromEntries(
      TABLES.map((table) => [table, table === ADDED_TABLE && end[table] === undefined ? 0 : count(end, table)]),
    ) as RowCounts
    return { type: 'end', counts, sha256: String(end.sha256) }
  }
  const table = TABLE_OF.get(word)
  if (table === undefined) throw wrong(`it contains ${quoted(word)}, which this version does not know`)
  return { type: 'row', table, row: parseRow(table, fields(value, word)) }
}

function header({ format, version, board, attachments }: CopiedRow): Line {
  if (format !== FORMAT || typeof board !== 'string') throw wrong('it does not begin an exported board')
  if (version === VERSION)
    return { type: 'header', board, ...(Number.isSafeInteger(attachments) && { attachments: Number(attachments) }) }
  throw new HermesError('FAILED', `the format has version ${JSON.stringify(version)}; this version reads ${VERSION}`, {
    next: 'use the version that wrote it, or a newer one',
  })
}

function parseRow(table: TableName, row: CopiedRow): CopiedRow {
  const columns = columnsOf(table)
  const unknown = Object.keys(row).find((name) => !Object.hasOwn(columns, name))
  if (unknown !== undefined) throw wrong(`the ${WORD[table]} has ${quoted(unknown)}, which this version does not know`)
  const parsed = Object.entries(columns).map(([name, kind]) => {
    const value = row[name] ?? null
    if (!fits(kind, value))
      throw wrong(`"${name}" of the ${WORD[table]} is ${quoted(value)}, which is not ${WHAT[kind]}`)
    return [name, typeof value === 'string' ? value.toWellFormed() : value] as const
  })
  const result: CopiedRow = Object.fromEntries(parsed)
  if (table === 'tasks') checkTask(result)
  const problem = table === 'routines' ? problemOfRow(result as unknown as RoutineRow) : undefined
  if (problem !== undefined) throw wrong(problem)
  return result
}

/** Values that an id must not have: it is part of names of files. */
const UNSAFE_ID = /[^A-Za-z0-9_.-]|^\.|^$/
const WORKSPACE_KINDS: readonly unknown[] = ['scratch', 'dir']

function checkTask({ id, status, workspace_kind }: CopiedRow): void {
  if (typeof id !== 'string' || UNSAFE_ID.test(id) || id.length > 200)
    throw wrong(`${quoted(id)} cannot be the id of a task`)
  if (!(STATUSES as readonly unknown[]).includes(status)) throw wrong(`${quoted(status)} is not a status`)
  if (!WORKSPACE_KINDS.includes(workspace_kind)) throw wrong(`${quoted(workspace_kind)} is not a kind of workspace`)
}

const WHAT: Readonly<Record<ColumnKind, string>> = {
  text: 'a text',
  'text?': 'a text or null',
  integer: 'a whole number of 32 bits',
  'integer?': 'a whole number of 32 bits or null',
  number: 'a whole number',
  'number?': 'a whole number or null',
  json: 'a value',
}

function fits(kind: ColumnKind, value: unknown): boolean {
  if (kind === 'json') return true
  if (value === null) return kind.endsWith('?')
  if (kind.startsWith('text')) return typeof value === 'string'
  return Number.isSafeInteger(value) && (kind.startsWith('number') || (value as number) === ((value as number) | 0))
}

function count(from: CopiedRow, name: string): number {
  const value = from[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw wrong(`"${name}" is ${quoted(value)}, which is not a count`)
}

function objectIn(text: string): CopiedRow {
  try {
    return fields(JSON.parse(text) as unknown, 'it')
  } catch (error) {
    if (error instanceof HermesError) throw error
    throw wrong('it is not JSON')
  }
}

function fields(value: unknown, what: string): CopiedRow {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as CopiedRow
  throw wrong(`${what} is not an object`)
}

const quoted = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 80)

const wrong = (what: string): HermesError =>
  new HermesError('FAILED', what, { next: 'use a file that "hermes kanban export" has written, unchanged' })
