import type { Context } from 'node:vm'
import { type Check, PATTERN_FLAGS } from '../../profile/config/kinds/kinds.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import type { Readiness } from '../launch/launch.ts'
import { checkProblem } from './check.ts'

/** Interval between two checks of an address or a command, and the time limit of one. */
const ASK_EVERY_MS = 250
const ASK_TIMEOUT_MS = 2000

/**
 * A pattern that backtracks without end must not stall every other slot: a line is looked at so far, a look may last so
 * long.
 */
const MAX_LINE_CHARACTERS = 1000
const MATCH_TIMEOUT_MS = 50
/** The patience is wall time, and a machine may be busy: so often in a row it is the pattern's fault. */
const MATCH_TRIES = 3

export interface Watcher {
  /** Whole lines the process has written. */
  lines(wholeLines: Buffer): void
  close(): void
}

/**
 * Watches for a readiness that only the supervisor can see: a line in the log, an address or a command that answers.
 * Being alive is a matter of the slot's clock, the notification fd is init's, and secrets have a watch of their own.
 * @param ready called at most once
 */
export function watchReadiness(
  readiness: Readiness,
  clock: Clock,
  ready: () => void,
  warn: (text: string) => void,
  kernel?: Kernel,
): Watcher | undefined {
  switch (readiness.by) {
    case 'log':
      return watchLog(readiness.pattern, ready, warn)
    case 'http':
    case 'tcp':
    case 'command':
      return poll(readiness, clock, ready, kernel)
    case 'alive':
    case 'fetched':
    case 'fd':
      return undefined
  }
}

function watchLog(pattern: string, ready: () => void, warn: (text: string) => void): Watcher | undefined {
  let wanted: Matcher | undefined
  try {
    wanted = matcherOf(pattern)
  } catch (error) {
    warn(`ready.log: ${(error as Error).message}`)
    return undefined
  }
  return {
    lines(wholeLines) {
      if (wanted === undefined) return
      try {
        if (!wanted(wholeLines.toString('utf8'))) return
        ready()
      } catch (error) {
        const why =
          (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
            ? 'the expression takes too long on what was printed'
            : (error as Error).message
        warn(`ready.log: ${why}; no line of this start counts as ready any more`)
      }
      wanted = undefined
    },
    close() {
      wanted = undefined
    },
  }
}

/** Tells whether one of the lines matches. @throws Error when that takes too long */
type Matcher = (lines: string) => boolean

const ANY_LINE_MATCHES = `
  wanted ??= new RegExp(pattern, '${PATTERN_FLAGS}')
  lines.split('\\n').some((line) => wanted.test(line.slice(0, ${MAX_LINE_CHARACTERS})))`

/**
 * Matches in a separate context (node:vm), the only way to interrupt a running match. One context and one compilation
 * per start, one run per chunk of lines (0.1 ms), only while the gateway starts.
 * @throws SyntaxError for an invalid `pattern`
 */
function matcherOf(pattern: string): Matcher {
  new RegExp(pattern, PATTERN_FLAGS) // says at once what is wrong with it; compiled for good at the first line
  let made: { readonly run: (context: Context) => unknown; readonly context: Context } | undefined
  return (lines) => {
    made ??= matchIn(pattern)
    made.context.lines = lines
    for (let tries = 1; ; tries++) {
      try {
        return made.run(made.context) === true
      } catch (error) {
        if (tries === MATCH_TRIES || (error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT')
          throw error
      }
    }
  }
}

function matchIn(pattern: string) {
  const { createContext, Script } = process.getBuiltinModule('node:vm')
  const script = new Script(ANY_LINE_MATCHES)
  const context = createContext({ pattern, lines: '', wanted: undefined })
  return { context, run: (where: Context) => script.runInContext(where, { timeout: MATCH_TIMEOUT_MS }) as unknown }
}

function poll(check: Check, clock: Clock, ready: () => void, kernel: Kernel): Watcher {
  let cancel: Cancel | undefined
  let closed = false
  const asking = new AbortController()
  const ask = (): void => {
    checkProblem(check, ASK_TIMEOUT_MS, clock, asking.signal, kernel).then((problem) => {
      if (closed) return
      if (problem !== undefined) {
        cancel = clock.at(clock.nowMs() + ASK_EVERY_MS, ask) // not ready yet
        return
      }
      closed = true
      ready()
    })
  }
  ask()
  return {
    lines() {
      // Lines do not matter for a check.
    },
    close() {
      closed = true
      cancel?.()
      asking.abort()
    },
  }
}
