/**
 * The kinds of value in config.yaml and services.yaml. Each kind has one check, a description of the accepted values,
 * and a schema for editors.
 */

import { LONGEST_MS } from '../../../protocol/init.ts'
import { parseAddress } from '../../../system/net/address.ts'
import { parseSignal, type SignalName } from '../../../system/signals.ts'
import { isRecord } from '../../../system/text/record.ts'

/** JSON Schema, draft 2020-12. */
export type Schema = { readonly [keyword: string]: unknown }

export interface Kind<T> {
  /** Description of accepted values; follows "expected". */
  readonly expected: string
  /** @param value what YAML gave @returns the value in force, durations in ms; undefined: it is not taken */
  readonly read: (value: unknown) => T | undefined
  readonly schema: Schema
  /** Further explanation of a rejected value. */
  readonly whyNot?: (value: unknown) => string | undefined
  /** Texts stay as typed: `1.10` is not 1.1. */
  readonly asWritten?: true
  /** Never shown. */
  readonly secret?: true
  /** A smaller number counts as this one. */
  readonly least?: number
  /** The value in force is not what is written for it, but ms, or a shape of our own. */
  readonly converted?: true
  /** The value is a map whose entries are judged one by one, so that a problem names its entry. */
  readonly each?: { readonly name: Kind<string>; readonly entry: Kind<unknown> }
  /** The value is a list of maps whose keys are judged one by one, so that a problem names its key and line. */
  readonly items?: Items
  /** The value as commands print it, for one that is not wholly secret. */
  readonly shown?: (value: unknown) => unknown
}

/** @see Kind.items */
export interface Items {
  readonly fields: Readonly<Record<string, Kind<unknown>>>
  /**
   * @param item its values in force, by key
   * @param before the items above it that were taken
   * @returns the item, or what is wrong with it
   */
  readonly check: (item: Readonly<Record<string, unknown>>, before: readonly unknown[]) => object | string
}

/** A check of a program from outside. */
export type Check =
  | { readonly by: 'http'; readonly url: string }
  | { readonly by: 'tcp'; readonly host: string; readonly port: number }
  /** Run as the runtime user; exit code 0 is a yes. */
  | { readonly by: 'command'; readonly command: readonly string[] }

/** How a program announces that it is ready. */
export type Announcement =
  | { readonly by: 'fd'; readonly fd: number }
  | { readonly by: 'log'; readonly pattern: string }
  | Check

export interface GiveUpAfter {
  readonly deaths: number
  readonly withinMs: number
}

/** An OpenAI-compatible endpoint; `apiKeyEnv` names the variable that holds its key. */
export interface OpenAiEndpoint {
  readonly baseUrl: string
  readonly model: string
  readonly apiKeyEnv: string
}

/** Limits of what a profile may spend on its endpoint; null: none of that kind. */
export interface Budget {
  readonly per: 'day' | 'month'
  readonly usd: number | null
  readonly tokens: number | null
  /** Share of a limit from which a warning is given, 0 to 1. */
  readonly warnAt: number
  /** For each task of the board, over all of its runs. */
  readonly taskUsd: number | null
}

const MAX_FD = 63
export const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/
const URL_START = /^https?:\/\//

export const hasOnly = (value: Record<string, unknown>, ...names: readonly string[]): boolean =>
  Object.keys(value).every((name) => names.includes(name))

/** A map with these keys and no others. */
export const mapSchema = (properties: Readonly<Record<string, Schema>>, ...required: readonly string[]): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...(required.length > 0 && { required }),
})

// ---- texts and numbers ----

export const flag: Kind<boolean> = {
  expected: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
  schema: { type: 'boolean' },
}

export const text: Kind<string> = {
  expected: 'text',
  read: (value) => (typeof value === 'string' ? value : undefined),
  schema: { type: 'string' },
}

export const secret: Kind<string> = { ...text, secret: true }

const readWhole = (value: unknown, min: number, max: number): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined

