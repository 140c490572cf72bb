/**
 * What a line of a log says about itself: level, session, time. One core for `hermes logs`, the dashboard's page and
 * other filters. The beginning of a line decides its format: a word further inside it is part of the message.
 */
import { type Head, readHead } from './line-head.ts'
import { type Level, levelOfNumber, levelOfWord } from './line-level.ts'

export interface LineFacts {
  readonly level?: Level
  readonly session?: string
  /** Unix ms; a time without a zone is taken as UTC. */
  readonly atMs?: number
}

/** Lines that go on with the one before them, and how. */
export type Continues =
  /** By its shape: indented, a frame, a closing bracket. */
  | 'text'
  /** An exception, which stands for itself where no warning or error goes before it. */
  | 'exception'

export interface ReadLine extends LineFacts {
  readonly continues?: Continues
}

/** CSI sequences, OSC sequences (titles, links), and two-byte ones (ECMA-48). */
export const ESCAPES = /\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])/g
/** Longer than any header, shorter than what would cost. */
const LOOK_AT = 600
/** Prefix of CRI runtimes before each line: time, stream, and whether the line is whole. */
const CRI = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] /

// decides by words: the lines of any program
const EXCEPTION =
  /^(?:Traceback \(most recent call last\)|panic: |fatal error: |thread '.*' panicked at |Exception in thread |(?:Uncaught|Unhandled)\b|(?:Caused by: |Uncaught )?(?:[\w$]+\.)*[A-Z]?[\w$]*(?:Error|Exception)(?: \[\w+\])?(?::|$))/
/** Lines of traces that have no indentation. */
// decides by words: likewise
const TRACE =
  /^(?:at |Caused by: |\.\.\. \d+ (?:more|common)|During handling of the above|The above exception was|goroutine \d+ \[|[}\])]+[;,]?$|note: run with `RUST_BACKTRACE)/

/** @param text without the stamp of our own */
export function readLine(text: string): ReadLine {
  const whole = text.includes('\x1b') ? text.replace(ESCAPES, '') : text
  const plain = whole.startsWith('2') ? whole.replace(CRI, '') : whole
  const start = plain.slice(0, LOOK_AT)
  const isIndented = /^\s/.test(start)
  if (EXCEPTION.test(start)) return { level: 'error', continues: 'exception' }
  const head = readHead(start, isIndented)
  const facts = head.kind === 'none' ? undefined : factsOf(head, plain)
  if (facts !== undefined) return facts
  return isIndented || start === '' || TRACE.test(start) ? { continues: 'text' } : {}
}

function factsOf(head: Exclude<Head, { kind: 'none' }>, plain: string): LineFacts | undefined {
  const at = head.atMs === undefined ? {} : { atMs: head.atMs }
  switch (head.kind) {
    case 'json': {
      const found = readJson(plain.slice(head.from))
      return found && { ...at, ...found }
    }
    case 'pairs':
      return { ...at, ...readPairs(plain.slice(head.from, head.from + LOOK_AT * 4)) }
    case 'level':
      return { ...at, level: head.level, ...(head.session === undefined ? {} : { session: head.session }) }
    case 'time':
      return at
  }
}

/** The facts of a line, given those of the line before it in the same log. */
export function follow(before: LineFacts | undefined, { continues, ...own }: ReadLine): LineFacts {
  if (continues === undefined || before === undefined) return own
  const isProblem = before.level === 'warn' || before.level === 'error' || before.level === 'fatal'
  return continues === 'exception' && !isProblem ? { ...before, level: 'error' } : before
}

/** As the page colours and filters lines: four levels. */
export type CoarseLevel = 'error' | 'warn' | 'info' | 'debug'

export const coarse = (level: Level): CoarseLevel => (level === 'fatal' ? 'error' : level === 'trace' ? 'debug' : level)

/** The level that a line names itself. */
export function levelOf(text: string): CoarseLevel | undefined {
  const { level } = readLine(text)
  return level === undefined ? undefined : coarse(level)
}

const LEVEL_KEYS = [
  'level',
  'severity',
  'lvl',
  'levelname',
  'loglevel',
  'log_level',
  'log.level',
  'severity_text',
  '@l',
]
const SESSION_KEYS = ['session', 'session_id', 'sessionId', 'session.id']
const TIME_KEYS = ['time', 'timestamp', '@timestamp', 'ts', '@t', 'datetime', 't']

/** @returns undefined: it looks like JSON and is not */
function readJson(text: string): LineFacts | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Torn, or never JSON: a line like any other.
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const record = value as Readonly<Record<string, unknown>>
  // The format of Docker's json-file driver: the line itself is inside.
  if (typeof record.log === 'string' && typeof record.stream === 'string') {
    const { continues: _, ...inside } = readLine(record.log.replace(/\n$/, ''))
    return { ...timeFacts(timeOfValue(record.time)), ...inside }
  }
  const nested = record.log
  const ecs = typeof nested === 'object' && nested !== null ? (nested as { level?: unknown }).level : undefined
  return facts((key) => record[key], ecs)
}

const PAIR = /([\w.@-]+)=("(?:[^"\\]|\\.)*"?|\S*)/y

function readPairs(text: string): LineFacts {
  const found = new Map<string, string>()
  PAIR.lastIndex = 0
  for (let pair = PAIR.exec(text); pair !== null; pair = PAIR.exec(text)) {
    const [, key = '', value = ''] = pair
    if (!found.has(key)) found.set(key, value.replace(/^"|"$/g, ''))
    while (text[PAIR.lastIndex] === ' ') PAIR.lastIndex++
  }
  return facts((key) => found.get(key))
}

function facts(of: (key: string) => unknown, elsewhere?: unknown): LineFacts {
  const first = (keys: readonly string[]): unknown => keys.map(of).find((value) => value !== undefined)
  const level = levelOfValue(first(LEVEL_KEYS) ?? elsewhere)
  const session = first(SESSION_KEYS)
  return {
    ...(level === undefined ? {} : { level }),
    ...(typeof session === 'string' && session !== '' ? { session } : {}),
    ...timeFacts(timeOfValue(first(TIME_KEYS))),
  }
}

const timeFacts = (atMs: number | undefined): LineFacts => (atMs === undefined ? {} : { atMs })

function levelOfValue(value: unknown): Level | undefined {
  if (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value)))
    return levelOfNumber(Number(value))
  return typeof value === 'string' ? levelOfWord(value) : undefined
}

/** Text as RFC 3339, or seconds, milliseconds, microseconds or nanoseconds since 1970, distinguished by their size. */
function timeOfValue(value: unknown): number | undefined {
  const number =
    typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : Number.NaN
  if (Number.isFinite(number) && number > 0) {
    const ms = number < 1e11 ? number * 1000 : number < 1e14 ? number : number < 1e17 ? number / 1e3 : number / 1e6
    return Math.floor(ms)
  }
  const head = typeof value === 'string' ? readHead(value.slice(0, 64), false) : undefined
  return head === undefined || head.kind === 'none' ? undefined : head.atMs
}
