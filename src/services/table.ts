/**
 * The result of the short-lived reader, as one JSON table for init. init checks it by hand because it loads no schema
 * library, and limits its size because it keeps it in memory.
 */

import { LONGEST_MS, MAX_CHILDREN } from '../protocol/init.ts'
import { isRecord } from '../system/text/record.ts'
import { isServiceName, type ServicePrograms, type ServiceUser } from './definition.ts'

/** Longest table init takes; 200 services of usual size need a tenth of it. */
export const MAX_TABLE_BYTES = 8_000_000
/** Number of problems that are reported; more would not help. */
export const MAX_PROBLEMS = 1000
const MAX_TEXT = 131_072
export const MAX_ARGUMENTS = 1000

export interface ServiceTable {
  readonly programs: readonly ServicePrograms[]
  /** For the supervisor; passed on unchanged. */
  readonly rules: readonly Readonly<Record<string, unknown>>[]
  /** Lines for people. */
  readonly problems: readonly string[]
}

/** @returns the table, or a line that describes what is wrong with it */
export function parseServiceTable(text: string): ServiceTable | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return `not JSON: ${text.slice(0, 200)}`
  }
  if (!isRecord(value)) return 'not an object'
  const { programs, rules, problems } = value
  if (!isList(programs, MAX_CHILDREN, isPrograms)) return 'bad programs'
  if (new Set(programs.map(({ name }) => name)).size !== programs.length) return 'a service twice'
  if (!isList(rules, MAX_CHILDREN, isRecord)) return 'bad rules'
  if (!isList(problems, MAX_PROBLEMS, isText)) return 'bad problems'
  return { programs, rules, problems }
}

// No argument and no variable of a process can contain NUL.
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_TEXT && !value.includes('\0')
const isPath = (value: unknown): value is string => isText(value) && value.startsWith('/')
const isList = <T>(value: unknown, max: number, isOne: (one: unknown) => one is T): value is T[] =>
  Array.isArray(value) && value.length <= max && value.every(isOne)
const isCommand = (value: unknown): value is string[] => isList(value, MAX_ARGUMENTS, isText) && isPath(value[0])
const isId = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32 - 1
const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= LONGEST_MS
const isName = (value: unknown): value is string => typeof value === 'string' && isServiceName(value)
const orAbsent = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value)

const isUser = (value: unknown): value is ServiceUser =>
  isRecord(value) &&
  isId(value.uid) &&
  isId(value.gid) &&
  isList(value.groups, 256, isId) &&
  isText(value.name) &&
  isText(value.home)

const isVariables = (value: unknown): value is Record<string, string> =>
  isRecord(value) &&
  Object.keys(value).length <= MAX_ARGUMENTS &&
  Object.entries(value).every(([name, text]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && isText(text))

/** Checks that init accepts a service's programs: arguments, variables and texts have limits. */
export const isPrograms = (value: unknown): value is ServicePrograms =>
  isRecord(value) &&
  isName(value.name) &&
  typeof value.oneshot === 'boolean' &&
  isCommand(value.run) &&
  orAbsent(value.finish, isCommand) &&
  orAbsent(value.finishTimeoutMs, isTime) &&
  isPath(value.cwd) &&
  orAbsent(value.inServiceDir, (one) => one === true) &&
  orAbsent(value.user, isUser) &&
  (value.inherits === 'path' || value.inherits === 'container') &&
  isVariables(value.variables) &&
  orAbsent(value.reads, isName) &&
  orAbsent(value.writes, isName) &&
  typeof value.depth === 'number' &&
  Number.isInteger(value.depth) &&
  value.depth >= 0 &&
  value.depth <= MAX_CHILDREN