export const whole = (min: number, max: number): Kind<number> => ({
  expected: `a whole number from ${min} to ${max}`,
  read: (value) => readWhole(value, min, max),
  schema: { type: 'integer', minimum: min, maximum: max },
})

const NUMBER_TEXT = /^\s*\d+\s*$/
/** The text of such a number will do too. */
export function wholeOrText(min: number, max: number): Kind<number> {
  const { expected, schema } = whole(min, max)
  return {
    expected,
    read: (value) => readWhole(typeof value === 'string' && NUMBER_TEXT.test(value) ? Number(value) : value, min, max),
    schema: { anyOf: [schema, { type: 'string', pattern: NUMBER_TEXT.source }] },
  }
}

export const oneOf = <W extends string>(...names: readonly W[]): Kind<W> => ({
  expected: `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`,
  read: (value) => names.find((name) => name === value),
  schema: { enum: names },
})

/** A word that stands alone: everything else is the default. */
export const only = <W extends string>(word: W): Kind<W> => ({
  expected: word,
  read: (value) => (value === word ? word : undefined),
  schema: { const: word },
})

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/

/**
 * `500ms`, `30s`, `1.5m`, `2h`, `1d`, or a number (or text of one) of seconds.
 * @returns whole milliseconds, or undefined when it is none of these
 */
export function parseDurationMs(value: unknown): number | undefined {
  const found = DURATION.exec(typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '')
  if (!found) return undefined
  const ms = Math.round(Number(found[1]) * (UNITS[found[2] ?? 's'] ?? Number.NaN))
  return Number.isSafeInteger(ms) && ms <= LONGEST_MS ? ms : undefined
}

export const duration = (minMs = 0): Kind<number> => ({
  expected: `a duration such as 500ms, 30s, 1m or a number of seconds${minMs > 0 ? ', more than 0' : ''}`,
  read(value) {
    const ms = parseDurationMs(value)
    return ms !== undefined && ms >= minMs ? ms : undefined
  },
  schema: {
    type: ['string', 'number'],
    pattern: DURATION.source.replace('^', '^\\s*').replace('$', '\\s*$'),
    ...(minMs > 0 ? { exclusiveMinimum: 0 } : { minimum: 0 }),
  },
  converted: true,
})

export const signal: Kind<SignalName> = {
  expected: 'a signal such as TERM, INT or 15',
  read: (value) => (typeof value === 'string' || typeof value === 'number' ? parseSignal(String(value)) : undefined),
  schema: { type: ['string', 'integer'] },
}

// ---- commands and variables ----

/** Converts a text, a number, true or false to text. Arguments and variables of a process cannot contain NUL. */
export const readScalar = (value: unknown): string | undefined =>
  ['string', 'number', 'boolean'].includes(typeof value) && !String(value).includes('\0') ? String(value) : undefined
const SCALAR: Schema = { type: ['string', 'number', 'boolean'] }

/** A command: a list that begins with the program, then its arguments. */
export const commandLine = (example: string): Kind<readonly string[]> => ({
  expected: `a list of a program and its arguments, such as ${example}`,
  read: readCommandLine,
  schema: COMMAND_LINE,
  asWritten: true,
})

export const COMMAND_LINE: Schema = { type: 'array', items: SCALAR, minItems: 1 }
export function readCommandLine(value: unknown): readonly string[] | undefined {
  const all = Array.isArray(value) ? value.map(readScalar) : []
  return all.length > 0 && all[0] !== '' && all.every((item) => item !== undefined) ? all : undefined
}

export const variables: Kind<Readonly<Record<string, string>>> = {
  expected: 'names and texts such as {PORT: "8080"}',
  read(value) {
    if (!isRecord(value)) return undefined
    const entries = Object.entries(value).map(([name, one]) => [name, readScalar(one)] as const)
    const sound = entries.every(([name, one]) => VARIABLE.test(name) && one !== undefined)
    return sound ? Object.fromEntries(entries as readonly (readonly [string, string])[]) : undefined
  },
  schema: { type: 'object', propertyNames: { pattern: VARIABLE.source }, additionalProperties: SCALAR },
  asWritten: true,
}

