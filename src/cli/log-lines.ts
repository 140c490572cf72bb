import type { LogLine } from '../log/line.ts'
import { parseDurationMs } from '../profile/values.ts'
import { HermesError } from '../system/errors.ts'

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Level = (typeof LEVELS)[number]

/** @throws HermesError USAGE */
export function parseLevel(text: string): Level {
  const word = text.toLowerCase() === 'warning' ? 'warn' : text.toLowerCase()
  const level = LEVELS.find((one) => one === word)
  if (level) return level
  throw new HermesError('USAGE', `--level takes ${LEVELS.join(', ')}, not ${JSON.stringify(text)}`)
}

/**
 * `1h`, `30m`, or a time such as `2026-11-22T12:00:00Z`.
 * @returns Unix ms
 * @throws HermesError USAGE
 */
export function parseSince(text: string, wallMs: number): number {
  const agoMs = parseDurationMs(text)
  const atMs = agoMs === undefined ? Date.parse(text) : wallMs - agoMs
  if (Number.isFinite(atMs)) return atMs
  throw new HermesError(
    'USAGE',
    `--since takes 30s, 10m, 1h or a time such as 2026-11-22T12:00:00Z, not ${JSON.stringify(text)}`,
  )
}

/** @returns undefined for `all` @throws HermesError USAGE */
export function parseCount(text: string): number | undefined {
  if (text === 'all') return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new HermesError('USAGE', `--lines takes a number or all, not ${JSON.stringify(text)}`)
}

export interface LineFilter {
  /** This level and worse. */
  readonly level?: Level
  readonly session?: string
}

/** What a line of our own logs says about itself: `LEVEL [session] component: text`, `LEVEL text`, or one JSON object. */
export function readLine(text: string): { readonly level?: Level; readonly session?: string } {
  if (text.startsWith('{')) return readJson(text)
  const found = /^(TRACE|DEBUG|INFO|WARN|ERROR|FATAL) (?:\[([^\]]*)\] )?/.exec(text)
  if (!found) return {}
  const level = parseLevel(found[1] ?? 'info')
  return found[2] === undefined ? { level } : { level, session: found[2] }
}

function readJson(text: string): { readonly level?: Level; readonly session?: string } {
  try {
    const { level, session } = JSON.parse(text) as { level?: unknown; session?: unknown }
    const known = LEVELS.find((one) => one === level)
    return { ...(known ? { level: known } : {}), ...(typeof session === 'string' ? { session } : {}) }
  } catch {
    // Looks like JSON and is none: a line like any other.
    return {}
  }
}

/** Keeps what the filter asks for. A line that says nothing about itself goes with the one before it: it is the rest of its text. */
export function lineFilter({ level, session }: LineFilter): (line: LogLine) => boolean {
  const kept = new Map<string, boolean>()
  return ({ slot, text }) => {
    const found = readLine(text)
    if (found.level === undefined && found.session === undefined) return kept.get(slot) ?? false
    const keep =
      (level === undefined || (found.level !== undefined && LEVELS.indexOf(found.level) >= LEVELS.indexOf(level))) &&
      (session === undefined || found.session === session)
    kept.set(slot, keep)
    return keep
  }
}

/** `<time> text`; with more than one log, the log's name in between. */
export const lineText = ({ at, slot, text }: LogLine, several: boolean): string =>
  `${at === undefined ? '' : `${at} `}${several ? `[${slot}] ` : ''}${text}\n`

/** The last so many of a sequence, without holding more. */
export function lastOf<T>(items: Iterable<T>, count: number | undefined): readonly T[] {
  if (count === undefined) return [...items]
  const ring: T[] = []
  let next = 0
  for (const item of items) {
    if (ring.length < count) ring.push(item)
    else if (count > 0) ring[next++ % count] = item
  }
  const from = ring.length === 0 ? 0 : next % ring.length
  return [...ring.slice(from), ...ring.slice(0, from)]
}
