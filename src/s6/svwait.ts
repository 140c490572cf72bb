import { readOptions, wholeNumber } from './options.ts'
import type { SvcWait } from './svc.ts'
import type { Goal } from './watch.ts'

export interface SvwaitRequest {
  readonly goals: readonly Goal[]
  /** 0: no limit. */
  readonly timeoutMs: number
  readonly dirs: readonly string[]
}

const down: Goal = { up: false, ready: false }
/** Goal of each option; `r` and `R` wait for an end first. */
export const svwaitGoals: Readonly<Record<SvcWait, readonly Goal[]>> = {
  u: [{ up: true, ready: false }],
  U: [{ up: true, ready: true }],
  d: [down],
  D: [{ up: false, ready: true }],
  r: [down, { up: true, ready: false }],
  R: [down, { up: true, ready: true }],
}

export const SVWAIT_USAGE = 's6-svwait [ -U | -u | -d | -D | -r | -R ] [ -a | -o ] [ -t timeout ] servicedir...'

/** @returns a text that says what is wrong with the arguments */
export function parseSvwait(argv: readonly string[]): SvwaitRequest | string {
  const parsed = readOptions(argv, 'UudDrRaot:')
  if (typeof parsed === 'string') return parsed
  let wanted = svwaitGoals.u
  let any = false
  let timeoutMs = 0
  for (const { letter, value } of parsed.options) {
    if (letter === 't') {
      const ms = wholeNumber(value)
      if (ms === undefined) return `-t takes milliseconds, a whole number, got "${value}"`
      timeoutMs = ms
    } else if (letter === 'a' || letter === 'o') any = letter === 'o'
    else wanted = svwaitGoals[letter as SvcWait]
  }
  if (parsed.rest.length === 0) return 'expected slot directories'
  // An end that comes before a start is waited for of all, also with -o.
  return {
    goals: wanted.map((goal, at) => ({ ...goal, any: any && at === wanted.length - 1 })),
    timeoutMs,
    dirs: parsed.rest,
  }
}
