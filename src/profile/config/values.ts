/**
 * The kinds of value that config.yaml and services.yaml share: for each the one check, and the words that say what it takes. Every
 * check takes what YAML gave.
 */
import { LONGEST_MS } from '../../protocol/init.ts'
import { parseAddress } from '../../system/net/address.ts'
import { parseSignal, type SignalName } from '../../system/signals.ts'

export const MAX_FD = 63
export const DURATION = 'a duration such as 500ms, 30s, 1m or a number of seconds'
export const SIGNAL = 'a signal such as TERM, INT or 15'
export const VARIABLES = 'names and texts such as {PORT: "8080"}'
export const GIVE_UP = '{deaths: 1 to 100, within: a duration}'
export const CHECKS = '{http: a URL}, {tcp: a port or host:port} or {command: a list of words}'
/** Besides the word for "nothing announces it", which each file has its own of. */
export const READY = `{fd: 3 to ${MAX_FD}}, {log: a regular expression}, ${CHECKS}`

/** What can be asked of a program from outside. */
export type Check =
  | { readonly by: 'http'; readonly url: string }
  | { readonly by: 'tcp'; readonly host: string; readonly port: number }
  /** Run as the runtime user; exit code 0 is a yes. */
  | { readonly by: 'command'; readonly command: readonly string[] }

/** How a program shows that it is ready. */
export type Announcement =
  | { readonly by: 'fd'; readonly fd: number }
  | { readonly by: 'log'; readonly pattern: string }
  | Check

export interface GiveUpAfter {
  readonly deaths: number
  readonly withinMs: number
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * `500ms`, `30s`, `1.5m`, `2h`, `1d`, or a number (or text of one) of seconds.
 * @returns whole milliseconds, or undefined when it is none of these
 */
export function parseDurationMs(value: unknown): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(
    typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '',
  )
  if (!found) return undefined
  const ms = Math.round(Number(found[1]) * (UNITS[found[2] ?? 's'] ?? Number.NaN))
  return Number.isSafeInteger(ms) && ms <= LONGEST_MS ? ms : undefined
}

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const hasOnly = (value: Record<string, unknown>, ...names: readonly string[]): boolean =>
  Object.keys(value).every((name) => names.includes(name))
export const whole = (value: unknown, min: number, max: number): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined

/** Text of a text, a number, true or false. NUL: no word and no variable of a process can hold one. */
export const scalar = (value: unknown): string | undefined =>
  ['string', 'number', 'boolean'].includes(typeof value) && !String(value).includes('\0') ? String(value) : undefined

/** A command: a list of words, of which the first names a program. */
export function words(value: unknown): readonly string[] | undefined {
  const all = Array.isArray(value) ? value.map(scalar) : []
  return all.length > 0 && all[0] !== '' && all.every((word) => word !== undefined) ? all : undefined
}

export function variables(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isMap(value)) return undefined
  const entries = Object.entries(value).map(([name, one]) => [name, scalar(one)] as const)
  const sound = entries.every(([name, one]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && one !== undefined)
  return sound ? Object.fromEntries(entries as readonly (readonly [string, string])[]) : undefined
}

export const signal = (value: unknown): SignalName | undefined =>
  typeof value === 'string' || typeof value === 'number' ? parseSignal(String(value)) : undefined

export const url = (value: unknown): string | undefined =>
  typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value) ? value : undefined

export function giveUpAfter(value: unknown): GiveUpAfter | undefined {
  if (!isMap(value) || !hasOnly(value, 'deaths', 'within')) return undefined
  const deaths = whole(value.deaths, 1, 100)
  const withinMs = parseDurationMs(value.within)
  return deaths !== undefined && withinMs ? { deaths, withinMs } : undefined
}

/** Of a map with more in it: the one that is there of http, tcp and command. */
export function check(value: Record<string, unknown>): Check | undefined {
  if (value.http !== undefined) {
    const address = url(value.http)
    return address === undefined ? undefined : { by: 'http', url: address }
  }
  if (value.tcp !== undefined) {
    const address = parseAddress(value.tcp)
    return address === undefined ? undefined : { by: 'tcp', ...address }
  }
  const command = words(value.command)
  return command === undefined ? undefined : { by: 'command', command }
}

export function announcement(value: unknown): Announcement | undefined {
  if (!isMap(value) || Object.keys(value).length !== 1) return undefined
  if (value.fd !== undefined) {
    const fd = whole(value.fd, 3, MAX_FD)
    return fd === undefined ? undefined : { by: 'fd', fd }
  }
  if (value.log !== undefined) {
    const isPattern = typeof value.log === 'string' && value.log !== '' && whyNoPattern(value.log) === undefined
    return isPattern ? { by: 'log', pattern: value.log as string } : undefined
  }
  return check(value)
}

/** What more can be said of a value that is no announcement. */
export const whyNoAnnouncement = (value: unknown): string | undefined =>
  isMap(value) && typeof value.log === 'string' ? whyNoPattern(value.log) : undefined

/** By characters, not by halves of them; and what looks like a quantifier and is none is an error. */
export const PATTERN_FLAGS = 'u'

function whyNoPattern(source: string): string | undefined {
  try {
    RegExp(source, PATTERN_FLAGS)
    return undefined
  } catch (error) {
    return (error as Error).message // a SyntaxError, which is the answer
  }
}
