import type { ReadStatus } from '../protocol/s6.ts'
import { readOptions } from './options.ts'
import { isUp, signalText } from './status.ts'

/** A slot directory as s6-svstat reads it. */
export interface Observed {
  readonly state: ReadStatus
  /** The directory has no file `down`. */
  readonly normallyUp: boolean
  readonly nowMs: number
}

type Field = (seen: Observed) => string | number | boolean

const secondsSince = (atMs: number, nowMs: number): number => Math.max(0, Math.floor((nowMs - atMs) / 1000))
const exitCode = ({ state }: Observed): number =>
  isUp(state) || signalNumber(state) !== 0 ? -1 : state.waitStatus >> 8
const signalNumber = (state: ReadStatus): number => state.waitStatus & 0x7f

/** Names of fields for `-o`, as in s6. */
const fields: Readonly<Record<string, Field>> = {
  up: ({ state }) => isUp(state),
  wantedup: ({ state }) => state.wantedUp,
  normallyup: ({ normallyUp }) => normallyUp,
  ready: ({ state }) => state.pid !== null && state.ready,
  paused: ({ state }) => state.paused,
  pid: ({ state }) => (isUp(state) ? (state.pid ?? -1) : -1),
  // The process leads a session of its own, so it names its group too.
  pgid: ({ state }) => (isUp(state) ? (state.pid ?? -1) : -1),
  exitcode: exitCode,
  signal: ({ state }) => (isUp(state) || signalNumber(state) === 0 ? 'NA' : signalText(signalNumber(state))),
  signum: ({ state }) => (isUp(state) || signalNumber(state) === 0 ? -1 : signalNumber(state)),
  updownsince: ({ state }) => `@${state.changed}`,
  readysince: ({ state }) => `@${state.readyChanged}`,
  updownfor: ({ state, nowMs }) => secondsSince(state.changedAtMs, nowMs),
  readyfor: ({ state, nowMs }) => secondsSince(state.readyAtMs, nowMs),
}

const shortcuts: Readonly<Record<string, string>> = {
  u: 'up',
  w: 'wantedup',
  N: 'normallyup',
  r: 'ready',
  p: 'pid',
  g: 'pgid',
  e: 'exitcode',
  s: 'signal',
  t: 'updownfor',
}

export interface SvstatRequest {
  /** Empty: the sentence. */
  readonly fields: readonly string[]
  readonly numeric: boolean
  readonly dir: string
}

export const SVSTAT_USAGE = `s6-svstat [ -uwNrpgest | -o ${Object.keys(fields).join(',')} ] [ -n ] servicedir`

/** @returns a text that says what is wrong with the arguments */
export function parseSvstat(argv: readonly string[]): SvstatRequest | string {
  const parsed = readOptions(argv, `${Object.keys(shortcuts).join('')}no:`)
  if (typeof parsed === 'string') return parsed
  const wanted: string[] = []
  let numeric = false
  for (const { letter, value } of parsed.options) {
    if (letter === 'n') numeric = true
    // A comma may end the list: scripts join fields with one after each.
    else if (letter === 'o') wanted.push(...(value === '' ? [] : value.replace(/,$/, '').split(',')))
    else wanted.push(shortcuts[letter] ?? '')
  }
  const unknown = wanted.find((name) => !Object.hasOwn(fields, name))
  if (unknown !== undefined) return `unknown field "${unknown}"`
  const [dir] = parsed.rest
  return dir === undefined ? 'expected a slot directory' : { fields: wanted, numeric, dir }
}

/** Returns the output of s6-svstat, without the newline. */
export function describe(seen: Observed, request: Pick<SvstatRequest, 'fields' | 'numeric'>): string {
  if (request.fields.length > 0) return request.fields.map((name) => String(fields[name]?.(seen))).join(' ')
  const { state, normallyUp, nowMs } = seen
  const up = isUp(state)
  const signal = signalNumber(state)
  const ending =
    signal === 0 ? `exitcode ${state.waitStatus >> 8}` : `signal ${request.numeric ? signal : signalText(signal)}`
  return [
    `${up ? `up (pid ${state.pid})` : `down (${ending})`} ${secondsSince(state.changedAtMs, nowMs)} seconds`,
    up && !normallyUp ? 'normally down' : '',
    !up && normallyUp ? 'normally up' : '',
    state.paused ? 'paused' : '',
    !up && state.wantedUp ? 'want up' : '',
    up && !state.wantedUp ? 'want down' : '',
    state.ready ? `ready ${secondsSince(state.readyAtMs, nowMs)} seconds` : '',
  ]
    .filter((part) => part !== '')
    .join(', ')
}
