/**
 * The part of s6-log's language that most `log/run` scripts use: how many files, how long, stamped or not, where to.
 * Source: https://skarnet.org/software/s6/s6-log.html, "Logging script".
 */
import { readOptions, wholeNumber } from './options.ts'

export interface LogRequest {
  /** -p: only HUP and the end of the input end it. */
  readonly ignoresTerm: boolean
  /** -d: receives a newline when everything is open. */
  readonly notify?: number
  readonly actions: readonly LogAction[]
}

export type LogAction =
  | { readonly to: 'stdout'; readonly stamped: boolean }
  | {
      readonly to: 'directory'
      readonly stamped: boolean
      readonly dir: string
      /** Archives that are kept. */
      readonly archives: number
      readonly maxBytes: number
    }

export const LOG_USAGE = 's6-log [ -b ] [ -p ] [ -d fd ] [ n<files> ] [ s<bytes> ] [ t | T ] 1 | directory …'

/** s6-log's own defaults and limits. */
const DEFAULT_ARCHIVES = 10
const DEFAULT_BYTES = 99_999
const LEAST_BYTES = 4096
const MOST_BYTES = 268_435_455

/** @returns a text that says what is wrong with the arguments */
export function parseLog(argv: readonly string[]): LogRequest | string {
  const parsed = readOptions(argv, 'bqvpd:')
  if (typeof parsed === 'string') return parsed
  const notify = parsed.options.find(({ letter }) => letter === 'd')?.value
  const fd = notify === undefined ? undefined : wholeNumber(notify)
  if (notify !== undefined && (fd === undefined || fd < 3)) return `-d takes a descriptor from 3 on, got "${notify}"`
  const actions = parseActions(parsed.rest)
  if (typeof actions === 'string') return actions
  // -b is what this one always does: nothing is read while something waits to be written.
  const ignoresTerm = parsed.options.some(({ letter }) => letter === 'p')
  return { ignoresTerm, ...(fd !== undefined && { notify: fd }), actions }
}

function parseActions(args: readonly string[]): readonly LogAction[] | string {
  const actions: LogAction[] = []
  let archives = DEFAULT_ARCHIVES
  let maxBytes = DEFAULT_BYTES
  let stamped = false
  for (const arg of args) {
    const number = wholeNumber(arg.slice(1))
    if (arg.startsWith('n') && number !== undefined) archives = number
    else if (arg.startsWith('s') && number !== undefined) maxBytes = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, number))
    else if (arg === 't' || arg === 'T') stamped = true
    else if (arg === '1' || /^[./]/.test(arg)) {
      actions.push(arg === '1' ? { to: 'stdout', stamped } : { to: 'directory', stamped, dir: arg, archives, maxBytes })
      stamped = false // holds for the next action only
    } else
      return `"${arg}" is not known here: n, s, t, T, 1 and a directory are; s6's own knows more and is used where it is installed (Debian: apt-get install s6)`
  }
  return actions.length > 0 ? actions : 'expected a directory'
}
