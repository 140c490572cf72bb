import type { LogLine } from '../../log/line.ts'
import { follow, type LineFacts, readLine } from '../../log/line-facts.ts'
import { LEVELS, type Level, levelOfWord } from '../../log/line-level.ts'
import { parseDurationMs } from '../../profile/config/kinds/kinds.ts'
import { HermesError } from '../../system/errors.ts'

/** @throws HermesError USAGE */
export function parseLevel(text: string): Level {
  const level = /^[a-z]+$/i.test(text) ? levelOfWord(text) : undefined
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

/**
 * Keeps what the filter asks for. A line that goes on with the one before it (a traceback, the rest of a text) goes
 * with it.
 */
export function lineFilter({ level, session }: LineFilter): (line: LogLine) => boolean {
  const known = new Map<string, LineFacts>()
  return ({ slot, text, goesOn }) => {
    const before = known.get(slot)
    const own = readLine(text)
    const isRest = goesOn === true && own.level === undefined
    const found = follow(before, isRest ? { continues: 'text' } : own)
    known.set(slot, found)
    return (
      (level === undefined || (found.level !== undefined && LEVELS.indexOf(found.level) >= LEVELS.indexOf(level))) &&
      (session === undefined || found.session === session)
    )
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