// ---- pools ----

const POOL = /^[a-z0-9][a-z0-9_-]{0,63}$/
const MAX_CAPACITY = 1_000_000

export const poolName: Kind<string> = {
  expected: 'a name of lower-case letters, digits, - and _, such as gpu',
  read: (value) => (typeof value === 'string' && POOL.test(value) ? value : undefined),
  schema: { type: 'string', pattern: POOL.source },
}

/** Pools, and how many tasks may run at once in each. */
export const capacities: Kind<Readonly<Record<string, number>>> = {
  expected: `names and whole numbers from 1 to ${MAX_CAPACITY}, such as {gpu: 2}`,
  read(value) {
    if (!isRecord(value)) return undefined
    const isSound = Object.entries(value).every(
      ([name, one]) => POOL.test(name) && readWhole(one, 1, MAX_CAPACITY) !== undefined,
    )
    return isSound ? (value as Readonly<Record<string, number>>) : undefined
  },
  schema: {
    type: 'object',
    propertyNames: { pattern: POOL.source },
    additionalProperties: whole(1, MAX_CAPACITY).schema,
  },
}

// ---- checks and readiness ----

const readUrl = (value: unknown): string | undefined =>
  typeof value === 'string' && URL_START.test(value) && URL.canParse(value) ? value : undefined
const URL_SCHEMA: Schema = { type: 'string', pattern: URL_START.source }

export const CHECKS = '{http: a URL}, {tcp: a port or host:port} or {command: a list of a program and its arguments}'
export const CHECK_SCHEMAS = { http: URL_SCHEMA, tcp: { type: ['string', 'integer'] }, command: COMMAND_LINE }

/** Reads the check in a map with other keys: http, tcp or command. */
export function readCheck(value: Record<string, unknown>): Check | undefined {
  if (value.http !== undefined) {
    const address = readUrl(value.http)
    return address === undefined ? undefined : { by: 'http', url: address }
  }
  if (value.tcp !== undefined) {
    const address = parseAddress(value.tcp)
    return address === undefined ? undefined : { by: 'tcp', ...address }
  }
  const command = readCommandLine(value.command)
  return command === undefined ? undefined : { by: 'command', command }
}

/** @param unannounced the file's value for "readiness is not announced" */
export const ready = <W extends string>(unannounced: W): Kind<{ readonly by: W } | Announcement> => ({
  expected: `${unannounced}, {fd: 3 to ${MAX_FD}}, {log: a regular expression}, ${CHECKS}`,
  read: (value) => (value === unannounced ? { by: unannounced } : readAnnouncement(value)),
  schema: {
    anyOf: [
      { const: unannounced },
      mapSchema({ fd: { type: 'integer', minimum: 3, maximum: MAX_FD } }, 'fd'),
      mapSchema({ log: { type: 'string', minLength: 1 } }, 'log'),
      ...Object.entries(CHECK_SCHEMAS).map(([name, schema]) => mapSchema({ [name]: schema }, name)),
    ],
  },
  whyNot: (value) => (isRecord(value) && typeof value.log === 'string' ? whyNoPattern(value.log) : undefined),
  converted: true,
})

function readAnnouncement(value: unknown): Announcement | undefined {
  if (!isRecord(value) || Object.keys(value).length !== 1) return undefined
  if (value.fd !== undefined) {
    const fd = readWhole(value.fd, 3, MAX_FD)
    return fd === undefined ? undefined : { by: 'fd', fd }
  }
  if (value.log === undefined) return readCheck(value)
  const isPattern = typeof value.log === 'string' && value.log !== '' && whyNoPattern(value.log) === undefined
  return isPattern ? { by: 'log', pattern: value.log as string } : undefined
}

