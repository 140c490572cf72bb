import { readOptions, wholeNumber } from './options.ts'
import type { Goal } from './watch.ts'

/** Events to wait for: run spawned, ready, run dead, finished, spawned again, ready again. */
export type SvcWait = 'u' | 'U' | 'd' | 'D' | 'r' | 'R'

export interface SvcRequest {
  /** The commands for the control FIFO, in their order on the command line. */
  readonly commands: string
  readonly wait: SvcWait | undefined
  /** 0: no limit. */
  readonly timeoutMs: number
  readonly dir: string
  /** Arguments after the directory, which are ignored. */
  readonly extra: boolean
}

/** The commands of s6 2.11, and of later versions `l P C K`. */
const COMMANDS = 'abqhkti12pcyroduDUxOQlPCK'
const WAITS = 'uUdDrR'

export const SVC_USAGE = `s6-svc [ -wu | -wU | -wd | -wD | -wr | -wR ] [ -T timeout ] [ -${COMMANDS} ] servicedir`

const finished: Goal = { up: false, ready: true }
/** s6-svc waits for the finish script before it looks for a new start. */
export const svcGoals: Readonly<Record<SvcWait, readonly Goal[]>> = {
  u: [{ up: true, ready: false }],
  U: [{ up: true, ready: true }],
  d: [{ up: false, ready: false }],
  D: [finished],
  r: [finished, { up: true, ready: false }],
  R: [finished, { up: true, ready: true }],
}

/** @returns a text that says what is wrong with the arguments */
export function parseSvc(argv: readonly string[]): SvcRequest | string {
  const parsed = readOptions(argv, `${COMMANDS}w:T:`)
  if (typeof parsed === 'string') return parsed
  let commands = ''
  let wait: SvcWait | undefined
  let timeoutMs = 0
  for (const { letter, value } of parsed.options) {
    if (letter === 'w') {
      if (value.length !== 1 || !WAITS.includes(value)) return `-w takes one of ${[...WAITS].join(' ')}, got "${value}"`
      wait = value as SvcWait
    } else if (letter === 'T') {
      const ms = wholeNumber(value)
      if (ms === undefined) return `-T takes milliseconds, a whole number, got "${value}"`
      timeoutMs = ms
    } else commands += letter
  }
  const [dir, ...rest] = parsed.rest
  if (dir === undefined) return 'expected a slot directory'
  return { commands, wait, timeoutMs, dir, extra: rest.length > 0 }
}
