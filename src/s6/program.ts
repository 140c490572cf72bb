import type { Clock } from '../system/clock.ts'
import { announcesReadiness, isNormallyUp, readState, requireSupervised, S6Error, sendLetters } from './service-dir.ts'
import { isOver, parseSvc, type Wait } from './svc.ts'
import { describe, parseSvstat } from './svstat.ts'

export interface S6Output {
  out(text: string): void
  err(text: string): void
}

const USAGE = 100
const TIMED_OUT = 99
const POLL_MS = 20

/** Runs one of s6's commands. @returns its exit code, s6's own */
export async function s6Command(
  name: string,
  argv: readonly string[],
  clock: Clock,
  output: S6Output,
): Promise<number> {
  try {
    if (name === 's6-svstat') return svstat(argv, clock, output)
    if (name === 's6-svc') return await svc(argv, clock)
    throw new S6Error(USAGE, 'there are s6-svstat and s6-svc')
  } catch (error) {
    if (!(error instanceof S6Error)) throw error
    output.err(`${name}: ${error.message}\n`)
    return error.exitCode
  }
}

function svstat(argv: readonly string[], clock: Clock, output: S6Output): number {
  const request = parseSvstat(argv)
  if (typeof request === 'string')
    throw new S6Error(USAGE, `${request}; usage: s6-svstat [-uwNrpgest | -o FIELDS] [-n] DIR`)
  requireSupervised(request.dir)
  const seen = { state: readState(request.dir), normallyUp: isNormallyUp(request.dir), nowMs: clock.wallMs() }
  output.out(`${describe(seen, request)}\n`)
  return 0
}

async function svc(argv: readonly string[], clock: Clock): Promise<number> {
  const request = parseSvc(argv)
  if (typeof request === 'string')
    throw new S6Error(USAGE, `${request}; usage: s6-svc [-wu|-wU|-wd|-wD|-wr|-wR] [-T MS] -LETTERS DIR`)
  const { dir, letters, timeoutMs } = request
  if (request.wait === undefined) {
    sendLetters(dir, letters)
    return 0
  }
  const wait = withoutReadiness(request.wait, dir)
  const before = readState(dir)
  sendLetters(dir, letters)
  const untilMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.nowMs() + timeoutMs
  while (!isOver(wait, before, readState(dir))) {
    if (clock.nowMs() >= untilMs) throw new S6Error(TIMED_OUT, `${dir}: timed out after ${timeoutMs} ms`)
    await new Promise<void>((resolve) => clock.at(clock.nowMs() + POLL_MS, resolve))
  }
  return 0
}

/** A service that never announces readiness would be waited for for ever: s6 waits for its start instead. */
function withoutReadiness(wait: Wait, dir: string): Wait {
  if (announcesReadiness(dir)) return wait
  return wait === 'U' ? 'u' : wait === 'R' ? 'r' : wait
}