/** Matches by code points, not by UTF-16 units; and an invalid quantifier is an error. */
export const PATTERN_FLAGS = 'u'

function whyNoPattern(source: string): string | undefined {
  try {
    RegExp(source, PATTERN_FLAGS)
    return undefined
  } catch (error) {
    return (error as Error).message // a SyntaxError, which is the answer
  }
}

export const giveUpAfter: Kind<GiveUpAfter> = {
  expected: '{deaths: 1 to 100, within: a duration}',
  read(value) {
    if (!isRecord(value) || !hasOnly(value, 'deaths', 'within')) return undefined
    const deaths = readWhole(value.deaths, 1, 100)
    const withinMs = parseDurationMs(value.within)
    return deaths !== undefined && withinMs ? { deaths, withinMs } : undefined
  },
  schema: mapSchema({ deaths: whole(1, 100).schema, within: duration(1).schema }, 'deaths', 'within'),
}

const OPENAI_KEY = 'OPENAI_API_KEY'
export const openAi: Kind<OpenAiEndpoint> = {
  expected: '{base_url: a URL, model: a name, api_key_env: name of a variable}',
  read(value) {
    if (!isRecord(value) || !hasOnly(value, 'base_url', 'model', 'api_key_env')) return undefined
    const { base_url, model, api_key_env = OPENAI_KEY } = value
    const baseUrl = readUrl(base_url)
    if (baseUrl === undefined || typeof model !== 'string' || model === '') return undefined
    if (typeof api_key_env !== 'string' || !VARIABLE.test(api_key_env)) return undefined
    return { baseUrl, model, apiKeyEnv: api_key_env }
  },
  schema: mapSchema(
    {
      base_url: URL_SCHEMA,
      model: { type: 'string', minLength: 1 },
      api_key_env: { type: 'string', pattern: VARIABLE.source, default: OPENAI_KEY },
    },
    'base_url',
    'model',
  ),
}

const DEFAULT_WARN_AT = 0.8
const MOST_USD = 1_000_000
const MOST_TOKENS = 1e12
const USD: Schema = { type: 'number', minimum: 0, maximum: MOST_USD }
const per = oneOf('day', 'month')
const BUDGET_KEYS = ['per', 'usd', 'tokens', 'warn_at', 'task_usd'] as const

const readAmount = (value: unknown, max: number): number | undefined =>
  typeof value === 'number' && value >= 0 && value <= max ? value : undefined

export const budget: Kind<Budget> = {
  expected:
    '{per: day or month, usd: an amount, tokens: a whole number, task_usd: an amount, warn_at: 0 to 1}, with usd, tokens or task_usd',
  read(value) {
    if (!isRecord(value) || !hasOnly(value, ...BUDGET_KEYS)) return undefined
    const limits = [
      value.usd === undefined ? null : readAmount(value.usd, MOST_USD),
      value.tokens === undefined ? null : readWhole(value.tokens, 0, MOST_TOKENS),
      value.task_usd === undefined ? null : readAmount(value.task_usd, MOST_USD),
    ]
    const [usd, tokens, taskUsd] = limits
    const period = per.read(value.per ?? 'day')
    const warnAt = readAmount(value.warn_at ?? DEFAULT_WARN_AT, 1)
    if (period === undefined || warnAt === undefined || limits.every((limit) => limit === null)) return undefined
    if (usd === undefined || tokens === undefined || taskUsd === undefined) return undefined
    return { per: period, usd, tokens, warnAt, taskUsd }
  },
  schema: {
    ...mapSchema({
      per: { ...per.schema, default: 'day' },
      usd: USD,
      tokens: whole(0, MOST_TOKENS).schema,
      task_usd: USD,
      warn_at: { type: 'number', minimum: 0, maximum: 1, default: DEFAULT_WARN_AT },
    }),
    anyOf: ['usd', 'tokens', 'task_usd'].map((name) => ({ required: [name] })),
  },
  converted: true,
}
