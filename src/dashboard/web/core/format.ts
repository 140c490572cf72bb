/** Formats of facts on the page. Times are UTC, as in the log files and on the command line. */
import type { Death, Slot } from '../../contract/slots.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const two = (value: number): string => String(value).padStart(2, '0')

/** The two largest units: `12s`, `4m 02s`, `3h 07m`, `12d 04h`. */
export function duration(ms: number): string {
  const rest = Math.max(0, ms)
  if (rest < MINUTE) return `${Math.floor(rest / SECOND)}s`
  if (rest < HOUR) return `${Math.floor(rest / MINUTE)}m ${two(Math.floor((rest % MINUTE) / SECOND))}s`
  if (rest < DAY) return `${Math.floor(rest / HOUR)}h ${two(Math.floor((rest % HOUR) / MINUTE))}m`
  return `${Math.floor(rest / DAY)}d ${two(Math.floor((rest % DAY) / HOUR))}h`
}

/** The largest unit only: `now`, `12s ago`, `4m ago`. */
export function ago(ms: number): string {
  if (ms < 2 * SECOND) return 'now'
  return `${duration(ms).split(' ')[0]} ago`
}

/** Decimal units, three digits at most: `0 B`, `48.2 MB`. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${value < 99.95 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** @param cores 0.25 is a quarter of one @returns per cent of one core */
export const cores = (cores: number): string =>
  `${cores < 0.0995 ? (cores * 100).toFixed(1) : Math.round(cores * 100)}%`

/** `12:15:18.810` of an RFC 3339 time in UTC. */
export const clockTime = (at: string): string => at.slice(11, 23)

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `22 Nov 12:15:18` of an RFC 3339 time in UTC. */
export const dayTime = (at: string): string =>
  `${Number(at.slice(8, 10))} ${MONTHS[Number(at.slice(5, 7)) - 1] ?? ''} ${at.slice(11, 19)}`

/** How a process ended; unknown facts are omitted. */
export function ending({ exitCode, signal }: Pick<Death, 'exitCode' | 'signal'>): string {
  if (signal !== undefined) return `SIG${signal}`
  return exitCode === undefined ? 'unknown' : `exit ${exitCode}`
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`

/** A slot's state as the predicate after `is`. Tables and chips show the state's name instead. */
export const stateWords = (state: Slot['state']): string => (state === 'backoff' ? 'waiting for its next start' : state)

/** A remark beside the state of a slot, and the state whose colour it has; undefined: all is well. */
export function remarkOf({
  state,
  reason,
  health = 'ok',
  evidence = [],
}: Pick<Slot, 'state' | 'reason' | 'health' | 'evidence'>): { text: string; tone: Slot['state'] } | undefined {
  if (state !== 'up') return reason === undefined ? undefined : { text: reason, tone: state }
  return health === 'ok' ? undefined : { text: [health, ...evidence].join(', '), tone: 'backoff' }
}

/** The rest of a sentence that begins with the slot's name: `is up`, `restarts in 4s`. */
export function slotPredicate({ state, nextStartAt }: Pick<Slot, 'state' | 'nextStartAt'>, wallMs: number): string {
  if (state !== 'backoff' || nextStartAt === undefined) return `is ${stateWords(state)}`
  return `restarts in ${duration(Math.max(SECOND, Date.parse(nextStartAt) - wallMs))}`
}
